"""Tables and vectors: their damaged files, and the functions that read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.fuzz import mutations as m
from tests.fuzz.cases import ROWS, TOY, Case, seed

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

READ = {
    "text": ["text", "nothing", "stars", "", "\ud800"],
    "id_column": ["id", "text", "nothing", "day"],
    "text_template": ["{text}", "{id}: {text}", "{", "{0}", "{text!r}", "{text.__class__}"],
    "delimiter": [",", ";", "\t", "|", '"', "\n", "\r", "\0", " ", "é", ",,", ""],
    "encoding": [
        "utf-8",
        "utf-16",
        "utf-16-le",
        "utf-32",
        "cp1252",
        "utf-7",
        "rot13",
        "idna",
        "punycode",
        "x\0",
        "unicode_escape",
    ],
    "input_format": ["csv", "tsv", "jsonl", "parquet"],
    "empty": ["skip", "keep", "fail"],
    "limit": [1, 2, 10**6],
    "sample": [1, 3, 10**6],
}
FLAGS = {"id_column": "--id"}
FORMATS = ["csv", "tsv", "jsonl", "json", "parquet", "md", "xlsx"]


def options_of_reading() -> SearchStrategy[dict[str, Any]]:
    """A few options of the readers, mostly none."""
    one = st.sampled_from(sorted(READ)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(READ[name])))
    return st.one_of(st.just({}), st.just({}), st.lists(one, max_size=2).map(dict))


def words_of(options: dict[str, Any]) -> list[str]:
    """Return options of `read_corpus` as the command line has them.

    :param options: by name.
    """
    words = []
    for key, value in options.items():
        flag = FLAGS.get(key, "--" + key.replace("_", "-"))
        words += ["--no-" + key] if value is False else [flag, str(value)]
    return words


def table_cases(
    inputs: SearchStrategy[tuple[str, bytes]], read_with: SearchStrategy[dict[str, Any]], _: Path
) -> SearchStrategy[Case]:
    """Tables, the options they are read with, and a command that writes what was read."""

    def build(named: tuple[str, bytes], options: dict[str, Any], verb: str, form: str) -> Case:
        name, content = named
        words = words_of(options)
        command = [verb, name, *TOY, *words, "-q"]
        if verb == "cluster":
            command += [
                "-k",
                "2",
                "--no-baseline",
                "--no-stability",
                "--clusters",
                f"clusters.{form}",
                "-o",
                f"out.{form}",
            ]
        command = [word.replace("\0", "").encode("utf-8", "replace").decode() for word in command]
        return Case({name: content}, {"source": name, **options}, command)

    return st.builds(
        build,
        inputs,
        read_with,
        st.sampled_from(["cluster", "embed", "answer"]),
        st.sampled_from(FORMATS),
    )


def read_table(**options: Any) -> None:
    """Read a table."""
    from inbedder_cli.corpus import read_corpus

    repr(read_corpus(**options).readable)


def csv_files() -> SearchStrategy[tuple[str, bytes]]:
    """Damaged CSV and TSV files."""
    names = ["reviews.csv", "windows.csv", "excel.csv", "utf16.csv", "one.csv", "tabs.tsv"]
    marks = [b"sep=;\n", b'""', b'","', b"\r", b"\0\0", b"\xff\xfe", b"a,text,text\n"]
    small = st.sampled_from(names).flatmap(lambda n: st.tuples(st.just(n), m.damaged(seed(n), marks)))
    odd_names = st.sampled_from(
        ["x", "x\u202e.csv", "x\x1b[2J.csv", "x\u200b.csv", "x.csv.gz", "x.parquet", "x y'\".tsv"]
    )
    grown = st.tuples(st.one_of(st.just("grown.csv"), odd_names), m.grown_csv())
    return st.one_of(small, small, small, small, grown)


def jsonl_files() -> SearchStrategy[tuple[str, bytes]]:
    """Damaged JSON lines."""
    small = m.damaged_lines(seed("reviews.jsonl"))
    return st.tuples(st.just("reviews.jsonl"), st.one_of(small, small, small, small, m.grown_jsonl()))


def parquet_files() -> SearchStrategy[tuple[str, bytes]]:
    """Damaged Parquet files, and whole ones of odd contents."""
    names = st.sampled_from(["reviews.parquet", "packed.parquet"])
    bytewise = names.flatmap(lambda n: m.damaged(seed(n), [b"PAR1", b"ARROW:schema"]))
    return st.tuples(st.just("x.parquet"), st.one_of(bytewise, m.parquet_tables()))


def packed_files() -> SearchStrategy[tuple[str, bytes]]:
    """Compressed tables."""
    whole = [st.just(seed(name)) for name in ("reviews.csv", "reviews.jsonl", "reviews.parquet")]
    inner = st.one_of(*whole, csv_files().map(lambda named: named[1]))
    return m.archives(inner).map(lambda packed: (f"x.{packed[0]}", packed[1]))


def vector_cases(made: Path) -> SearchStrategy[Case]:
    """Damaged files of vectors, of which the texts are whole."""
    whole = {name: (made / name / name).read_bytes() for name in ("v.npy", "v.safetensors", "v.parquet")}
    header = [
        b"'|O'",
        b"'<f2'",
        b"(999999999, 16)",
        b"(12,)",
        b"True",
        b"__import__('os')",
        b"'<c8'",
        b"'|S1000000'",
    ]
    contents = st.one_of(
        st.tuples(st.just("v.npy"), m.damaged(whole["v.npy"], header)),
        st.tuples(st.just("v.safetensors"), m.damaged_tensors(whole["v.safetensors"])),
        st.tuples(st.just("v.parquet"), m.damaged(whole["v.parquet"], [b"PAR1", b"vector", b"answer"])),
        st.tuples(st.just("v.parquet"), m.parquet_tables()),
    )
    command = ["cluster", "rows.csv", "-k", "2", "--no-baseline", "--no-stability", "-q", "--vectors"]
    return contents.map(lambda c: Case(dict([c, ("rows.csv", ROWS)]), {"path": c[0]}, [*command, c[0]]))


def read_vector_file(path: str) -> None:
    """Read a file of vectors."""
    from inbedder_cli.corpus import read_corpus
    from inbedder_cli.output.vectors import read_vectors

    read_vectors(path, read_corpus("rows.csv"))
