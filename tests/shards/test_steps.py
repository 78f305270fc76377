"""Plan, run, fit and assign through the command line."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import adjusted_rand_score

from tests.shards.conftest import N_ROWS, QUESTION, content, lines_of, rows_of, texts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def unsharded(inbedder, toy, reviews_folder, tmp_path):
    """The result of `inbedder cluster` on the same rows."""
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.concat_tables(pq.read_table(p) for p in sorted(reviews_folder.glob("*"))), whole)
    fixed = ["-i", QUESTION, "-m", "toy:1", "--id", "id", "-k", "3", "--no-baseline", "--no-cache"]
    result = inbedder("cluster", whole, *fixed, "-o", tmp_path / "whole-out.parquet", "--save", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    return pq.read_table(tmp_path / "whole-out.parquet"), json.loads((tmp_path / "run" / "run.json").read_text())


def test_any_number_of_shards_gives_the_rows_and_clusters_of_none(clustered, unsharded):
    whole, _ = unsharded
    outputs = {}
    for n_shards, rows_per_shard in {1: 1000, 3: 100, 7: 40}.items():
        _, output = clustered(folder=f"w{n_shards}", rows_per_shard=rows_per_shard)
        outputs[n_shards] = lines_of(rows_of(output)), (output / "_clusters.json").read_bytes()
        assert len(content(output)) == n_shards
    assert outputs[1] == outputs[3] == outputs[7]
    first = rows_of(output)
    own = whole.column_names[:4]
    assert first.select(own).to_pylist() == whole.select(own).to_pylist()
    labels, expected = (t.column("cluster").fill_null(-5).to_pylist() for t in (first, whole))
    assert adjusted_rand_score(labels, expected) == 1.0
    assert labels == expected
    assert first.column("cluster_label").equals(whole.column("cluster_label"))


def test_the_explanation_is_of_all_rows(clustered, unsharded):
    """Where the sample holds all rows, counts added over shards are those of all rows at once."""
    _, run = unsharded
    _, output = clustered("--vector-dtype", "float32")
    document = json.loads((output / "_clusters.json").read_text())
    assert document["rows"] == run["rows"]
    for merged, whole in zip(document["clusters"], run["clusters"], strict=True):
        for key in ("cluster", "label", "size", "share", "phrases", "answers", "likely_next_words", "exemplars"):
            assert merged[key] == whole[key], key
        assert merged["borderline"] == whole["borderline"]


def test_a_smaller_sample_still_counts_all_rows(clustered):
    _, output = clustered("--sample-rows", "120")
    document = json.loads((output / "_clusters.json").read_text())
    assert 60 < document["sample"]["rows"] < 180
    assert document["rows"]["total"] == N_ROWS
    assert sum(cluster["size"] for cluster in document["clusters"]) == document["rows"]["ok"]
    assert document["clusters"][0]["answers"][0]["share"] > 0.9


def test_a_text_is_encoded_once_in_a_shard(shards, planned, toy):
    work = planned(rows_per_shard=1000)
    shards("run", work)
    assert sorted(toy.encoded) == sorted(set(texts()) - {""})


def test_vectors_hold_every_row(shards, planned):
    work = planned()
    shards("run", work)
    table = pa.concat_tables(pq.read_table(p) for p in sorted((work / "vectors").glob("*")))
    assert table.column("row_id").to_pylist() == list(range(N_ROWS))
    assert table.schema.field("vector").type == pa.list_(pa.float16(), 24)
    empty = [i for i, text in enumerate(texts()) if not text]
    assert np.flatnonzero(table.column("vector").is_null().to_numpy()).tolist() == empty
    assert {table.column("status")[i].as_py() for i in empty} == {"empty"}


def test_an_interrupted_run_goes_on_where_it_was(shards, planned, toy, monkeypatch):
    whole = planned(folder="whole")
    shards("run", whole)
    work, encode = planned(), toy.encode_batches

    def interrupted(self, texts, *arguments):
        if len(list((work / "vectors").glob("*"))) == 2:
            raise KeyboardInterrupt
        return encode(self, texts, *arguments)

    monkeypatch.setattr(toy, "encode_batches", interrupted)
    shards("run", work, code=130)
    monkeypatch.setattr(toy, "encode_batches", encode)
    finished = {path: path.stat().st_mtime_ns for path in (work / "vectors").glob("*.parquet")}
    assert len(finished) == 2
    assert "2 of 6 shards are done already" in shards("run", work).stderr
    assert all(path.stat().st_mtime_ns == at for path, at in finished.items())
    assert content(work / "vectors") == content(whole / "vectors")
    assert content(work / "sample") == content(whole / "sample")


def test_a_part_that_is_cut_short_is_made_again(shards, planned):
    work = planned()
    shards("run", work)
    part = work / "vectors" / "part-00002.parquet"
    whole = part.read_bytes()
    part.write_bytes(whole[:-20])
    shards("run", work)
    assert part.read_bytes() == whole


def test_a_shard_whose_sample_is_gone_is_made_again(shards, planned):
    work = planned()
    shards("run", work)
    sample = work / "sample" / "part-00001.parquet"
    before = sample.read_bytes()
    sample.unlink()
    shards("run", work)
    assert sample.read_bytes() == before


def test_one_shard_can_be_run_by_itself(shards, planned):
    work = planned()
    shards("run", work, "--shard", "3")
    assert list(content(work / "vectors")) == ["part-00003.parquet"]
    assert "shards 0 to 5" in shards("run", work, "--shard", "6", code=2).stderr


def test_status_tells_what_is_done(shards, planned):
    work = planned()
    shards("run", work, "--shard", "0", "--shard", "3")
    state = json.loads(shards("status", work, "--json").stdout)
    assert (state["shards"], state["done"], state["missing"], state["failed"]) == (6, 2, 4, 0)
    assert (state["rows"], state["rows_done"]) == (N_ROWS, 96)
    assert "rows done\t96" in shards("status", work).stdout


def damage(path: Path, of_row: int):
    """Change a byte of the texts of a row group, as a bad disk does, and return what was there."""
    before = path.read_bytes()
    with pq.ParquetFile(path) as file:
        group = next(i for i in range(file.num_row_groups) if of_row < 16 * (i + 1))
        column = file.metadata.row_group(group).column(2)
    changed = bytearray(before)
    place = column.dictionary_page_offset or column.data_page_offset
    changed[place : place + column.total_compressed_size] = bytes(column.total_compressed_size)
    path.write_bytes(changed)
    return before


def test_a_bad_shard_is_named_and_the_others_go_on(shards, planned, reviews_folder):
    work, path = planned(), reviews_folder / "0.parquet"
    before = damage(path, of_row=60)
    failed = shards("run", work, code=4).stderr
    assert "1 shards failed, the others are done: shard 1: " in failed
    assert "0.parquet" in failed
    assert f"inbedder shards run {work}" in failed
    state = json.loads(shards("status", work, "--json").stdout)
    assert (state["done"], state["failed"], state["missing"]) == (5, 1, 0)
    assert state["failures"][0]["shard"] == 1
    assert "1 of 6 shards are not done: 1" in shards("fit", work, "-k", "3", code=2).stderr
    shards("fit", work, "-k", "3", "--skip-missing")
    path.write_bytes(before)
    shards("run", work)
    assert json.loads(shards("status", work, "--json").stdout)["failed"] == 0


def test_a_shard_is_tried_three_times(shards, planned, toy, monkeypatch):
    work, tries, encode = planned(), [], toy.encode_batches

    def flaky(self, texts, *arguments):
        tries.append(1)
        if len(tries) in (2, 3):
            raise OSError("the network is down")
        return encode(self, texts, *arguments)

    monkeypatch.setattr(toy, "encode_batches", flaky)
    shards("run", work)
    assert len(tries) == 6 + 2


def test_bad_rows_become_failed_rows(shards, planned, tmp_path, reviews_folder):
    table = pq.read_table(reviews_folder / "1.parquet")
    broken = [*table.column("text").to_pylist()[:-1], "this row is broken"]
    pq.write_table(table.set_column(2, "text", pa.array(broken)), reviews_folder / "1.parquet", row_group_size=16)
    work = planned()
    assert "1 row without a finite vector" in shards("run", work, code=4).stderr
    shards("fit", work, "-k", "3")
    assert "1 row without a finite vector" in shards("assign", work, "-o", tmp_path / "out", code=4).stderr
    rows = rows_of(tmp_path / "out")
    assert rows.num_rows == N_ROWS
    assert rows.column("status")[119].as_py() == "failed"
    assert rows.column("cluster")[119].as_py() is None


def test_a_changed_input_is_refused(shards, planned, reviews_folder):
    work, path = planned(), reviews_folder / "1.parquet"
    before = path.read_bytes()
    pq.write_table(pq.read_table(path).slice(1), path)
    error = shards("run", work, code=5).stderr
    assert "1.parquet: has changed since the plan was made" in error
    assert not (work / "failed").exists()
    path.write_bytes(before)
    shards("run", work)


def test_rows_changed_between_run_and_assign_are_refused(shards, planned, reviews_folder, tmp_path, monkeypatch):
    work = planned()
    shards("run", work)
    shards("fit", work, "-k", "3")
    # A file that was written again so that size and footer agree would get through the first check.
    monkeypatch.setattr("inbedder_cli.shards.shard_rows.check_unchanged", lambda piece, place: None)
    path = reviews_folder / "1.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(2, "text", pa.array(table.column("text").to_pylist()[::-1])), path)
    assert "belongs to other texts" in shards("assign", work, "-o", tmp_path / "out", code=5).stderr


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["-i", "Which room?"], "another question"),
        (["--max-tokens", "100"], "other options of encoding"),
        (["--text", "id"], "other text or id columns"),
        (["--vector-dtype", "float32"], "another dtype of vectors"),
        (["--rows-per-shard", "100"], "other shards"),
        (["--sample-rows", "20"], "another sample"),
    ],
)
def test_a_folder_takes_one_plan(shards, planned, reviews_folder, options, what):
    work = planned()
    before = (work / "plan.json").read_bytes()
    planned()
    assert (work / "plan.json").read_bytes() == before
    asked = [] if "-i" in options else ["-i", QUESTION]
    fixed = [*asked, "-m", "toy:1", "--id", "id", "-o", work, "--rows-per-shard", "50"]
    assert f"planned for {what}" in shards("plan", reviews_folder, *fixed, *options, code=2).stderr
    assert (work / "plan.json").read_bytes() == before


def test_another_model_is_refused(shards, planned, toy, reviews_folder, monkeypatch):
    work = planned()
    monkeypatch.setattr(toy, "identity", "toy 2")
    assert "is not the model of the plan" in shards("run", work, code=3).stderr
    fixed = ["-i", QUESTION, "-m", "toy:1", "--id", "id", "-o", work, "--rows-per-shard", "50"]
    assert "planned for another model" in shards("plan", reviews_folder, *fixed, code=2).stderr


def test_vectors_of_another_plan_are_refused(shards, planned):
    work, other = planned(), planned("--max-tokens", "99", folder="other")
    shards("run", other)
    (work / "vectors").mkdir()
    (work / "vectors" / "part-00000.parquet").write_bytes((other / "vectors" / "part-00000.parquet").read_bytes())
    assert "was made by another plan" in shards("run", work, code=5).stderr


def test_a_full_disk_ends_the_run_and_leaves_whole_files(shards, planned, toy, monkeypatch):
    from inbedder_cli.output import files

    work, replaced = planned(), []
    fsync = files.os.fsync

    def full(descriptor):
        replaced.append(1)
        if len(replaced) > 4:  # two files a shard
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(files.os, "fsync", full)
    error = shards("run", work, code=1).stderr
    assert "No space left on device" in error
    assert "finished shards are kept" in error
    assert len(replaced) == 5
    monkeypatch.setattr(files.os, "fsync", fsync)
    assert sorted(path.name for path in work.rglob("*") if path.is_file() and "plan" not in path.name) == sorted(
        2 * ["part-00000.parquet", "part-00001.parquet"]
    )
    shards("run", work)


def test_a_damaged_plan_is_an_error(shards, planned):
    work = planned()
    text = (work / "plan.json").read_text()
    for damaged in (
        "",
        "{}",
        text[:-30],
        text.replace('"rows": 100', '"rows": 10'),
        text.replace("float16", "int8"),
    ):
        (work / "plan.json").write_text(damaged)
        assert "not a plan" in shards("status", work, code=5).stderr
    (work / "plan.json").unlink()
    assert "inbedder shards plan" in shards("status", work, code=5).stderr


def test_assign_keeps_what_is_written_and_takes_new_names(shards, clustered):
    work, output = clustered()
    before = {path: path.stat().st_mtime_ns for path in output.glob("part-*")}
    assert "6 of 6 shards are written already" in shards("assign", work, "-o", output).stderr
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())
    (work / "run" / "names.txt").write_text("0 = furious\n")
    shards("assign", work, "-o", output)
    assert "furious" in rows_of(output).column("cluster_label").to_pylist()
    assert json.loads((output / "_clusters.json").read_text())["clusters"][0]["label"] == "furious"


def test_files_of_others_are_not_replaced(shards, clustered, tmp_path):
    work, _ = clustered()
    for name in ("part-00000.parquet", "part-99999.parquet"):
        output = tmp_path / f"others-{name}"
        output.mkdir()
        pq.write_table(pa.table({"a": [1]}), output / name)
        assert f"{name} is not a part of these rows" in shards("assign", work, "-o", output, code=2).stderr
        assert pq.read_table(output / name).num_rows == 1


def test_columns_of_the_result_do_not_replace_those_of_the_input(shards, planned, reviews_folder, tmp_path):
    for path in reviews_folder.glob("*"):
        table = pq.read_table(path)
        pq.write_table(table.append_column("cluster", table.column("stars")), path)
    work, output = planned("--text", "text"), tmp_path / "out"
    shards("run", work)
    shards("fit", work, "-k", "3")
    assert '"cluster"' in shards("assign", work, "-o", output, code=2).stderr
    shards("assign", work, "-o", output, "--prefix", "new_")
    assert {"cluster", "new_cluster", "new_novel"} <= set(rows_of(output).column_names)


def test_the_run_is_one_like_any_other(inbedder, clustered, reviews_folder):
    work, output = clustered()
    assert inbedder("show", work / "run").exit_code == 0
    again = inbedder("assign", work / "run", reviews_folder / "1.parquet", "-f", "json", "--no-cache")
    assert again.exit_code == 0, again.stderr
    labels = [row["cluster"] for row in json.loads(again.stdout)["data"]]
    assert labels == rows_of(output).column("cluster").to_pylist()[100:120]


def test_output_folders_are_read_as_one_table(clustered):
    import pandas as pd

    _, output = clustered()
    assert len(pd.read_parquet(output)) == N_ROWS


def test_cluster_takes_all_steps_at_once(inbedder, clustered, reviews_folder, tmp_path, shards):
    _, output = clustered()
    fixed = ["-i", QUESTION, "-m", "toy:1", "--id", "id", "-k", "3"]
    command = ["cluster", f"{reviews_folder}/*.parquet", *fixed, "--engine", "local", "-o", tmp_path / "once"]
    result = inbedder(*command)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert lines_of(rows_of(tmp_path / "once")) == lines_of(rows_of(output))
    again = inbedder(*command)
    assert "1 of 1 shards are written already" in again.stderr
    other = inbedder(*command, "-i", "Another?")
    assert "several questions: this needs all rows at once" in other.stderr
    assert inbedder(*command[:-2]).exit_code == 2


@pytest.mark.parametrize("n", [4, 5])
def test_many_rows_are_told_to_be_worked_on_in_parts(inbedder, toy, tmp_path, monkeypatch, n):
    monkeypatch.setattr("inbedder_cli.cli.sharded_cluster.MANY_ROWS", 4)
    path = tmp_path / "my rows.csv"
    path.write_text("text\n" + "".join(f"a kind word {i}\n" for i in range(n)))
    told = inbedder("cluster", path, "-i", QUESTION, "-m", "toy:1", "-k", "2", "-f", "csv", "--no-cache")
    assert told.exit_code == 0, told.stderr
    command = f"inbedder cluster '{path}' -i '{QUESTION}' --engine local -o FOLDER"
    assert (command in " ".join(told.stderr.split())) is (n == 5)


@pytest.mark.parametrize("option", ["--report", "--save", "--vectors", "--limit"])
def test_what_needs_all_rows_does_not_go_with_an_engine(inbedder, toy, reviews_folder, tmp_path, option):
    value = 5 if option == "--limit" else tmp_path / "x.html"
    command = [
        "cluster",
        reviews_folder,
        "-i",
        QUESTION,
        "--engine",
        "local",
        "-o",
        tmp_path / "out",
        option,
        value,
    ]
    assert inbedder(*command).exit_code == 2
    assert not (tmp_path / "out").exists()


def test_options_of_ray_need_it(inbedder, shards, planned, reviews_folder):
    assert "--engine ray" in shards("run", planned(), "--address", "auto", code=2).stderr
    assert "--engine ray" in inbedder("cluster", reviews_folder, "-i", QUESTION, "--address", "auto").stderr


def test_devices_are_not_for_engines(inbedder, reviews_folder, tmp_path):
    run = ("cluster", reviews_folder, "-i", QUESTION, "--engine", "local", "-o", tmp_path / "out")
    result = inbedder(*run, "--devices", "cuda:0,cuda:1")
    assert result.exit_code == 2
    assert "--engine ray has a worker on each GPU" in result.stderr


def test_counts_of_other_clusters_are_made_again(shards, clustered, tmp_path):
    work, output = clustered()
    expected = json.loads((output / "_clusters.json").read_text())["clusters"]
    part = sorted(output.glob("part-*"))[1]
    kept = part.read_bytes()
    (work / "run" / "names.txt").write_text("2 -> 0\n")
    shards("assign", work, "-o", output)
    changed = sorted((output / "_counts").iterdir())[1].read_bytes()
    (work / "run" / "names.txt").unlink()
    shards("assign", work, "-o", output)
    assert part.read_bytes() == kept
    sorted((output / "_counts").iterdir())[1].write_bytes(changed)  # as if killed before the rows were written
    shards("assign", work, "-o", output)
    assert json.loads((output / "_clusters.json").read_text())["clusters"] == expected
