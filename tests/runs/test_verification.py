"""A saved run, encoded again."""

from __future__ import annotations

import pytest

from inbedder_cli import analyze, read_corpus
from inbedder_cli.options import ClusterOptions, EncodeOptions
from inbedder_cli.runs.saved_run import load_run
from inbedder_cli.runs.verification import verify_run
from inbedder_cli.runs.writer import save_run
from tests.report.feedback import MoodEncoder, feedback


@pytest.mark.parametrize("answers", [True, False])
def test_the_same_encoder_gives_the_same_clusters_and_answers(answers, tmp_path):
    corpus = read_corpus(feedback(60), text="text", id_column="id")
    settings = {"cluster_options": ClusterOptions(k=3), "encode_options": EncodeOptions(answers=answers)}
    save_run(tmp_path / "run", analyze(corpus, "What is the mood?", MoodEncoder(), baseline=False, **settings))
    found = verify_run(load_run(tmp_path / "run"), "", MoodEncoder(), 50)
    assert (found.same_cluster, found.same_answer) == (1, 1)
