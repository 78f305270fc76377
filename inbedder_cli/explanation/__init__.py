"""Explanations of clusters: phrases, labels and exemplars; and detection of unanswered rows."""
