"""The four families of tests on an encoder that listens, and on one that does not."""

from __future__ import annotations

import numpy as np
import pytest

from inbedder_cli.encoders.encoded import Encoded
from inbedder_cli.errors import ModelError
from inbedder_cli.evaluation.protocols import Protocol
from inbedder_cli.evaluation.scorers import (
    score_clustering,
    score_pairs,
    score_reranking,
    score_robustness,
    score_similarity,
    score_triplets,
)
from inbedder_cli.evaluation.suites import SIMILARITY_INSTRUCTION, read_folder
from inbedder_cli.evaluation.task_encoder import TaskEncoder
from inbedder_cli.evaluation.tasks import Query, RerankingTask
from inbedder_cli.options import EncodeOptions
from tests.evaluation.conftest import COLOUR, WordEncoder

PROTOCOL = Protocol(seeds=2, n_init=2)


@pytest.fixture
def suite(suite_folder):
    return read_folder(suite_folder)


def encoder(**changes):
    return TaskEncoder(WordEncoder(**changes), EncodeOptions(answers=False))


def by_metric(scores):
    return {score.metric: score for score in scores}


def test_clusters_under_the_right_question_are_the_classes(suite):
    found = by_metric(score_clustering(suite.clusterings[0], encoder(), PROTOCOL))
    assert {name: score.value for name, score in found.items()} == {
        "V-measure": pytest.approx(1),
        "ARI": pytest.approx(1),
        "NMI": pytest.approx(1),
        "purity": 1,
    }
    assert found["V-measure"].rows == 40
    assert found["V-measure"].std == pytest.approx(0)
    assert found["V-measure"].low <= 1 <= found["V-measure"].high + 1e-9


def test_a_single_class_has_no_score(suite):
    one = suite.clusterings[0].subset(1)
    assert {score.value for score in score_clustering(one, encoder(), PROTOCOL)} == {None}
    assert {score.value for score in score_robustness(one, encoder(), PROTOCOL)} == {None}


def test_robustness_of_an_encoder_that_listens(suite):
    found = by_metric(score_robustness(suite.clusterings[0], encoder(), PROTOCOL))
    assert found["V correct"].value == pytest.approx(1)
    assert found["V incorrect"].value == pytest.approx(0, abs=0.01)
    assert found["gap correct - incorrect"].value == pytest.approx(1, abs=0.01)
    implicit = found["V implicit"].value - found["V incorrect"].value
    assert found["gap implicit - incorrect"].value == pytest.approx(implicit)
    assert found["spread over wordings"].value == pytest.approx(0)


def test_robustness_without_some_kinds_of_questions(suite):
    found = by_metric(score_robustness(suite.clusterings[1], encoder(), PROTOCOL))
    assert found["V correct"].value == pytest.approx(1)
    assert found["V incorrect"].value is None
    assert found["gap correct - incorrect"].value is None
    assert found["spread over wordings"].value is None


def test_triplets_of_an_encoder_that_listens(suite):
    scores = score_triplets(suite.triplets[0], encoder(), PROTOCOL)
    assert [f.metric for f in scores[3:]] == ["triplet success, centered"] * 2 + ["triplets, both goals, centered"]
    assert [(f.task, f.value, f.rows) for f in scores[:3]] == [
        ("pets / colour", 1, 6),
        ("pets / animal", 1, 6),
        ("pets", 1, 12),
    ]


def test_triplets_of_a_deaf_encoder_are_complementary(suite):
    deaf = encoder(listens=False)
    colour, animal, both, *_ = score_triplets(suite.triplets[0], deaf, PROTOCOL)
    assert colour.value == animal.value == both.value == 0  # each side shares one word: all are ties


def test_instructed_pairs(suite):
    centered, raw = score_pairs(suite.pairs[0], encoder(), PROTOCOL)
    assert (centered.value, raw.value) == (pytest.approx(1), pytest.approx(1))
    deaf, _ = score_pairs(suite.pairs[0], encoder(listens=False), PROTOCOL)
    assert deaf.value == pytest.approx(0, abs=1e-9)


def test_plain_similarity_asks_the_papers_question(suite):
    used = encoder()
    (score,) = score_similarity(suite.similarities[0], used, PROTOCOL)
    assert score.value == pytest.approx(1)
    assert {instruction for instruction, _, _ in used.encoder.calls} == {SIMILARITY_INSTRUCTION}


def test_reranking():
    task = RerankingTask(
        "zoo",
        COLOUR,
        (
            Query("red cat", ("red dog",), ("green cat", "green dog")),
            Query("green cat", ("red dog",), ("green dog",)),
            Query("red dog", (), ("green dog",)),
        ),
    )
    (score,) = score_reranking(task, encoder(), PROTOCOL)
    assert (score.value, score.rows) == (pytest.approx((1 + 0.5) / 2), 2)
    assert score_reranking(RerankingTask("none", COLOUR, ()), encoder(), PROTOCOL)[0].value is None


def test_each_text_is_read_once_under_each_question(suite):
    used = encoder()
    used.start_group("pets")
    score_triplets(suite.triplets[0], used, PROTOCOL)
    score_pairs(suite.pairs[0], used, PROTOCOL)
    read = [(instruction, text) for instruction, texts, _ in used.encoder.calls for text in texts]
    assert len(read) == len(set(read)) == 36
    used.start_group("others")
    assert not used.memo


def test_vectors_that_are_not_finite_end_the_run():
    class Broken(WordEncoder):
        def encode(self, texts, instruction, options=None, reporter=None):
            return Encoded(np.full((len(texts), 2), np.nan, np.float32), None, None, len(texts), 0)

    with pytest.raises(ModelError, match="1 of 1 vectors of words") as error:
        TaskEncoder(Broken(), EncodeOptions()).vectors(["x"], "What?")
    assert "float32" in error.value.hint
