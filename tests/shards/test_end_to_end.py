"""All steps of a clustering in parts, from Python: they end as those of the command line, or before they begin."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inbedder_cli import load_encoder, read_corpus
from inbedder_cli.errors import InbedderError
from inbedder_cli.options import ClusterOptions
from inbedder_cli.shards.end_to_end import ShardedOutput, cluster_shards
from inbedder_cli.shards.planning import PlanOptions
from tests.shards.conftest import QUESTION, texts

PARTS_OF_16 = PlanOptions(rows_per_shard=16, text=("text",))
THREE = ClusterOptions(k=3, stability=False)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"text": texts(60)}), path)
    return path


@pytest.mark.parametrize("name", ["clustered", "clustered.csv"])
def test_rows_get_the_clusters_that_the_command_line_gives(inbedder, toy, source, tmp_path, name):
    encoder = load_encoder("toy:1", cache=False)
    made = cluster_shards(
        str(source), QUESTION, encoder, tmp_path / name, plan_options=PARTS_OF_16, cluster_options=THREE
    )
    assert made.shards == [0, 1, 2, 3]
    assert made.statuses == {"ok": 58, "empty": 2}
    options = ("-m", "toy:1", "-k", 3, "--no-stability", "--text", "text", "--no-cache", "--rows-per-shard", 16)
    other = tmp_path / f"other-{name}"
    assert inbedder("cluster", source, "-i", QUESTION, *options, "--engine", "local", "-o", other).exit_code == 0
    found = [
        read_corpus(f"{each}/*.parquet" if each.is_dir() else each, text="text").table["cluster_label"].to_pylist()
        for each in (tmp_path / name, other)
    ]
    assert found[0] == found[1]
    assert {"anger", "joy", "fear"} <= set(found[0])


@pytest.mark.parametrize(
    "options",
    [
        {"cluster_options": ClusterOptions(k=1)},
        {"cluster_options": ClusterOptions(k=61)},
        {"cluster_options": ClusterOptions(k_min=30)},
        {"by": ["missing"]},
        {"prefix": "te", "cluster_options": THREE},
        {},
    ],
)
def test_what_the_last_step_would_refuse_is_refused_before_the_first(toy, source, tmp_path, options):
    table = pa.table({"text": texts(60), "tecluster": ["x"] * 60})
    pq.write_table(table, source)
    output = tmp_path / "clustered"
    if not options:
        output.mkdir()
        pq.write_table(table, output / "part-00000.parquet")
    with pytest.raises(InbedderError):
        cluster_shards(
            str(source), QUESTION, load_encoder("toy:1", cache=False), output, plan_options=PARTS_OF_16, **options
        )
    assert not list((output / "_work").glob("vectors/*"))


def test_a_url_is_a_folder_and_a_suffix_makes_a_file(tmp_path):
    assert ShardedOutput.of("s3://bucket/rows.csv") == ShardedOutput("s3://bucket/rows.csv")
    assert ShardedOutput.of(tmp_path / "rows.csv").file == tmp_path / "rows.csv"
    with pytest.raises(InbedderError, match="written whole"):
        ShardedOutput.of(tmp_path / "rows.xlsx")
