"""The cache of encoded texts: one SQLite file, and the encoder that looks there first."""
