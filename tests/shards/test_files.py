"""Files of other formats, and remote files."""

from __future__ import annotations

import json
import weakref
from dataclasses import replace
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inbedder_cli.corpus import grid, jsonl
from inbedder_cli.corpus.locations import expand_pattern
from inbedder_cli.corpus.readers import Reader
from inbedder_cli.errors import InputError, UsageError, WriteError
from inbedder_cli.shards import staging
from inbedder_cli.shards.stores import Store
from tests.shards.conftest import N_ROWS, QUESTION, lines_of, rows_of


@pytest.fixture
def memory():
    """An empty file system in memory, as a stand-in for a remote one."""
    filesystem = fsspec.filesystem("memory")
    yield filesystem
    filesystem.store.clear()
    filesystem.pseudo_dirs[:] = [""]


def whole(reviews_folder):
    return pa.concat_tables(pq.read_table(path) for path in sorted(reviews_folder.glob("*")))


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "csv.gz"])
def test_other_formats_are_read_once_and_written_as_parquet(
    shards, planned, clustered, reviews_folder, tmp_path, suffix
):
    table = whole(reviews_folder).drop_columns(["tags"])
    path = tmp_path / f"in.{suffix}"
    if suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    else:
        table.to_pandas().to_csv(path, index=False)
    _, output = clustered(source=path, rows_per_shard=80)
    rows = rows_of(output)
    assert rows.column_names[:3] == ["id", "stars", "text"]
    assert rows.column("text").to_pylist() == table.column("text").to_pylist()
    assert rows.column("stars").to_pylist() == [str(n) for n in range(N_ROWS)]
    staged = tmp_path / "work" / "input" / "part-00000.parquet"
    before = staged.stat().st_mtime_ns
    planned(source=path, rows_per_shard=80)
    assert staged.stat().st_mtime_ns == before
    path.write_bytes(path.read_bytes()[:-30] if suffix == "csv" else path.read_bytes() + b"\n")
    fixed = ["-i", QUESTION, "-m", "toy:1", "--id", "id", "-o", tmp_path / "work", "--rows-per-shard", "80"]
    assert "is not the input of the plan" in shards("plan", path, *fixed, code=5).stderr


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_large_file_is_never_in_memory_as_a_whole(shards, toy, tmp_path, monkeypatch, suffix):
    n, alive = 5000, []
    path = tmp_path / f"in.{suffix}"
    rows = [{"id": f"a{i}", "text": f"a {'kind' if i % 2 else 'dark'} room {i}"} for i in range(n)]
    rows[-1]["late"] = "x"
    lines = (
        [json.dumps(row) for row in rows]
        if suffix == "jsonl"
        else ["id,text", *(",".join(row.values()) for row in rows[:-1]), f"a{n},the last room"]
    )
    path.write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(grid, "CHUNK_CELLS", 200)
    monkeypatch.setattr(jsonl, "BATCH_CELLS", 200)
    monkeypatch.setattr(staging, "GROUP_ROWS", 250)
    seen = []
    stream = Reader.stream

    def watched(self, opened, layout):
        rows = stream(self, opened, layout)

        def batches():
            for batch in rows.batches:
                seen.append(weakref.ref(batch))
                alive.append(sum(each() is not None for each in seen))
                yield batch

        return replace(rows, batches=batches())

    monkeypatch.setattr(Reader, "stream", watched)
    fixed = ["-i", QUESTION, "-m", "toy:1", "-o", tmp_path / "work", "--text", "text", "--rows-per-shard", "1000"]
    shards("plan", path, *fixed)
    assert len(seen) > 20
    assert max(alive) <= 6
    with pq.ParquetFile(tmp_path / "work" / "input" / "part-00000.parquet") as file:
        assert file.metadata.num_rows == n
        assert [f.name for f in file.schema_arrow][:2] == ["id", "text"]


def test_a_bad_row_of_a_csv_file_is_an_error_with_its_line(shards, toy, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("id,text\na,good\nb,bad,worse\n")
    error = shards("plan", path, "-i", QUESTION, "-m", "toy:1", "-o", tmp_path / "work", code=5).stderr
    assert f"{path}, row 2 (line 3)" in error
    assert not (tmp_path / "work").exists()


def test_files_of_different_columns_are_refused(shards, toy, reviews_folder, tmp_path):
    path = reviews_folder / "1.parquet"
    pq.write_table(pq.read_table(path).rename_columns(["id", "points", "text", "tags"]), path)
    error = shards("plan", reviews_folder, "-i", QUESTION, "-m", "toy:1", "-o", tmp_path / "work", code=5).stderr
    assert '1.parquet, column "points": has other columns than' in error


def test_a_full_disk_for_temporary_files_is_an_error_that_names_the_folder(shards, toy, tmp_path, monkeypatch):
    path = tmp_path / "in.csv"
    path.write_text("id,text\na,good\n")
    opened = Path.open

    def full(self, *arguments, **options):
        return opened(Path("/dev/full") if self.suffix == ".arrows" else self, *arguments, **options)

    monkeypatch.setattr(Path, "open", full)
    fixed = ["-i", QUESTION, "-m", "toy:1", "-o", tmp_path / "work"]
    error = shards("plan", path, *fixed, code=1).stderr
    assert "cannot write a temporary file" in error
    assert "TMPDIR" in error
    assert not (tmp_path / "work").exists()


def test_a_bad_row_of_a_remote_file_is_told_by_its_url(shards, toy, memory, tmp_path):
    memory.pipe("/bucket/in.csv", b"id,text\na,good\nb,bad,worse\n")
    fixed = ["-i", QUESTION, "-m", "toy:1", "-o", tmp_path / "work"]
    assert (
        "memory://bucket/in.csv, row 2 (line 3)" in shards("plan", "memory://bucket/in.csv", *fixed, code=5).stderr
    )


def test_remote_files_give_the_same_rows(shards, clustered, reviews_folder, memory, tmp_path):
    _, output = clustered()
    for path in reviews_folder.glob("*"):
        memory.pipe(f"/bucket/in/{path.name}", path.read_bytes())
    work, out = "memory://bucket/work", "memory://bucket/out"
    fixed = ["-i", QUESTION, "-m", "toy:1", "--id", "id", "-o", work, "--rows-per-shard", "50"]
    shards("plan", "memory://bucket/in/*.parquet", *fixed)
    shards("run", work, "--shard", "1")
    shards("run", work)
    assert json.loads(shards("status", work, "--json").stdout)["done"] == 6
    shards("fit", work, "-k", "3")
    shards("assign", work, "-o", out)
    names = sorted(name for name in memory.ls("/bucket/out", detail=False) if "part-" in name)
    tables = [pq.read_table(pa.BufferReader(memory.cat_file(name))) for name in names]
    assert lines_of(pa.concat_tables(tables)) == lines_of(rows_of(output))
    assert json.loads(memory.cat_file("/bucket/out/_clusters.json"))["rows"]["total"] == N_ROWS
    memory.pipe("/bucket/work/run/names.txt", b"0 = furious\n")
    shards("assign", work, "-o", out)
    assert json.loads(memory.cat_file("/bucket/out/_clusters.json"))["clusters"][0]["label"] == "furious"
    assert "names.txt.old" in shards("fit", work, "-k", "2").stderr
    names = {name.rpartition("/")[2] for name in memory.ls("/bucket/work/run", detail=False)}
    assert "names.txt.old" in names
    assert "names.txt" not in names


def test_a_vanished_object_is_named(shards, reviews_folder, memory, toy):
    for path in reviews_folder.glob("*"):
        memory.pipe(f"/bucket/in/{path.name}", path.read_bytes())
    work = "memory://bucket/work"
    fixed = ["-i", QUESTION, "-m", "toy:1", "--id", "id", "-o", work, "--rows-per-shard", "50"]
    shards("plan", "memory://bucket/in", *fixed)
    memory.rm("/bucket/in/1.parquet")
    error = shards("run", work, code=4).stderr
    assert "memory://bucket/in/1.parquet: no such file" in error
    assert json.loads(shards("status", work, "--json").stdout)["done"] == 5


def test_patterns(tmp_path, memory):
    for name in ("b.parquet", "a.parquet", "c.csv", "_hidden.parquet", ".x.parquet"):
        (tmp_path / name).write_bytes(b"x")
        memory.pipe(f"/bucket/{name}", b"x")
    for root in (str(tmp_path), "memory://bucket"):
        both = [f"{root}/a.parquet", f"{root}/b.parquet"]
        assert expand_pattern(root) == both
        assert expand_pattern(f"{root}/[ab].par*") == both
        assert expand_pattern(f"{root}/c.csv") == [f"{root}/c.csv"]
        for missing in (f"{root}/z*", f"{root}/none", f"{root}/none.csv"):
            with pytest.raises(InputError, match="no such file"):
                expand_pattern(missing)
        with pytest.raises(UsageError, match="wildcard in a folder"):
            expand_pattern(f"{root}/*/a.parquet")


def test_an_unknown_kind_of_url_is_an_error():
    with pytest.raises(UsageError, match="cannot be opened"):
        Store("nothing://bucket").states()


def test_a_store_that_cannot_be_written_to_is_an_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(WriteError, match="cannot write"):
        Store(str(tmp_path / "file")).write("a/b", b"x")
