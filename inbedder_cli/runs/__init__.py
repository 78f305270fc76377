"""Saved runs: stored, loaded, and applied to new rows."""
