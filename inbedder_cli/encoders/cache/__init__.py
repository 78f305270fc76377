"""Rows that were encoded before, kept in one SQLite file, and the encoder that looks there first."""
