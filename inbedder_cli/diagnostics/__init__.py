"""How far a result can be relied on: the baseline, other wordings, cross-tables, drift."""
