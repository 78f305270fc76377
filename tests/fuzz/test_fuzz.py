"""The short form of `make fuzz`: the same few damaged files each time; and what the sandbox must catch."""

from __future__ import annotations

import os

import pytest

from tests.fuzz.cases import EMBED, LINKS, ROWS, TOY, Case, seed
from tests.fuzz.hunt import Hunter, describe
from tests.fuzz.parts import ASSIGN, FIT, RUN, STATUS
from tests.fuzz.replay import SAID
from tests.fuzz.targets import TARGETS
from tests.fuzz.teachers import LABELS
from tests.fuzz.workers import whole

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
INPUTS, HEAVY_INPUTS = 12, 4
NUMBER = 15  # of the drawing

ONE_OF_EACH: list[tuple[str, Case]] = [
    *[
        ("csv", Case({name: seed(name)}, {"source": name}))
        for name in ("reviews.csv", "excel.csv", "one.csv", "tabs.tsv")
    ],
    *[
        ("csv", Case({f"{e}.csv": seed(f"{n}.csv")}, {"source": f"{e}.csv", "encoding": e}))
        for n, e in (("windows", "cp1252"), ("utf16", "utf-16"))
    ],
    ("jsonl", Case({"x.jsonl": seed("reviews.jsonl")}, {"source": "x.jsonl", "text": "text"})),
    *[("parquet", Case({name: seed(name)}, {"source": name})) for name in ("reviews.parquet", "packed.parquet")],
    ("xlsx", Case({"book.xlsx": seed("book.xlsx")}, {"source": "book.xlsx", "text": "text"})),
    ("json", Case({"x.json": seed("document.json")}, {"source": "x.json", "text": "ticket.text"})),
    ("lines", Case({"lines.txt": seed("lines.txt")}, {"source": "lines.txt"})),
    ("header", Case({"x.csv": seed("qualtrics.csv")}, {"source": "x.csv"})),
    (
        "header",
        Case({"x.csv": seed("surveymonkey.csv")}, {"source": "x.csv", "text": "What did you think of it?"}),
    ),
    ("languages", Case({}, {"texts": ["The room was cold, and loud."], "languages": ["en"]})),
    ("manifest", Case({}, {"model": "model"})),
    ("model", Case({"rows.csv": ROWS}, {"model": "model"}, EMBED)),
    ("gguf", Case({"tiny.gguf": seed("tiny.gguf")}, {"model": "tiny.gguf"})),
    ("run", Case({"rows.csv": ROWS}, {}, ["assign", "run", "rows.csv", "--offline"])),
    ("run", Case({}, {}, ["show", "run", "0"])),
    ("run", Case({"run/names.txt": seed("names.txt")}, {}, ["show", "run"])),
    ("cache", Case({"rows.csv": ROWS}, {}, ["answer", "rows.csv", *TOY])),
    *[("shards", Case({"work/out": "@gone"}, {}, command)) for command in (*STATUS, RUN, FIT, ASSIGN)],
    ("review", Case({"rows.csv": ROWS}, {}, ["review", "reviewed", "--from", "reviewed/sheet.csv"])),
    ("workers", Case({SAID: whole()})),
    ("words", Case({"words.txt": seed("words.txt")}, {"source": "words.txt"})),
    *[("suite", Case({}, {"name": name})) for name in ("tasks.json", "examples.jsonl", "scores.jsonl")],
]


BROKEN = {
    "raise KeyError('x')": "KeyError in ?",
    "bytearray(2**42)": "MemoryError in ?",
    "import signal; signal.raise_signal(signal.SIGSEGV)": "SIGSEGV in ? ?",
    "import time; time.sleep(60)": "hang in ? ?",
    "while True: pass": "hang in ? ?",
    "import socket; socket.create_connection(('127.0.0.1', 9))": "network: '127.0.0.1'",
    "import os; os.system('true')": "program: b'true'",
    "import pickle; pickle.loads(pickle.dumps(print))": "pickle",
    "import runpy; runpy.run_path('evil.py')": "code from the folder",
    "print('Do you wish to run the custom code?')": "a function that prints",
    "from inbedder_cli.errors import ModelError; raise ModelError('x')": None,
}


@pytest.fixture(scope="module")
def hunter(tmp_path_factory):
    with Hunter(tmp_path_factory.mktemp("found"), tell=lambda line: None) as hunter:
        yield hunter


@pytest.mark.parametrize(("name", "case"), ONE_OF_EACH)
def test_whole_files_are_read(hunter, name, case):
    """Of a seed that the program refuses, only the refusal would be tried."""
    outcome = hunter.run(name, case, through_command=False)
    assert (outcome["kind"], outcome.get("exit")) == (None, 0), outcome.get("typed") or outcome["message"]


def test_whole_labels_are_read(hunter):
    case = Case({LABELS: (hunter.made / LABELS / LABELS).read_bytes()}, {"path": LABELS})
    assert hunter.run("labels", case, through_command=False)["exit"] == 0


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files_end_in_a_typed_error_or_success(hunter, name):
    hunter.hunt(name, HEAVY_INPUTS if TARGETS[name].is_heavy else INPUTS, number=NUMBER)
    assert [describe(kept) for (target, _), kept in hunter.report.findings.items() if target == name] == []


@pytest.mark.parametrize(("code", "kind"), BROKEN.items())
def test_the_sandbox_sees_what_is_forbidden(hunter, tmp_path, code, kind):
    (tmp_path / "evil.py").write_text("pass\n")
    assert hunter.sandbox(is_heavy=False).run(tmp_path, code=code, seconds=0.5)["kind"] == kind


def test_an_input_that_is_kept_can_be_run_again(hunter, tmp_path):
    case = Case(
        {"words.txt": seed("words.txt"), **{f"{name[1:]}.x": name for name in LINKS}}, {"source": "words.txt"}
    )
    outcome = hunter.run("words", case, through_command=False)
    kept = hunter.keep("words", "a kind", outcome)
    assert "--again" in describe(kept)
    assert hunter.again(kept)["exit"] == 0
