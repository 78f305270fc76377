"""Machine-readable results: tables, DataFrames, JSON documents and vectors, and the files they are written to."""
