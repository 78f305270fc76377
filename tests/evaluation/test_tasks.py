from __future__ import annotations

import numpy as np

from inbedder_cli.evaluation.suites import read_folder
from inbedder_cli.evaluation.tasks import ClusteringTask, fingerprint


def task(n=10, **changes):
    known = {"name": "t", "corpus": "c", "instruction": "What?"}
    texts = tuple(f"text {i}" for i in range(n))
    return ClusteringTask(**(known | {"texts": texts, "labels": tuple(str(i) for i in range(n))} | changes))


def test_the_limit_takes_a_fixed_shuffle_of_rows_and_labels_together():
    limited = task(10).subset(4)
    rows = np.random.RandomState(0).permutation(10)[:4]
    assert limited.texts == tuple(f"text {i}" for i in rows)
    assert limited.labels == tuple(str(i) for i in rows)
    assert task(3).subset(100).n_classes == 3


def test_triplets_and_instructed_pairs_are_cut_at_the_first(suite_folder):
    whole = read_folder(suite_folder)
    cut = whole.subset(4)
    assert [len(t.texts) for t in cut.clusterings] == [4, 4]
    assert [goal.triplets for goal in cut.triplets[0].goals] == [g.triplets[:4] for g in whole.triplets[0].goals]
    assert cut.pairs[0].pairs == whole.pairs[0].pairs[:4]
    assert whole.subset(None) is whole
    assert set(whole.subset(2).similarities[0].pairs) < set(whole.similarities[0].pairs)


def test_a_fingerprint_changes_with_anything_that_a_task_holds():
    prints = {
        fingerprint(t)
        for t in (task(), task(9), task(instruction="Why?"), task(paraphrases=("Which?",)), task().subset(5))
    }
    assert len(prints) == 5
    assert fingerprint(task()) == fingerprint(task())
