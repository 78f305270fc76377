"""Names that the command line shows without loading anything."""

DEFAULT_MODEL = "inbedder-135m"
