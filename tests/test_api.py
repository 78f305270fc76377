from __future__ import annotations

import ast
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import inbedder_cli


def test_every_public_name_is_there_and_sorted():
    assert inbedder_cli.__all__ == sorted(inbedder_cli.__all__)
    for name in inbedder_cli.__all__:
        assert getattr(inbedder_cli, name) is not None
    (block,) = (
        node for node in ast.parse(Path(inbedder_cli.__file__).read_text()).body if isinstance(node, ast.If)
    )
    seen_by_type_checkers = [name.name for node in block.body for name in node.names]
    assert sorted([*seen_by_type_checkers, "__version__"]) == inbedder_cli.__all__
    with pytest.raises(AttributeError):
        inbedder_cli.nothing  # noqa: B018


def test_the_column_runs_from_python(tiny, reviews):
    corpus = inbedder_cli.read_corpus(str(reviews), text=["text"], id_column="id")
    encoder = inbedder_cli.load_encoder(tiny, device="cpu")
    options = inbedder_cli.ClusterOptions(k=2)
    sure = inbedder_cli.UnansweredOptions(min_confidence=0)
    question = "What emotion is expressed?"
    analysis = inbedder_cli.analyze(
        corpus, question, encoder, cluster_options=options, unanswered_options=sure, baseline=False
    )
    result = analysis.result
    assert [summary.cluster for summary in result.summaries] == [0, 1]
    assert result.labels[2] is None
    assert result.status[2] == "empty"
    assert result.embeddings.vectors.shape == (6, 32)

    embeddings = inbedder_cli.embed(corpus, question, encoder)
    flagged = inbedder_cli.flag_unanswered(corpus, embeddings, sure)
    by_hand = inbedder_cli.explain(corpus, flagged, inbedder_cli.cluster(flagged, options))
    assert by_hand.labels == result.labels
    assert by_hand.names == result.names


def test_a_pandas_frame_becomes_a_corpus():
    frame = pd.DataFrame({"text": ["cold", "kind", None], "n": [1, 2, 3]})
    corpus = inbedder_cli.corpus_from_table(pa.Table.from_pandas(frame, preserve_index=False))
    assert corpus.texts == ["cold", "kind", ""]
    assert corpus.readable == [0, 1]


def test_one_version_everywhere():
    changelog = (Path(__file__).parent.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {inbedder_cli.__version__}" in changelog
