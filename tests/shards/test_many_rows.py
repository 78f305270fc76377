"""`inbedder cluster` of more rows than are to be in memory."""

from __future__ import annotations

import errno
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inbedder_cli import read_corpus
from inbedder_cli.shards import staging
from inbedder_cli.shards.large_files import have_more_rows
from inbedder_cli.shards.staging import Staging
from tests.shards.conftest import QUESTION, rows_of, texts

N = 60
FIXED = ("-i", QUESTION, "-m", "toy:1", "-k", "3", "--text", "text", "--no-cache", "--rows-per-shard", "16")
ADDED, EMPTY = "novel", "stability"  # columns that differ where rows are worked on in parts
ROUNDED = ("cluster_distance", "margin")  # of vectors in float16


@pytest.fixture
def many(toy, monkeypatch):
    """Let 40 rows be many."""
    monkeypatch.setattr("inbedder_cli.cli.sharded_cluster.MANY_ROWS", 40)
    monkeypatch.setattr(staging, "GROUP_ROWS", 10)


@pytest.fixture
def source(tmp_path):
    """Write 60 rows to a file, and return it: CSV has marks, semicolons, line breaks in cells, and formulas."""

    def write(suffix, n=N):
        path = tmp_path / f"in.{suffix}"
        rows = [{"nr": f"{i:03}", "text": text, "note": f'=a;"{i}"\nb'} for i, text in enumerate(texts(n))]
        if suffix == "csv":
            lines = ['"{}";"{}";"{}"'.format(*(v.replace('"', '""') for v in row.values())) for row in rows]
            path.write_bytes("\r\n".join(["\ufeffnr;text;note", *lines, ""]).encode())
        elif suffix == "tsv":
            path.write_text("nr\ttext\n" + "".join(f"{row['nr']}\t{row['text']}\n" for row in rows))
        elif suffix == "jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        elif suffix == "json":
            path.write_text(json.dumps(rows))
        else:
            pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=20)
        return path

    return write


def shared(path):
    """The rows of a file, without the columns that differ where rows are worked on in parts."""
    rows = read_corpus(path, text="text").table.to_pylist()
    return [{key: value for key, value in row.items() if key not in (ADDED, EMPTY, *ROUNDED)} for row in rows]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("csv", "csv"),
        ("csv", "jsonl"),
        ("csv", "parquet"),
        ("tsv", "tsv"),
        ("tsv", "csv"),
        ("jsonl", "csv"),
        ("parquet", "csv"),
        ("parquet", "jsonl"),
        ("parquet", "parquet"),
    ],
)
def test_many_rows_are_worked_on_in_parts_and_written_as_one_file(inbedder, many, source, tmp_path, one, other):
    path, output, whole = source(one), tmp_path / f"out.{other}", tmp_path / f"whole.{other}"
    done = inbedder("cluster", path, *FIXED, "-o", output)
    assert done.exit_code == 0, done.stderr
    said = " ".join(done.stderr.split())
    assert "more than 40 rows: worked on in parts" in said
    assert "--engine memory" in said
    assert len(list((tmp_path / f"out.{other}.parts").glob("part-*.parquet"))) > 2
    in_memory = inbedder("cluster", path, *FIXED, "-o", whole, "--engine", "memory", "--no-baseline")
    assert "more than 40" not in in_memory.stderr
    assert shared(output) == shared(whole)
    if other != "parquet":
        first, expected = (
            p.read_bytes().partition(b"\n")[0].split(b"cluster_distance")[0] for p in (output, whole)
        )
        assert first == expected
        assert output.read_bytes().count(b"\r\n") == whole.read_bytes().count(b"\r\n")
    else:
        fields = {field.name: field.type for field in pq.read_schema(whole) if field.name != EMPTY}
        found = {field.name: field.type for field in pq.read_schema(output) if field.name not in (ADDED, EMPTY)}
        assert found == fields
        assert b"inbedder.fingerprint" not in (pq.read_schema(output).metadata or {})


def test_a_run_that_was_stopped_goes_on(inbedder, many, source, toy, tmp_path, monkeypatch):
    path, output, encode = source("csv"), tmp_path / "out.csv", toy.encode_batches
    parts = tmp_path / "out.csv.parts"

    def interrupted(self, *arguments):
        if len(list(parts.glob("_work/vectors/*"))) == 2:
            raise KeyboardInterrupt
        return encode(self, *arguments)

    monkeypatch.setattr(toy, "encode_batches", interrupted)
    assert inbedder("cluster", path, *FIXED, "-o", output).exit_code == 130
    assert not output.exists()
    monkeypatch.setattr(toy, "encode_batches", encode)
    again = inbedder("cluster", path, *FIXED, "-o", output)
    assert "2 of 6 shards are done already" in again.stderr
    assert len(shared(output)) == N
    before = output.read_bytes()
    assert "exists already" in inbedder("cluster", path, *FIXED, "-o", output).stderr
    assert inbedder("cluster", path, *FIXED, "-o", output, "--force").exit_code == 0
    assert output.read_bytes() == before


@pytest.fixture
def full(monkeypatch):
    """Let the disk be full when the n-th file is written whole, and return how many were begun."""
    from inbedder_cli.output import files

    fsync = files.os.fsync

    def fill(n=None):
        begun = []

        def write(descriptor):
            begun.append(1)
            if len(begun) == n:
                raise OSError(errno.ENOSPC, "No space left on device")
            fsync(descriptor)

        monkeypatch.setattr(files.os, "fsync", write)
        return begun

    return fill


def test_a_full_disk_leaves_no_output_and_the_run_goes_on(inbedder, many, source, tmp_path, full):
    path, whole = source("csv"), tmp_path / "whole.csv"
    begun = full()
    assert inbedder("cluster", path, *FIXED, "-o", whole).exit_code == 0
    for n in (1, 2, 3, len(begun) // 2, len(begun) - 2, len(begun)):
        output = tmp_path / f"{n}.csv"
        full(n)
        failed = inbedder("cluster", path, *FIXED, "-o", output)
        assert failed.exit_code == 1, failed.stderr
        assert "No space left on device" in failed.stderr
        assert not output.exists()
        assert not list(tmp_path.rglob(".inbedder-*"))
        full()
        assert inbedder("cluster", path, *FIXED, "-o", output).exit_code == 0
        assert output.read_bytes() == whole.read_bytes()


def test_another_input_or_model_is_refused_with_the_folder_to_delete(inbedder, many, source, toy, tmp_path, full):
    path, output, parts = source("csv"), tmp_path / "out.csv", tmp_path / "out.csv.parts"
    full(8)
    assert inbedder("cluster", path, *FIXED, "-o", output).exit_code == 1
    full()
    before, kept = path.read_bytes(), {file: file.read_bytes() for file in parts.rglob("*") if file.is_file()}
    path.write_bytes(before + b'"99";"one more";"x"\r\n')
    changed = inbedder("cluster", path, *FIXED, "-o", output)
    path.write_bytes(before)
    toy.identity = "toy 2"
    other = inbedder("cluster", path, *FIXED, "-o", output)
    for refused, code, said in ((changed, 5, "is not the input of the plan"), (other, 2, "another model")):
        assert refused.exit_code == code, refused.stderr
        assert said in " ".join(refused.stderr.split())
        assert f"or delete {parts}, to begin anew" in " ".join(refused.stderr.split())
    assert {file: file.read_bytes() for file in parts.rglob("*") if file.is_file()} == kept
    assert not output.exists()


def test_a_name_without_a_suffix_is_a_folder_of_parts(inbedder, many, source, tmp_path):
    done = inbedder("cluster", source("csv"), *FIXED, "-o", tmp_path / "clustered")
    assert done.exit_code == 0, done.stderr
    assert rows_of(tmp_path / "clustered").num_rows == N
    assert not (tmp_path / "clustered.parts").exists()


@pytest.mark.parametrize(
    ("suffix", "n", "options"),
    [
        ("csv", 40, ["-o", "out.csv"]),
        ("csv", N, ["-o", "out.csv", "--engine", "memory"]),
        ("csv", N, ["-o", "out.csv", "--clusters", "clusters.csv"]),
        ("csv", N, ["-o", "out.csv", "--multi"]),
        ("csv", N, ["-o", "out.csv", "-i", "a=Why?"]),
        ("csv", N, ["-o", "out.json"]),
        ("jsonl", N, ["-o", "out.jsonl"]),
        ("json", N, ["-o", "out.csv"]),
        ("csv", N, ["-f", "csv"]),
    ],
)
def test_what_does_not_go_in_parts_is_held_in_memory(
    inbedder, many, source, tmp_path, monkeypatch, suffix, n, options
):
    path = source(suffix, n)
    monkeypatch.chdir(tmp_path)
    done = inbedder("cluster", path, *FIXED, "--no-baseline", *options)
    assert done.exit_code == 0, done.stderr
    warns = n > 40 and "--engine" not in options
    assert ("all texts and vectors are held in memory" in " ".join(done.stderr.split())) is warns
    assert "worked on in parts" not in done.stderr
    assert not list(tmp_path.glob("*.parts"))


def test_an_engine_writes_one_file_too_if_it_can_be_written_in_parts(inbedder, many, source, tmp_path):
    path = source("csv", 30)
    run = ("cluster", path, *FIXED, "--engine", "local", "-o")
    assert inbedder(*run, tmp_path / "out.csv").exit_code == 0
    assert len(shared(tmp_path / "out.csv")) == 30
    refused = inbedder(*run, tmp_path / "out.xlsx")
    assert refused.exit_code == 2
    assert "xlsx is written whole, which --engine cannot do" in " ".join(refused.stderr.split())
    assert "names the input" in inbedder(*run, path, "--force").stderr


def test_new_columns_get_a_prefix_of_their_own(inbedder, many, source, tmp_path):
    path = source("parquet")
    table = pq.read_table(path)
    pq.write_table(table.append_column("cluster", table["nr"]), path)
    done = inbedder("cluster", path, *FIXED, "-o", tmp_path / "out.csv", "--by", "nr")
    assert done.exit_code == 0, done.stderr
    assert 'the input has a column "cluster"' in " ".join(done.stderr.split())
    assert {"cluster", "inbedder_cluster"} <= shared(tmp_path / "out.csv")[0].keys()


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet", "csv.gz"])
def test_rows_are_counted_not_lines(source, tmp_path, suffix):
    path = source(suffix.removesuffix(".gz"))
    if suffix == "csv.gz":
        packed = tmp_path / "in.csv.gz"
        packed.write_bytes(gzip.compress(path.read_bytes()))
        path = packed
    assert have_more_rows([str(path)], N - 1, Staging())
    assert not have_more_rows([str(path)], N, Staging())


def test_no_more_rows_are_read_than_it_takes(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("text\n" + "a\n" * 300_000 + "one,too many\n")
    assert have_more_rows([str(path)], 1000, Staging())
    assert not have_more_rows([str(path)], 300_000, Staging())  # the reader will tell of that row


def test_a_file_that_cannot_be_read_has_not_many_rows(tmp_path):
    path = tmp_path / "in.parquet"
    path.write_bytes(b"PAR1 and nothing else")
    assert not have_more_rows([str(path)], 1, Staging())


@pytest.mark.parametrize("engine", [[], ["--engine", "local"]])
def test_a_name_that_is_too_long_is_an_error(inbedder, many, source, tmp_path, engine):
    long = tmp_path / ("x" * 300 + ".csv")
    for path, output in ((long, tmp_path / "out.csv"), (source("csv"), long)):
        refused = inbedder("cluster", path, *FIXED, "-o", output, *engine)
        assert refused.exit_code in (1, 2, 5)
        assert "too long" in " ".join(refused.stderr.split())


def test_a_device_is_no_folder(inbedder, many, source):
    refused = inbedder("cluster", source("csv"), *FIXED, "-o", "/dev/null")
    assert refused.exit_code == 2
    assert "no format has the suffix" in " ".join(refused.stderr.split())


@pytest.fixture
def halves(source, tmp_path):
    """The same rows as one CSV file, and as two in a folder."""
    whole, folder = source("tsv"), tmp_path / "halves"
    folder.mkdir()
    header, *rows = whole.read_text().splitlines(keepends=True)
    for name, part in {"a": rows[:30], "b": rows[30:]}.items():
        (folder / f"{name}.tsv").write_text(header + "".join(part))
    return whole, folder


def test_several_files_of_few_rows_are_clustered_as_one_file(inbedder, toy, halves, tmp_path):
    whole, folder = halves
    outputs = []
    for number, place in enumerate((whole, folder, folder / "*.tsv")):
        saved = ["--save", tmp_path / f"run{number}", "--report", tmp_path / f"{number}.html", "--no-baseline"]
        done = inbedder("cluster", place, *FIXED, *saved, "-o", tmp_path / f"{number}.csv")
        assert done.exit_code == 0, done.stderr
        assert ("2 files" in done.stderr) is (place != whole)
        outputs.append((tmp_path / f"{number}.csv").read_bytes())
    assert outputs[0] == outputs[1] == outputs[2]
    again = inbedder("assign", tmp_path / "run1", folder, "-f", "csv", "--no-cache")
    assert again.exit_code == 0, again.stderr


@pytest.mark.parametrize("pattern", ["", "*.tsv"])
def test_several_files_of_many_rows_are_worked_on_in_parts(inbedder, many, halves, tmp_path, pattern):
    whole, folder = halves
    done = inbedder("cluster", folder / pattern, *FIXED, "-o", tmp_path / "out.csv")
    assert done.exit_code == 0, done.stderr
    assert "more than 40 rows: worked on in parts" in " ".join(done.stderr.split())
    in_memory = ("cluster", whole, *FIXED, "--engine", "memory", "--no-baseline", "-o", tmp_path / "whole.csv")
    assert inbedder(*in_memory).exit_code == 0
    assert shared(tmp_path / "out.csv") == shared(tmp_path / "whole.csv")


def test_an_output_is_not_one_of_the_files_that_are_read(inbedder, many, halves):
    _, folder = halves
    for options in ([], ["--engine", "local"]):
        refused = inbedder("cluster", folder / "*.tsv", *FIXED, "-o", folder / "a.tsv", "--force", *options)
        assert refused.exit_code == 2
        assert "-o names the input" in " ".join(refused.stderr.split())
    refused = inbedder("cluster", folder, *FIXED, "-o", folder, "--engine", "local")
    assert refused.exit_code == 2
    assert "lies in the folder of -o" in " ".join(refused.stderr.split())


def test_remote_files_are_counted_by_their_bytes_first(inbedder, many, halves, tmp_path):
    import fsspec

    _, folder = halves
    filesystem = fsspec.filesystem("memory")
    try:
        for path in folder.glob("*"):
            filesystem.pipe(f"/bucket/{path.name}", path.read_bytes())
        for n, in_parts in ((10_000, False), (59, True), (60, False)):
            assert have_more_rows(["memory://bucket/a.tsv", "memory://bucket/b.tsv"], n, Staging()) is in_parts
        done = inbedder("cluster", "memory://bucket/*.tsv", *FIXED, "-o", tmp_path / "out.csv")
        assert done.exit_code == 0, done.stderr
        assert "worked on in parts" in " ".join(done.stderr.split())
        assert len(shared(tmp_path / "out.csv")) == N
    finally:
        filesystem.store.clear()
        filesystem.pseudo_dirs[:] = [""]
