"""Files, pipes, frames and lists -> `Corpus`: a table of all columns, and one text per row."""

from inbedder_cli.corpus.inputs import read_corpus
from inbedder_cli.corpus.table import Corpus, corpus_from_table

__all__ = ["Corpus", "corpus_from_table", "read_corpus"]
