"""Answers -> what each cluster means: phrases, labels, exemplars; and which rows are unanswered."""
