"""Options that only a command has: settings in a file, rows that are left out, several answers in a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.fuzz import mutations as m
from tests.fuzz.cases import ROWS, TOY, Case, special
from tests.fuzz.tables import words_of

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

SETTINGS = b"""# of this project
model = "toy:"
offline = true
max-tokens = 64

[cluster]
by = ["stars", "day:month"]
k = 2
seed = 7
format = "jsonl"

[embed]
dtype = "float32"

[models.pull]
offline = true
"""
TOML = [
    b"[[cluster]]\n",
    b"cluster.k = 3\n",
    b'output = "x"\n',
    b"force = true\n",
    b"k = 1979-05-27\n",
    b'"""',
    b"= ",
]
TOML += [b"k = [[[[1]]]]\n", b"a." * 3000 + b"b = 1\n", b"[" * 3000, b"k = 0x" + b"f" * 5000 + b"\n", b"k = nan\n"]
TOML += [
    b"instructions = ['a', 'b']\n",
    b"model = 'model'\n",
    b"seed = 1e400\n",
    b'"\\u001b[2J" = 1\n',
    b"k = inf\n",
]
SPOKEN = b"""id,text,stars
1,"The app is slow, and it crashes. I love the colors!",1
2,more,cells,than,the,header
3,"- dark mode
- faster sync
- export to CSV",5
4,"short
5,x
6,,
7,Not cold; not loud; not dear; the staff was kind and the room was clean.,4
"""
MARKS = [b"\n- ", b"; ", b". ", b"1) ", b"\xe2\x80\xa2 ", b",,,,,", b'"', b"...", b"\xe3\x80\x82", b"a, b and c"]
READ: dict[str, list[Any]] = {
    "on_bad_row": ["skip", "pad", "fail"],
    "limit": [1, 3],
    "skip_rows": [1, 3],
    "empty": ["keep", "fail"],
    "quote": ["", "'", '"'],
    "escape": ["\\", '"'],
}
BAD_ROWS = ["bad.csv", "bad.txt", "rows.csv", "out.csv", "folder/bad.csv", "/dev/full", "-", "bad"]


def settings_cases(_: Path) -> SearchStrategy[Case]:
    """Damaged files of settings, and commands that take their defaults from them."""
    new = st.one_of(m.damaged(SETTINGS, TOML), m.damaged(SETTINGS, TOML), st.sampled_from(TOML))
    content = st.one_of(*[new] * 8, special())
    commands: list[list[str]] = [
        ["config", "show"],
        ["config", "path"],
        ["env"],
        ["cluster", "rows.csv", *TOY, "-k", "2", "--no-baseline", "--no-stability", "-q"],
        ["embed", "rows.csv", *TOY, "-q"],
        ["answer", "rows.csv", "-i", "What?", "--offline", "-m", "toy:", "-q"],
    ]
    return st.builds(
        lambda text, command: Case({"inbedder.toml": text, "rows.csv": ROWS}, {}, command),
        content,
        st.sampled_from(commands),
    )


def answer_cases(_: Path) -> SearchStrategy[Case]:
    """Texts with several answers and rows that do not fit, under `--multi`, `--explode` and `--bad-rows`."""

    def build(data: bytes, options: dict[str, Any], more: list[str], bad: str | None, form: str) -> Case:
        command = ["cluster", "rows.csv", *TOY, "-k", "2", "--no-baseline", "--no-stability", "-q"]
        command += [*words_of(options), *more, "-o", f"out.{form}"]
        command += ["--bad-rows", bad] if bad else []
        return Case({"rows.csv": data}, {}, command)

    grown = st.builds(_grown, st.sampled_from(["items", "sentences", "bad", "words"]), st.sampled_from([90, 3000]))
    option = st.sampled_from(sorted(READ)).flatmap(lambda o: st.tuples(st.just(o), st.sampled_from(READ[o])))
    chosen = [["--multi"], ["--multi", "--explode"], ["--explode"], ["--multi", "--by", "stars"], []]
    chosen += [["--multi", "--map"], ["--multi", "--report", "r.html"], ["--multi", "--save", "kept"]]
    return st.builds(
        build,
        st.one_of(*[m.damaged(SPOKEN, MARKS)] * 8, grown),
        st.one_of(st.just({"on_bad_row": "skip"}), st.lists(option, max_size=2).map(dict)),
        st.sampled_from(chosen),
        st.one_of(st.none(), st.sampled_from(BAD_ROWS)),
        st.sampled_from(["csv", "jsonl", "json", "parquet", "xlsx", "md"]),
    )


def _grown(kind: str, n: int) -> bytes:
    match kind:
        case "items":
            return b'text\n"' + b"- dark mode\n" * n + b'"\nfaster sync\nsmaller\n'
        case "sentences":
            return b"text\n" + (b"It is slow. " * 70 + b"\n") * (n // 10)
        case "bad":
            return b"text\n" + b"slow,fast\n" * n + b"cold room\nkind staff\n"
        case _:
            return b"text\n" + b"a," * n + b"\n" + b"slow\nfast\n"
