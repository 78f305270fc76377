"""Results for programs: tables, frames, documents and vectors, and the files they are written to."""
