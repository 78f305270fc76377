"""Saved runs: save, load, assign new rows, verify."""
