from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

FAILURE, USAGE, MODEL, INPUT = 1, 2, 3, 5
GOOD = "id,text\n1,The room was cold.\n2,Staff ignored us.\n3,Lovely breakfast.\n4,The lock was broken.\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder, so that files have the short names that people give."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "good.csv").write_text(GOOD)
    np.save(tmp_path / "good.npy", np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32))
    return tmp_path


@pytest.fixture
def cluster(inbedder: Callable[..., Result], tiny: str) -> Callable[..., Result]:
    """Cluster a file into out/result.csv by the tiny model; options given again win."""

    def run(file: object, *options: object, stdin: bytes | None = None) -> Result:
        usual = ("-i", "What?", "--model", tiny, "-o", "out/result.csv")
        return inbedder("cluster", file, *usual, *options, stdin=stdin)

    return run


def check(result: Result, code: int, *said: str, hint: str | None = "") -> None:
    """Check the exit code, the one line that says what happened and where, and that a next step follows it."""
    assert result.exit_code == code, result.stderr
    check_nothing_written(result)
    lines = result.stderr.splitlines()
    place = next((n for n, line in enumerate(lines) if line.startswith("inbedder: ")), None)
    assert place is not None, result.stderr
    for words in said:
        assert words in lines[place]
    if hint is not None:
        assert len(lines) == place + 2, f"one line of a next step is wanted: {lines[place:]}"
        assert lines[place + 1].startswith("  ")
        assert hint in lines[place + 1]


def check_usage(result: Result, *said: str) -> None:
    """Check a refusal by the command line's parser, which draws a frame around it."""
    assert result.exit_code == USAGE, result.stderr
    check_nothing_written(result)
    shown = " ".join(result.stderr.replace("│", " ").split())
    for words in said:
        assert words in shown


def written() -> list[str]:
    return [path.name for path in Path("out").iterdir()]


def check_nothing_written(result: Result) -> None:
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert written() == []


def test_the_good_file_is_good(cluster: Callable[..., Result]) -> None:
    result = cluster("good.csv", "-k", 2, "--vectors", "good.npy")
    assert result.exit_code == 0, result.stderr
    assert written() == ["result.csv"]


# The file


def test_a_missing_file(cluster: Callable[..., Result]) -> None:
    check(cluster("goood.csv"), INPUT, "goood.csv: no such file", hint='did you mean "good.csv"?')
    check(cluster("good.tsv"), INPUT, "good.tsv: no such file", hint='did you mean "good.csv"?')
    check(cluster("nofile.csv"), INPUT, "nofile.csv: no such file", hint="check the path, or use - to read a pipe")
    check(cluster("zzz"), INPUT, "zzz: no such file", hint="check the path")


def test_a_folder_without_files(cluster: Callable[..., Result]) -> None:
    check(cluster("out"), INPUT, "out: has no files", hint="name a folder with files")


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file(cluster: Callable[..., Result], folder: Path, content: str) -> None:
    (folder / "bad.csv").write_text(content)
    check(cluster("bad.csv"), INPUT, "bad.csv: is empty", hint="a header and at least one row")


def test_empty_standard_input(cluster: Callable[..., Result]) -> None:
    check(cluster("-", stdin=b""), INPUT, "standard input: is empty", hint="a header")


def test_a_header_only(cluster: Callable[..., Result], folder: Path) -> None:
    (folder / "bad.csv").write_text("id,text\n")
    check(cluster("bad.csv"), INPUT, "bad.csv: has a header but no rows")


@pytest.mark.parametrize(
    ("start", "kind"), [(b"PK\x03\x04\x14\0", "zip archive"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel")]
)
def test_a_workbook_named_csv(cluster: Callable[..., Result], folder: Path, start: bytes, kind: str) -> None:
    (folder / "bad.csv").write_bytes(start + os.urandom(500))
    check(cluster("bad.csv"), INPUT, "bad.csv: is ", kind, hint="save it as .xlsx or CSV")


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes_named_csv(cluster: Callable[..., Result], folder: Path, seed: int) -> None:
    (folder / "bad.csv").write_bytes(b"\x01" + np.random.default_rng(seed).bytes(2000))
    check(cluster("bad.csv"), INPUT, "bad.csv: holds binary data")


def test_a_corrupt_parquet_file(cluster: Callable[..., Result], folder: Path) -> None:
    pq.write_table(pa.table({"text": ["good day", "bad day"]}), folder / "whole.parquet")
    raw = (folder / "whole.parquet").read_bytes()
    for content in (raw[:-9], b"PAR1" + b"x" * 100, b"no Parquet at all"):
        (folder / "bad.parquet").write_bytes(content)
        check(cluster("bad.parquet"), INPUT, "bad.parquet: not a readable Parquet file")


@pytest.mark.parametrize("compression", ["gz", "bz2", "xz", "zst"])
def test_a_damaged_archive(cluster: Callable[..., Result], folder: Path, compression: str) -> None:
    magic = {"gz": b"\x1f\x8b\x08\0", "bz2": b"BZh9", "xz": b"\xfd7zXZ\0", "zst": b"\x28\xb5\x2f\xfd"}[compression]
    (folder / f"bad.csv.{compression}").write_bytes(magic + b"\xff" * 100)
    check(cluster(f"bad.csv.{compression}"), INPUT, f"bad.csv.{compression}", hint=None)


def test_an_archive_cut_short(cluster: Callable[..., Result], folder: Path) -> None:
    content = "text\n" + "".join(f"{os.urandom(8).hex()} x\n" for _ in range(8000))
    (folder / "bad.csv.gz").write_bytes(gzip.compress(content.encode())[:-20])
    check(cluster("bad.csv.gz"), INPUT, "bad.csv.gz", "row ", hint=None)


# Rows and cells


def test_bytes_that_are_not_utf_8(cluster: Callable[..., Result], folder: Path) -> None:
    (folder / "bad.csv").write_bytes(b'id,text\n1,"fine\nday"\n2,caf\xe9\n')
    said = ("bad.csv", "row 2", "line 4", "0xe9 is not UTF-8")
    check(cluster("bad.csv"), INPUT, *said, hint="--encoding cp1252")


def test_utf_16_that_is_not_named(cluster: Callable[..., Result], folder: Path) -> None:
    (folder / "bad.csv").write_bytes(GOOD.encode("utf-16-le"))
    check(cluster("bad.csv"), INPUT, "bad.csv", "line 1", hint="--encoding utf-16")


def test_the_hint_for_utf_16_can_be_followed(cluster: Callable[..., Result], folder: Path) -> None:
    options = ("-k", 2, "--vectors", "good.npy", "--force")
    (folder / "odd.csv").write_bytes(GOOD.encode("utf-16-le"))
    hint = cluster("odd.csv", "--force").stderr.splitlines()[-1]
    named = hint.split("--encoding ")[1].split()[0].rstrip(")")
    result = cluster("odd.csv", "--encoding", named, *options)
    assert result.exit_code == 0, result.stderr
    (folder / "odd.csv").write_bytes(GOOD.encode("utf-16"))  # the mark tells it
    result = cluster("odd.csv", *options)
    assert result.exit_code == 0, result.stderr
    assert "UTF-16 (by its byte-order mark)" in result.stderr


def test_an_unknown_encoding(cluster: Callable[..., Result]) -> None:
    check(cluster("good.csv", "--encoding", "klingon"), INPUT, "good.csv", 'unknown encoding "klingon"')


def test_a_byte_order_mark_is_read(cluster: Callable[..., Result], folder: Path) -> None:
    (folder / "bom.csv").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    result = cluster("bom.csv", "-k", 2, "--vectors", "good.npy", "--id", "id")
    assert result.exit_code == 0, result.stderr
    assert (folder / "out" / "result.csv").read_bytes().startswith(b"\xef\xbb\xbfid,text,")  # as it came


def test_a_ragged_row(cluster: Callable[..., Result], folder: Path) -> None:
    (folder / "bad.csv").write_text("id,text\n1,fine\n2,cold, and loud\n")
    said = "bad.csv, row 2 (line 3): 3 fields where the header has 2"
    check(cluster("bad.csv"), INPUT, said, hint="--delimiter")


def test_an_unclosed_quote(cluster: Callable[..., Result], folder: Path) -> None:
    (folder / "bad.csv").write_text('id,text\n1,fine\n2,"cold\n3,loud\n')
    check(cluster("bad.csv"), INPUT, "bad.csv, row 2 (line 3): ", "quote opens here and never closes", hint=None)


def test_text_after_a_closing_quote(cluster: Callable[..., Result], folder: Path) -> None:
    (folder / "bad.csv").write_text('id,text\n1,"say "hi" there"\n')
    check(cluster("bad.csv"), INPUT, "bad.csv, row 1 (line 2): ", "closing double quote", hint='write ""')


def test_a_nul_byte(cluster: Callable[..., Result], folder: Path) -> None:
    (folder / "bad.csv").write_bytes(GOOD.encode() + b"5,cold\0loud\n")
    check(cluster("bad.csv"), INPUT, "bad.csv", "row 5", "line 6", "NUL byte", hint="tr -d")


def test_a_nul_byte_in_json_lines(cluster: Callable[..., Result], folder: Path) -> None:
    (folder / "bad.jsonl").write_bytes(b'{"text": "fine"}\n{"text": "cold\0"}\n')
    check(cluster("bad.jsonl"), INPUT, "bad.jsonl, line 2: ", "NUL byte", hint="tr -d")


@pytest.mark.parametrize(
    ("line", "words"),
    [('{"text": "cut', "bad JSON"), ('{"text": 1e999}', "1e999"), ('["cold"]', "object is expected")],
)
def test_a_bad_json_line(cluster: Callable[..., Result], folder: Path, line: str, words: str) -> None:
    (folder / "bad.jsonl").write_text('{"text": "fine"}\n\n' + line + "\n")
    check(cluster("bad.jsonl"), INPUT, "bad.jsonl, line 3: ", words)


def test_half_a_surrogate_pair_in_json_lines(cluster: Callable[..., Result], folder: Path) -> None:
    rows = [{"text": "The room was cold."}, {"text": "cut \ud83d"}, {"text": "Lovely."}, {"text": "Lock."}]
    (folder / "odd.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ("-k", 2, "--vectors", "good.npy", "-o")
    for name in ("out/result.csv", "out/result.jsonl", "out/result.json", "out/result.parquet"):
        result = cluster("odd.jsonl", *options, name)
        if result.exit_code != 0:
            check(result, INPUT, "odd.jsonl, line 2: ", hint=None)
        else:
            Path(name).unlink()


# The columns


def test_an_unknown_text_column(cluster: Callable[..., Result]) -> None:
    said = 'good.csv: no column "txt"'
    check(cluster("good.csv", "--text", "txt"), INPUT, said, hint='did you mean "text"? columns: id, text')


def test_an_unknown_column_in_a_text_template(cluster: Callable[..., Result]) -> None:
    result = cluster("good.csv", "--text-template", "{titel}: {text}")
    check(result, INPUT, 'good.csv: no column "titel"', hint="columns: id, text")


def test_an_unknown_id_column(cluster: Callable[..., Result]) -> None:
    check(cluster("good.csv", "--id", "ids"), INPUT, 'good.csv: no column "ids"', hint='did you mean "id"?')


def test_no_text_column_to_guess(cluster: Callable[..., Result], folder: Path) -> None:
    (folder / "bad.csv").write_text("n,m\n1,2\n")
    check(cluster("bad.csv"), INPUT, "bad.csv: no text column found", hint="--text; columns: n, m")
    (folder / "bad.csv").write_text("left,right\ncold room here,loud room here\n")
    said = "bad.csv: more than one column could be the text"
    check(cluster("bad.csv"), INPUT, said, hint="--text; columns: left, right")


def test_a_column_that_holds_no_text(cluster: Callable[..., Result], folder: Path) -> None:
    said = 'good.csv, column "id": holds numbers or dates'
    check(cluster("good.csv", "--text", "id"), INPUT, said, hint="--text; columns: id, text")
    pq.write_table(pa.table({"n": [1.5], "text": ["cold room"]}), folder / "bad.parquet")
    said = 'bad.parquet, column "n": holds double values'
    check(cluster("bad.parquet", "--text", "n"), INPUT, said, hint="--text; columns: n, text")
    (folder / "bad.jsonl").write_text('{"text": "cold"}\n{"text": [5]}\n')
    said = 'bad.jsonl, row 2, column "text": holds a list or object'
    check(cluster("bad.jsonl", "--text", "text"), INPUT, said)


def test_all_texts_empty(cluster: Callable[..., Result], folder: Path) -> None:
    (folder / "bad.csv").write_text('id,text\n1,\n2,"  "\n')
    check(cluster("bad.csv", "--text", "text"), INPUT, 'bad.csv, column "text": all texts are empty')


def test_an_empty_text_that_must_not_be(cluster: Callable[..., Result], folder: Path) -> None:
    (folder / "bad.csv").write_text("id,text\n1,cold room\n2,\n")
    said = 'bad.csv, row 2, column "text": the text is empty'
    check(cluster("bad.csv", "--empty", "fail"), INPUT, said, hint="--empty fail")


def test_a_result_column_that_exists_already(cluster: Callable[..., Result], folder: Path) -> None:
    (folder / "bad.csv").write_text("cluster,text\n1,cold room\n2,loud room\n")
    result = cluster("bad.csv", "--dry-run")
    assert 'names of the new columns begin with "inbedder_"' in result.stderr
    result = cluster("bad.csv", "--prefix", "new_", "--limit", 1)
    assert 'has a column "' not in result.stderr
    (folder / "bad.csv").write_text("new_cluster,text\n1,cold room\n2,loud room\n")
    check(
        cluster("bad.csv", "--prefix", "new_"),
        USAGE,
        'bad.csv has a column "new_cluster" already',
        hint="--prefix",
    )


# What is asked


def test_fewer_rows_than_clusters(cluster: Callable[..., Result]) -> None:
    check(
        cluster("good.csv", "-k", 9, "--vectors", "good.npy"),
        INPUT,
        "good.csv",
        "4 rows",
        "9 clusters",
        hint="lower -k",
    )


def test_fewer_rows_than_a_cluster_needs(cluster: Callable[..., Result]) -> None:
    result = cluster("good.csv", "--algorithm", "hdbscan", "--vectors", "good.npy")
    check(result, INPUT, "good.csv", "4 rows", hint="--min-cluster-size")


def test_fewer_different_texts_than_clusters(cluster: Callable[..., Result], folder: Path) -> None:
    (folder / "bad.csv").write_text("text\n" + "cold room\n" * 5)
    check(
        cluster("bad.csv", "-k", 3, "--no-flag-unanswered"),
        INPUT,
        "bad.csv",
        "all rows are the same",
        "3 clusters",
        hint="leave out -k",
    )


@pytest.mark.parametrize("k", ["1", "0", "-3"])
def test_fewer_than_two_clusters(cluster: Callable[..., Result], k: str) -> None:
    check(
        cluster("good.csv", "-k", k, "--vectors", "good.npy"),
        USAGE,
        f"-k must be at least 2, not {k}",
        hint="-k auto",
    )


def test_fewer_than_two_clusters_are_refused_before_the_model_is_loaded(cluster: Callable[..., Result]) -> None:
    check(cluster("good.csv", "-k", 1, "--model", "nosuch"), USAGE, "-k must be at least 2, not 1", hint="-k auto")


def test_a_number_of_clusters_that_is_none(cluster: Callable[..., Result]) -> None:
    check(cluster("good.csv", "-k", "few"), USAGE, '-k takes a number or auto, not "few"', hint=None)


def test_an_empty_range_of_clusters(cluster: Callable[..., Result]) -> None:
    check(cluster("good.csv", "--k-min", 5, "--k-max", 3, "--vectors", "good.npy"), USAGE, "5 to 3", hint=None)


@pytest.mark.parametrize("instruction", ["", "  \n"])
@pytest.mark.parametrize("command", ["cluster", "embed", "answer"])
def test_an_empty_instruction(inbedder: Callable[..., Result], tiny: str, command: str, instruction: str) -> None:
    result = inbedder(command, "good.csv", "-i", instruction, "--model", tiny, "-o", "out/result.jsonl")
    check(result, USAGE, "the instruction is empty", hint="-i ")


@pytest.mark.parametrize("command", ["cluster", "embed", "answer"])
def test_no_instruction(inbedder: Callable[..., Result], tiny: str, command: str) -> None:
    result = inbedder(command, "good.csv", "--model", tiny, "-o", "out/result.jsonl")
    check(result, USAGE, "no instruction", hint="-i ")


def test_an_unknown_algorithm(cluster: Callable[..., Result]) -> None:
    check_usage(cluster("good.csv", "--algorithm", "dbscan"), "--algorithm", "dbscan", "kmeans", "hdbscan")


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        ("--empty", "drop", "skip"),
        ("--input-format", "ods", "parquet"),
        ("--limit", "0", "1"),
        ("--seed", "x", "int"),
    ],
)
def test_an_unknown_value(cluster: Callable[..., Result], option: str, value: str, wanted: str) -> None:
    check_usage(cluster("good.csv", option, value), option, wanted)


def test_an_unknown_option(cluster: Callable[..., Result]) -> None:
    check_usage(cluster("good.csv", "--txt", "text"), "--txt")


def test_a_delimiter_of_two_characters(cluster: Callable[..., Result]) -> None:
    check(cluster("good.csv", "--delimiter", "\\t"), USAGE, "is not one character", hint="tab")


def test_text_and_template_together(cluster: Callable[..., Result]) -> None:
    result = cluster("good.csv", "--text", "text", "--text-template", "{text}")
    check(result, USAGE, "give --text or --text-template, not both", hint=None)


def test_a_text_template_that_asks_for_more_than_columns(cluster: Callable[..., Result]) -> None:
    check(cluster("good.csv", "--text-template", "{text:>9}"), USAGE, "--text-template", hint="{title}. {body}")


# The model


def test_an_unknown_device(cluster: Callable[..., Result]) -> None:
    check(cluster("good.csv", "--device", "gpu"), USAGE, 'unknown device "gpu"', hint="cuda")


def test_a_device_that_is_not_there(cluster: Callable[..., Result]) -> None:
    check(cluster("good.csv", "--device", "cuda:99"), MODEL, "cuda:99", hint="--device auto or cpu")


def test_an_unknown_model(cluster: Callable[..., Result]) -> None:
    check(cluster("good.csv", "--model", "nosuch"), MODEL, 'unknown model "nosuch"', hint="Hugging Face id")


@pytest.mark.parametrize("name", ["./nosuch", "/no/such", "~/nosuch/none", "../no.gguf", "nosuch.gguf"])
def test_a_model_folder_that_is_not_there(cluster: Callable[..., Result], name: str) -> None:
    check(cluster("good.csv", "--model", name), MODEL, "no such model folder or file", hint="inbedder models list")


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        (["cluster", "good.csv", "What is it?"], "unexpected extra argument", "a question goes behind -i"),
        (["cluster", "good.csv", "good.csv", "-i", "What?"], "unexpected extra argument", "a pattern in quotes"),
        (["show", "run", "two", "words"], "unexpected extra argument", "in quotes"),
        (["-v", "cluster", "good.csv"], "No such option: -v", "behind the command"),
        (["cluster", "good.csv", "--nosuch"], "No such option: --nosuch", "cluster --help"),
    ],
)
def test_arguments_in_the_wrong_place(
    inbedder: Callable[..., Result], arguments: list[str], said: str, hint: str, folder: Path
) -> None:
    check(inbedder(*arguments), USAGE, said, hint=hint)


def test_a_model_that_is_a_file_of_another_kind(cluster: Callable[..., Result]) -> None:
    check(cluster("good.csv", "--model", "good.csv"), MODEL, "good.csv is neither", hint="config.json")


def test_a_hub_out_of_reach(cluster: Callable[..., Result]) -> None:
    said = "cannot get org/nothing: it is not in the local cache"
    check(cluster("good.csv", "--model", "org/nothing"), MODEL, said, hint="go online once")


def test_a_model_folder_without_configuration(cluster: Callable[..., Result], folder: Path) -> None:
    (folder / "model").mkdir()
    check(cluster("good.csv", "--model", "model"), MODEL, "model has no config.json", hint="save_pretrained")


def test_a_model_folder_without_weights(cluster: Callable[..., Result], folder: Path, tiny: str) -> None:
    shutil.copytree(tiny, folder / "model", ignore=shutil.ignore_patterns("*.safetensors"))
    result = cluster("good.csv", "--model", "model")
    check(result, MODEL, "model has no weights as safetensors", hint="save_pretrained")
    assert "pickle" not in result.stderr


def test_a_model_folder_with_pickled_weights_only(cluster: Callable[..., Result], folder: Path, tiny: str) -> None:
    shutil.copytree(tiny, folder / "model", ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "model" / "pytorch_model.bin").write_bytes(b"not to be opened")
    result = cluster("good.csv", "--model", "model")
    check(result, MODEL, "model has no weights as safetensors", "pickle", hint="save_pretrained")


def test_a_model_folder_with_damaged_weights(cluster: Callable[..., Result], folder: Path, tiny: str) -> None:
    shutil.copytree(tiny, folder / "model")
    (folder / "model" / "model.safetensors").write_bytes(b"\xff" * 100)
    check(cluster("good.csv", "--model", "model"), MODEL, "model.safetensors is damaged")


def test_a_model_folder_with_a_damaged_configuration(
    cluster: Callable[..., Result], folder: Path, tiny: str
) -> None:
    shutil.copytree(tiny, folder / "model")
    (folder / "model" / "config.json").write_text("{")
    check(cluster("good.csv", "--model", "model"), MODEL, "config.json is damaged")


# The vectors


def with_vectors(cluster: Callable[..., Result], vectors: object, *options: object) -> Result:
    np.save("bad.npy", vectors)
    return cluster("good.csv", "--vectors", "bad.npy", "-k", 2, *options)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_finite(cluster: Callable[..., Result], value: float) -> None:
    vectors = np.ones((4, 3), np.float32)
    vectors[2, 1] = value
    check(with_vectors(cluster, vectors), INPUT, "bad.npy, row 3: not a finite vector", hint="embed")


@pytest.mark.parametrize("n", [3, 5])
def test_another_number_of_vectors_than_rows(cluster: Callable[..., Result], n: int) -> None:
    said = f"bad.npy: {n} vectors for 4 rows of good.csv"
    check(with_vectors(cluster, np.ones((n, 3), np.float32)), INPUT, said, hint="embed the same file")


def test_vectors_of_another_shape(cluster: Callable[..., Result]) -> None:
    check(with_vectors(cluster, np.ones(4, np.float32)), INPUT, "bad.npy: holds float32 of shape", hint=None)


def test_missing_vectors(cluster: Callable[..., Result]) -> None:
    said = "none.npy: no such file"
    check(cluster("good.csv", "--vectors", "none.npy"), INPUT, said, hint="inbedder embed")


@pytest.mark.parametrize("name", ["bad.npy", "bad.safetensors", "bad.parquet"])
def test_vectors_that_cannot_be_read(cluster: Callable[..., Result], folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"nonsense\n" * 9)
    check(cluster("good.csv", "--vectors", name), INPUT, f"{name}: cannot be read as vectors", hint=None)


def test_vectors_of_an_unknown_format(cluster: Callable[..., Result]) -> None:
    said = 'good.csv: no vector format has the suffix ".csv"'
    check(cluster("good.csv", "--vectors", "good.csv"), INPUT, said, hint=".npy")


# The output


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("name", ["result.csv", "result.jsonl", "result.json", "result.md", "result.parquet"])
def test_a_disk_that_is_full_at_the_end(
    cluster: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(os, "fsync", full)
    result = cluster("good.csv", "-k", 2, "--vectors", "good.npy", "-o", f"out/{name}")
    check(result, FAILURE, f"cannot write out/{name}: No space left on device")


@pytest.mark.parametrize("method", ["write", "flush"])
@pytest.mark.parametrize("name", ["result.csv", "result.jsonl", "result.parquet"])
def test_a_disk_that_is_full_while_writing(
    cluster: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, name: str, method: str
) -> None:
    real = tempfile.NamedTemporaryFile

    def failing(*arguments: object, **options: object) -> object:
        file = real(*arguments, **options)
        setattr(file, method, full)
        return file

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", failing)
    result = cluster("good.csv", "-k", 2, "--vectors", "good.npy", "-o", f"out/{name}")
    check(result, FAILURE, f"cannot write out/{name}: No space left on device")


def test_a_full_disk_leaves_the_old_file_alone(
    cluster: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    (folder / "out" / "result.csv").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    result = cluster("good.csv", "-k", 2, "--vectors", "good.npy", "--force")
    assert result.exit_code == FAILURE
    assert written() == ["result.csv"]
    assert (folder / "out" / "result.csv").read_text() == "old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_standard_output() -> None:
    command = [sys.executable, "-m", "inbedder_cli", "cluster", "good.csv", "--vectors", "good.npy", "-k", "2"]
    root = str(Path(__file__).parents[2])
    with Path("/dev/full").open("wb") as stdout:
        done = subprocess.run(
            command,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": root},
            timeout=60,
        )
    assert done.returncode == FAILURE, done.stderr
    assert "inbedder: cannot write to standard output: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_an_output_folder_that_is_not_there(cluster: Callable[..., Result]) -> None:
    said = "cannot write none/result.csv: there is no folder none"
    check(cluster("good.csv", "-o", "none/result.csv"), FAILURE, said, hint="mkdir -p none")
    assert not Path("none").exists()


@pytest.mark.parametrize("option", ["-o", "--clusters"])
def test_an_output_that_exists_already(cluster: Callable[..., Result], folder: Path, option: str) -> None:
    (folder / "old.csv").write_text("old")
    check(cluster("good.csv", option, "old.csv"), USAGE, "old.csv exists already", hint="--force")
    assert (folder / "old.csv").read_text() == "old"


def test_an_output_that_is_a_folder(cluster: Callable[..., Result]) -> None:
    check(cluster("good.csv", "-o", "out"), USAGE, "out is a folder", hint="name a file in it")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_that_is_not_writable(cluster: Callable[..., Result], folder: Path) -> None:
    (folder / "locked").mkdir(mode=0o500)
    check(cluster("good.csv", "-o", "locked/result.csv"), FAILURE, "locked", "not writable", hint=None)


@pytest.mark.parametrize("option", ["-o", "--clusters"])
@pytest.mark.parametrize("name", ["out/result.ods", "out/result", "out/result.csv.gz"])
def test_an_unknown_output_suffix(cluster: Callable[..., Result], option: str, name: str) -> None:
    said = f'{name}: no format has the suffix "{Path(name).suffix}"'
    check(cluster("good.csv", option, name), USAGE, said, hint=".csv")


def test_an_unknown_suffix_for_vectors(inbedder: Callable[..., Result], tiny: str) -> None:
    result = inbedder("embed", "good.csv", "-i", "What?", "--model", tiny, "-o", "out/vectors.csv")
    check(result, USAGE, 'no vector format has the suffix ".csv"', hint=".parquet")


def test_a_bad_file_is_reported_before_the_model_is_loaded(cluster: Callable[..., Result], folder: Path) -> None:
    (folder / "bad.csv").write_text("id,text\n1,a,b\n")
    check(cluster("bad.csv", "--model", "nosuch"), INPUT, "bad.csv, row 1 (line 2)")


@pytest.mark.parametrize("command", ["embed", "answer"])
def test_the_other_commands_refuse_bad_files_alike(
    inbedder: Callable[..., Result], tiny: str, folder: Path, command: str
) -> None:
    (folder / "bad.csv").write_text("id,text\n1,fine\n2,cold, and loud\n")
    result = inbedder(command, "bad.csv", "-i", "What?", "--model", tiny, "-o", "out/result.jsonl")
    check(result, INPUT, "bad.csv, row 2 (line 3)", hint="--delimiter")


def test_a_bad_row_in_a_wide_encoding_is_told_without_a_second_error(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(("id,text\n1,a,b\n" + "2,c\n" * 50).encode("utf-16"))
    command = [sys.executable, "-m", "inbedder_cli", "answer", "x.csv", "-i", "What?"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 5
    assert "3 fields where the header has 2" in done.stderr
    assert "Exception ignored" not in done.stderr
