"""Folders of shards that somebody else may have made, and files that claim what is not so."""

from __future__ import annotations

import json
import os
import tempfile

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.test_cache_safety import small_disk
from tests.fuzz.parts import changed_footer, seed_table
from tests.shards.conftest import QUESTION

posix = pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")


@pytest.fixture
def work(shards, planned):
    """A plan that was run and fitted."""
    folder = planned()
    shards("run", folder)
    shards("fit", folder, "-k", "3")
    return folder


def rewrite(path, change):
    """Change the table of a file; its footer goes on to say that it belongs to the plan."""
    table = pq.read_table(path)
    pq.write_table(change(table).replace_schema_metadata(table.schema.metadata), path)


def with_column(name, value):
    """Return a function that gives all rows of a table the same value in a column."""
    return lambda table: table.set_column(
        table.schema.get_field_index(name), name, pa.array([value] * table.num_rows)
    )


ODD = {
    "no column": lambda table: table.drop_columns(["vector"]),
    "another type": with_column("row_id", "x"),
    "another width": with_column("vector", [0.5]),
    "no rows": lambda table: table.slice(0, 0),
    "other rows": lambda table: pa.concat_tables([table, table]),
    "a status that is none": with_column("status", "fine"),
    "two columns of one name": lambda table: table.append_column("answer", table["answer"]),
    "words without numbers": lambda table: with_column("next_probs", [0.5])(table).cast(table.schema),
}


@pytest.mark.parametrize("change", ODD.values(), ids=ODD)
def test_vectors_and_samples_that_were_not_written_by_a_shard_are_refused(shards, work, tmp_path, change):
    rewrite(work / "vectors" / "part-00001.parquet", change)
    error = shards("assign", work, "-o", tmp_path / "out", code=4).stderr
    assert "1 shards failed, the others are done: shard 1: " in error
    assert "part-00001.parquet" in error
    rewrite(work / "sample" / "part-00001.parquet", change)
    if change is not ODD["no rows"]:  # a sample may have none
        error = shards("fit", work, "-k", "3", code=5).stderr
        assert f"{work / 'sample'}" in error
        assert "run the shard again" in error


def test_vectors_that_unpack_to_very_much_are_refused(shards, work, tmp_path):
    rewrite(work / "sample" / "part-00001.parquet", with_column("answer", "x" * 10**7))
    assert (work / "sample" / "part-00001.parquet").stat().st_size < 1_000_000
    assert "unpacks from" in shards("fit", work, "-k", "3", code=5).stderr


def test_texts_that_unpack_to_very_much_are_refused(shards, toy, tmp_path):
    """Equal texts are written once: 3 KB for 3 GB."""
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"text": ["x " * 500_000] * 3000}), path, compression="zstd")
    assert path.stat().st_size < 1_000_000
    error = shards("plan", path, "-i", QUESTION, "-m", "toy:1", "-o", tmp_path / "work", code=5).stderr
    assert "unpacks from" in error


@pytest.mark.parametrize("n", [-1, 10**9, 10**13, 2**62])
def test_a_footer_that_claims_other_rows_ends_in_one_line(shards, toy, tmp_path, inbedder, n):
    path = tmp_path / "in.parquet"
    path.write_bytes(changed_footer(seed_table(), n))
    fixed = ["-m", "toy:1", "-i", QUESTION, "-k", "2", "--engine", "local", "-o", tmp_path / "out"]
    result = inbedder("cluster", path, *fixed)
    assert result.exit_code in (2, 4, 5), result.stderr
    assert "in.parquet" in result.stderr or "rows-per-shard" in result.stderr


@posix
@pytest.mark.parametrize("name", ["failed/part-00000.json", "vectors/part-00000.parquet", "vectors", "run"])
def test_a_link_in_the_folder_does_not_lead_out_of_it(shards, planned, reviews_folder, tmp_path, name):
    """Else a folder that was given to us would choose which of our files is replaced."""
    work, ours = planned(), tmp_path / "ours"
    is_folder = "." not in name
    if is_folder:
        ours.mkdir()
        (ours / "kept").write_text("ours")
    else:
        ours.write_text("ours")
    (work / name).parent.mkdir(exist_ok=True)
    (work / name).symlink_to(ours)
    if name.startswith("failed"):
        (reviews_folder / "0.parquet").unlink()
    result = shards("run", work, code=0 if name == "run" else 1)
    if name == "run":
        result = shards("fit", work, "-k", "3", code=5)
    assert "link" in result.stderr
    assert sorted(path.name for path in ours.iterdir()) == ["kept"] if is_folder else ours.read_text() == "ours"


@posix
@pytest.mark.parametrize("name", ["plan.json", "vocabulary.json"])
@pytest.mark.parametrize("kind", ["link", "loop", "fifo", "device"])
def test_files_of_the_plan_are_plain_files(shards, work, tmp_path, name, kind):
    (work / name).rename(tmp_path / "kept")
    if kind == "fifo":
        os.mkfifo(work / name)
    else:
        (work / name).symlink_to({"link": tmp_path / "kept", "loop": name, "device": "/dev/zero"}[kind])
    error = shards("assign", work, "-o", tmp_path / "out", code=5).stderr
    assert f"{name}: cannot be read" in error


@pytest.mark.parametrize("path", ["../outside.parquet", "/etc/passwd", "input/../../outside.parquet"])
def test_a_staged_file_is_in_the_folder_of_the_plan(shards, planned, tmp_path, path):
    source = tmp_path / "in.csv"
    source.write_text("id,text\n" + "".join(f"{i},kind room {i}\n" for i in range(30)))
    work = planned(source=source)
    plan = json.loads((work / "plan.json").read_text())
    plan["files"][0]["path"] = path
    (work / "plan.json").write_text(json.dumps(plan))
    assert "is not in the folder of the plan" in shards("run", work, code=5).stderr


@pytest.mark.parametrize(
    "address",
    ["reference://x::file:///tmp/evil.json", "reference://x", "zip://a::file:///x", "dir://x", "github://a"],
)
def test_addresses_that_lead_to_further_files_are_refused(shards, toy, tmp_path, address):
    error = shards("plan", address, "-i", QUESTION, "-m", "toy:1", "-o", tmp_path / "work", code=2).stderr
    assert "no such kind of address" in error


def test_counts_that_were_not_written_by_a_shard_are_refused(shards, work, tmp_path):
    out = tmp_path / "out"
    shards("assign", work, "-o", out)
    path = out / "_counts" / "part-00001"
    whole = msgspec.msgpack.decode(path.read_bytes(), strict=False)
    path.write_bytes(path.read_bytes().replace(b"room", b"\xffoom"))
    assert "is damaged" in shards("assign", work, "-o", out, code=5).stderr
    odd = {"phrases": b"\xff" * 32, "sizes": {0: -5}, "answers": (2**62).to_bytes(8, "little") * 3, "words": b"x"}
    for key, value in odd.items():
        path.write_bytes(msgspec.msgpack.encode(whole | {key: value}))
        assert "does not fit the clusters" in shards("assign", work, "-o", out, code=5).stderr


def test_a_vocabulary_that_would_fill_the_memory_is_refused(shards, work, tmp_path):
    path = work / "vocabulary.json"
    vocabulary = json.loads(path.read_text())
    vocabulary["phrases"] = [f"p{i}" for i in range(900_000)]
    path.write_text(json.dumps(vocabulary))
    run = json.loads((work / "run" / "run.json").read_text())
    assert len(run["clusters"]) == 3  # 3 x 900,000 counts are few
    shards("assign", work, "-o", tmp_path / "out")


def test_a_run_of_several_questions_is_not_that_of_a_plan(shards, work, inbedder, toy, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("text\n" + "".join(f"kind room {i}\n" for i in range(20)))
    two = ["-i", "a=What emotion?", "-i", "b=What else?", "-m", "toy:1", "-k", "2", "--no-baseline", "--no-cache"]
    assert inbedder("cluster", rows, *two, "--save", work / "run", "--force").exit_code == 0
    assert "has several questions" in shards("assign", work, "-o", tmp_path / "out", code=5).stderr


def test_a_full_folder_of_temporary_files_is_named(shards, toy, tmp_path, monkeypatch):
    """Where a file that is not Parquet is written as Parquet."""
    source, folder = tmp_path / "in.csv", tmp_path / "temporary"
    source.write_text("text\n" + "".join(f"{os.urandom(40).hex()} a room\n" for _ in range(20_000)))
    folder.mkdir()
    with small_disk(folder):
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        fixed = ["-i", QUESTION, "-m", "toy:1", "-o", tmp_path / "work"]
        error = shards("plan", source, *fixed, code=1).stderr
    assert f"cannot write a temporary file: no space left on the disk of {folder}" in error
    assert "set TMPDIR to a folder on another disk" in error
    assert not (tmp_path / "work").exists()


def test_when_the_first_shards_all_fail_the_others_are_not_tried(shards, planned, reviews_folder):
    work = planned()
    for path in reviews_folder.glob("*"):
        path.unlink()
    error = shards("run", work, code=4).stderr
    assert "the first 5 shards all failed: shard 0: " in error
    assert "no such file" in error
    state = json.loads(shards("status", work, "--json").stdout)
    assert (state["done"], state["failed"], state["missing"]) == (0, 5, 1)
