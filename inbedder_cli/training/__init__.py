"""QA examples -> an encoder: the paper's recipe (InBedder, section 3.1), and ours on top of it."""
