"""Where the package keeps its files on this machine."""
