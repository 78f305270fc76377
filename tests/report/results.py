"""A result of 40 rows that the views of these tests show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from inbedder_cli.clustering import Clustering
from inbedder_cli.corpus import Corpus
from inbedder_cli.embeddings import Embeddings, RowStatus
from inbedder_cli.explanation.labels import LabelCheck
from inbedder_cli.explanation.phrases import Phrase
from inbedder_cli.explanation.summaries import ClusterSummary, Exemplar
from inbedder_cli.options import ClusterOptions
from inbedder_cli.results import ClusteringResult

EVIL = "\x1b[31mred\x1b[0m [red]markup[/red] :smile: \x07bell\r\nnext\u202eline\x9b2J"
LABELS = ["slow delivery", "refund", "wrong item", "kind staff"]


def a_result(text="Nothing came.", *, labels=LABELS, algorithm="hdbscan", choice=None, answers=True):
    """40 rows: four clusters of 8, six rows of noise, one empty, one failed."""
    n = 40
    corpus = Corpus(
        "reviews.csv", pa.table({"text": [text] * n}), [text] * n, [str(i) for i in range(n)], ("text",)
    )
    numbers = np.repeat([0, 1, 2, 3, -1], [8, 8, 8, 8, 6])
    status = [RowStatus.ok] * 32 + [RowStatus.noise] * 6 + [RowStatus.empty, RowStatus.failed]
    summaries = [
        ClusterSummary(
            i, label, 8, 8 / 38, [Phrase(label, 0.75, 3.0, 2.0)], [Exemplar(8 * i, f"id{i}", "answer", text)]
        )
        for i, label in enumerate(labels)
    ]
    summaries.append(ClusterSummary(-1, "noise", 6, 6 / 38, [], [Exemplar(32, "id32", "answer", text)]))
    return ClusteringResult(
        corpus,
        "Why is the customer unhappy?",
        Embeddings(np.zeros((n, 2), np.float32), ["answer"] * n if answers else None, status),
        Clustering(
            numbers[:38],
            np.zeros(38, np.float32),
            np.zeros(38, np.int64),
            np.zeros(38, np.float32),
            np.ones((4, 2), np.float32),
            np.zeros(2, np.float32),
            ClusterOptions(algorithm, k=4, min_cluster_size=5),
            choice,
        ),
        summaries,
        list(range(38)),
        status,
    )


def evil_result():
    """Return a result of which every text would steer a terminal or break out of a page."""
    result = a_result(EVIL)
    summaries = [
        replace(s, label=s.label + EVIL, exemplars=[replace(e, id=EVIL) for e in s.exemplars])
        for s in result.summaries[:-1]
    ]
    corpus = replace(result.corpus, source=EVIL)
    return replace(result, instruction=EVIL, corpus=corpus, summaries=[*summaries, result.summaries[-1]])


def doubtful_result():
    """Return a result whose first cluster is unstable, and whose second one has a weak label."""
    result = a_result()
    unstable = replace(result.summaries[0], stability=0.5)
    weak = replace(result.summaries[1], stability=0.9, check=LabelCheck(0.3, 0.2, 0.21), label_is_weak=True)
    return replace(result, summaries=[unstable, weak, *result.summaries[2:]])
