"""Diagnostics of a clustering: the question-blind baseline, other wordings, cross-tables, drift."""
