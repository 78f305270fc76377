"""Names that the command line shows without loading anything."""

DEFAULT_MODEL = "smollm2-135m"
