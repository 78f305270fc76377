"""Where the text and the instruction go, and the token ids that come of it."""
