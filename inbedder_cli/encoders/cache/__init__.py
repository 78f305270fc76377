"""The cache of encoded texts: one SQLite file, and the encoder wrapper that uses it."""
