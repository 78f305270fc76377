"""Answers -> what each cluster means: phrases, labels, example rows."""
