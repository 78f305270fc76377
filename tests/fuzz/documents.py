"""JSON documents, plain lines, several header rows: their damaged files, and the options they are read with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.fuzz import mutations as m
from tests.fuzz.cases import seed
from tests.fuzz.workbooks import workbooks

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PATHS = [
    "text",
    "ticket.text",
    "ticket.items[0].text",
    "ticket.items[999999999].text",
    "ticket",
    "ticket.",
    "a..b",
]
PATHS += ["ticket[0]", "[0]", "ticket.items", "ticket.items[-1]", "x" * 5000, "ticket" + ".a" * 2000, "\x1b[2J"]
JSON_PATHS = [
    "data.rows",
    "data.rows[0]",
    "data",
    "",
    ".",
    "[0]",
    "data..rows",
    "other",
    "\u202e",
    "data" + "[0]" * 2000,
]
OPTIONS: dict[str, dict[str, list[Any]]] = {
    "xlsx": {
        "sheet": ["Reviews", "Second", "nothing", "", "\x1b[2J", "S" * 300],
        "header_rows": [1, 2, 3],
        "skip_rows": [0, 1, 3, 10**6],
        "header": [False],
        "text": ["text", "nothing"],
        "input_format": ["xlsx", "csv", "jsonl", "parquet", "lines"],
        "limit": [1, 10**6],
    },
    "json": {
        "json_path": JSON_PATHS,
        "text": PATHS,
        "text_template": ["{ticket.text}", "{ticket.items[0].text}", "{ticket.__class__}", "{text} {id}"],
        "id_column": ["id", "ticket.id", "ticket.items[0].id"],
        "input_format": ["json", "jsonl", "csv", "lines"],
        "encoding": ["utf-8", "utf-16", "cp1252", "nonsense"],
        "encoding_errors": ["replace", "fallback"],
    },
    "lines": {
        "input_format": ["lines", "csv", "tsv", "json", "xlsx"],
        "encoding": ["utf-8", "utf-16", "cp1252", "utf-7", "nonsense", "rot13", "x\0"],
        "encoding_errors": ["fail", "replace", "fallback"],
        "empty": ["skip", "keep", "fail"],
        "limit": [1, 10**6],
        "sample": [1, 10**6],
    },
    "header": {
        "header": [False],
        "header_rows": [1, 2, 3],
        "skip_rows": [0, 1, 2, 5, 10**6],
        "escape": ["\\", '"', ",", "\n", "a", ""],
        "on_bad_row": ["fail", "skip"],
        "delimiter": [",", ";", "\\"],
        "encoding_errors": ["fail", "replace", "fallback"],
        "encoding": ["utf-8", "cp1252", "utf-16"],
        "text": ["text", "Q1", "What did you think of it?"],
    },
}


def options_of(target: str) -> SearchStrategy[dict[str, Any]]:
    """A few options of a reader, mostly one.

    :param target: a key of `OPTIONS`.
    """
    choices = OPTIONS[target]
    one = st.sampled_from(sorted(choices)).flatmap(
        lambda name: st.tuples(st.just(name), st.sampled_from(choices[name]))
    )
    return st.lists(one, max_size=2).map(dict)


def excel_files() -> SearchStrategy[tuple[str, bytes]]:
    """Damaged workbooks; some have another name."""
    return st.tuples(st.sampled_from(["book.xlsx", "book.xlsx", "book.xlsx", "book", "book.csv"]), workbooks())


def json_files() -> SearchStrategy[tuple[str, bytes]]:
    """Damaged JSON documents."""
    small = m.damaged_json(seed("document.json"), ["rows", "text", "data"], [[{"text": "a b"}], [["a"]], ["a b"]])
    return st.tuples(st.sampled_from(["document.json", "document"]), st.one_of(*[small] * 6, _grown_json()))


def _grown_json() -> SearchStrategy[bytes]:
    def build(kind: str, n: int) -> bytes:
        match kind:
            case "lists":
                return json.dumps({f"list {i}": [{"text": "a b"}] for i in range(n)}).encode()
            case "long keys":
                return json.dumps({f"{i}" * 500: [{"text": "a b"}] for i in range(20)}).encode()
            case "deep":
                return b'{"a":' * n + b'[{"text": "a b"}]' + b"}" * n
            case "deep rows":
                return b'[{"text":' + b"[" * n + b'"a b"' + b"]" * n + b"}]"
            case "keys per row":
                return json.dumps([{f"k{i}": "a b"} for i in range(n)]).encode()
            case "texts":
                return json.dumps(["cold room"] * n * 10).encode()
            case _:
                return b'{"text": "a b"}\n{"text": "c d"}\n' * n + b"["

    kinds = ["lists", "long keys", "deep", "deep rows", "keys per row", "texts", "lines"]
    return st.builds(build, st.sampled_from(kinds), st.sampled_from([90, 900, 20_000]))


def line_files() -> SearchStrategy[tuple[str, bytes]]:
    """Damaged files of plain lines."""
    small = m.damaged(
        seed("lines.txt"), [b"text\n", b"\x0b", b"\x0c", b"\x1c", b"\r", b"\xe2\x80\xa9", b"a,b,c\n"]
    )
    long = st.sampled_from(
        [b"cold room. " * 10**6, b"\n" * 10**6, b"cold room was here\n" * 50_000, b"\r" * 50_000]
    )
    return st.tuples(st.sampled_from(["lines.txt", "lines", "lines.txt.gz"]), st.one_of(*[small] * 8, long))


def header_files() -> SearchStrategy[tuple[str, bytes]]:
    """Damaged exports with several header rows, and headers that are wide or all alike."""
    names = st.sampled_from(["qualtrics.csv", "surveymonkey.csv", "titled.csv"])
    marks = [b'{"ImportId":', b"Respondent ID,", b"Collector ID,", b"\\", b'\\"', b",,,,", b"text,"]
    small = names.flatmap(lambda name: m.damaged(seed(name), marks))

    def build(kind: str, n: int) -> bytes:
        match kind:
            case "alike":
                return b"a," * n + b"text\n" + b"x," * n + b"cold room\n"
            case "unnamed":
                return b"," * n + b"text\n" + b"," * n + b"cold room\n"
            case "short":
                return b",".join(b"c%d" % i for i in range(n)) + b",text\n" + b"a b\n" * n * 5
            case "bad":
                return b"text\n" + b"a,b\n" * n * 10
            case _:
                return b"text\n" + b'\\"' * n * 20 + b"\n"

    kinds = st.sampled_from(["alike", "unnamed", "short", "bad", "escapes"])
    grown = st.builds(build, kinds, st.sampled_from([9, 900, 9900, 200_000]))
    return st.tuples(st.just("survey.csv"), st.one_of(*[small] * 8, grown))
