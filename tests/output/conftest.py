"""A small result that the tests of this folder write."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from inbedder_cli.clustering import Clustering
from inbedder_cli.corpus import Corpus
from inbedder_cli.embeddings import Embeddings, RowStatus
from inbedder_cli.explanation.phrases import Phrase
from inbedder_cli.explanation.summaries import AnswerShare, ClusterSummary, Exemplar
from inbedder_cli.options import ClusterOptions
from inbedder_cli.results import ClusteringResult

QUESTION = "Which mood?"
CONFIDENCES = np.array([0.9, np.nan, 0.8, 0.7, 0.6, 0.5], np.float32)
SUMMARIES = [
    ClusterSummary(
        0,
        "anger",
        2,
        0.5,
        [Phrase("anger", 1.0, 3.0, 2.5)],
        [Exemplar(0, "r0", "anger", "Bad.")],
        [AnswerShare("anger", 1.0)],
        0.0,
        label_is_weak=False,
        likely_next_words=["anger", "fury"],
    ),
    ClusterSummary(1, "joy", 1, 0.25, [], [Exemplar(3, "r3", None, "Fine.")], label_is_weak=True),
    ClusterSummary(-1, "noise", 1, 0.25),
]


def corpus_of(texts, **columns):
    ids = [f"r{i}" for i in range(len(texts))]
    return Corpus("reviews.csv", pa.table({"text": texts, **columns}), texts, ids, ("text",))


@pytest.fixture
def result():
    """Six rows: two clusters, one row of noise, one empty, one failed."""
    corpus = corpus_of(["Bad.", "", "Awful.", "Fine.", "Eh", "?"], rank=[1, None, 3, 4, 5, 6])
    options = ClusterOptions(k=2)
    clustering = Clustering(
        np.array([0, 0, 1, -1]),
        np.array([0.123456789, 0.5, 0.0, np.nan], np.float32),
        np.array([1, 1, 0, -1]),
        np.array([0.25, 0.0, 1.0, np.nan], np.float32),
        np.eye(2, dtype=np.float32),
        np.zeros(2),
        options,
    )
    status = [RowStatus.ok, RowStatus.empty, RowStatus.ok, RowStatus.ok, RowStatus.noise, RowStatus.failed]
    answers = ["anger", None, "anger", "joy", "none", ""]
    return ClusteringResult(
        corpus,
        QUESTION,
        Embeddings(np.zeros((6, 2), np.float32), answers, status, confidences=CONFIDENCES),
        clustering,
        SUMMARIES,
        [0, 2, 3, 4],
        status,
    )
