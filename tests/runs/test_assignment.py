"""New rows get the clusters of a saved run, from Python as from the command line."""

from __future__ import annotations

import json

import pytest

from inbedder_cli import assign, load_encoder, load_run, read_corpus
from inbedder_cli.diagnostics.drift import DriftReport, drift
from inbedder_cli.embeddings import RowStatus
from inbedder_cli.errors import ModelError
from inbedder_cli.report.drift_view import drift_line

QUESTION = "What emotion is expressed?"
TEXTS = [f"The room {i} was {('cold', 'kind', 'loud')[i % 3]}." for i in range(18)]


@pytest.fixture
def run(inbedder, tiny, tmp_path):
    path = tmp_path / "rooms.txt"
    path.write_text("\n".join(TEXTS))
    options = ("-i", f"mood={QUESTION}", "-i", "room=Which room?", "-m", tiny, "-k", 2, "--no-baseline")
    saved = inbedder("cluster", path, *options, "--min-confidence", 0, "--save", tmp_path / "run", "-f", "csv")
    assert saved.exit_code == 0, saved.stderr
    return tmp_path / "run"


def test_the_rows_of_the_run_get_their_clusters_again(inbedder, run, tmp_path):
    saved = load_run(run)
    assigned = assign(saved, read_corpus(TEXTS), saved.load_encoder(cache=False))
    assert list(assigned) == ["mood", "room"]
    shown = inbedder("assign", run, tmp_path / "rooms.txt", "-f", "jsonl")
    rows = [json.loads(line) for line in shown.stdout.splitlines()]
    for name, each in assigned.items():
        assert each.result.labels == [row[f"{name}_cluster"] for row in rows]
        assert each.result.labels == [row["cluster"] for row in saved.rows(name)]
        assert each.novel == [row[f"{name}_novel"] for row in rows]
        assert each.drift.n_rows == len(TEXTS)
        assert all(cluster.now == cluster.then for cluster in each.drift.clusters)


def test_another_model_is_refused(run, tiny_models, monkeypatch):
    other = load_encoder(str(tiny_models["opt"]), cache=False)
    monkeypatch.setattr("inbedder_cli.encoders.backends.load_encoder", lambda *_, **__: other)
    with pytest.raises(ModelError, match="is not the model that made"):
        load_run(run).load_encoder()


def test_novel_rows_are_told_beside_the_share_that_they_raise():
    (cluster,) = drift({0: 7}, {0: 10}, {0: "broken"}, 100, 20, {0: 10})
    assert cluster.novel == 10
    report = DriftReport([cluster], 20, 10, {RowStatus.ok: 20})
    assert drift_line(report) == "changed shares: broken 7% -> 50% (10 novel); 10 of 20 rows are novel (50%)"


def test_the_novel_rows_of_clusters_are_all_novel_rows(run):
    saved = load_run(run)
    other = [f"{'Nothing like it whatsoever, ' * 6}{i}" for i in range(9)]
    assigned = assign(saved, read_corpus([*TEXTS, *other]), saved.load_encoder(cache=False))
    for each in assigned.values():
        assert (
            sum(cluster.novel for cluster in each.drift.clusters) == each.drift.n_novel == each.novel.count(True)
        )
