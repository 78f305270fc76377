"""Results as tables, documents and files."""
