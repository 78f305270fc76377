"""Saved runs, the cache, suites and stop words: damaged ones, and the functions that read them."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.fuzz import mutations as m
from tests.fuzz.cases import ROWS, TOY, Case, seed, special

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import SearchStrategy


def run_cases(made: Path) -> SearchStrategy[Case]:
    """A saved run with some of its files damaged; their hashes in run.json are mostly made to fit."""
    from hashlib import sha256

    folder = made / "run" / "run"
    manifest = json.loads((folder / "run.json").read_bytes())
    members = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "run.json"}
    keys = ["questions", "files", "settings", "model", "clusters", "encoding", "schema", "crosstabs"]
    values = [
        "toy:x",
        "model",
        "../other",
        "hdbscan",
        "kmeans",
        {"rows.parquet": "0"},
        [{"cluster": 0, "label": "x", "size": 1}],
    ]

    def content(name: str) -> SearchStrategy[bytes | str]:
        data = members[name]
        new = (
            m.damaged_tensors(data)
            if name.endswith(".safetensors")
            else st.one_of(m.damaged(data), m.parquet_tables())
        )
        return st.one_of(*[new] * 8, special())

    def build(
        changed: Any, name: str | None, new: bytes | str, names: bytes | str, command: list[str], fits: bool
    ) -> Case:
        files: dict[str, bytes | str] = {"rows.csv": ROWS}
        if name is not None:
            files[f"run/{name}"] = new
            if fits and isinstance(new, bytes):
                changed = manifest | {"files": manifest["files"] | {name: sha256(new).hexdigest()}}
        files["run/run.json"] = changed if isinstance(changed, (bytes, str)) else m.as_json(changed)
        if names:
            files["run/names.txt"] = names
        return Case(files, {}, command)

    whole = st.just(manifest)
    bytewise = st.one_of(m.damaged(m.as_json(manifest)), special())
    changed = m.changed(manifest, keys, values).map(m.as_json)
    names = st.one_of(*[st.just(b"")] * 6, m.damaged(seed("names.txt"), [b"->", b"=", b"0"]), special())
    verbs = [
        ["show", "run"],
        ["show", "run", "0"],
        ["show", "run", "-f", "json"],
        ["show", "run", "noise", "--borderline"],
    ]
    verbs += [
        ["assign", "run", "rows.csv", "--offline"],
        ["assign", "run", "rows.csv", "-f", "json", "--offline"],
        ["verify", "run", "--offline"],
    ]
    command = st.sampled_from(verbs)
    member = st.sampled_from(sorted(members)).flatmap(lambda name: st.tuples(st.just(name), content(name)))
    return st.one_of(
        st.builds(
            build,
            st.one_of(changed, changed, changed, bytewise),
            st.none(),
            st.just(b""),
            names,
            command,
            st.just(False),
        ),
        st.tuples(whole, member, names, command, st.booleans()).map(lambda d: build(d[0], *d[1], *d[2:])),
    )


SQL = [
    "UPDATE rows SET {c} = x'ff'",
    "UPDATE rows SET {c} = 'a' || char(0)",
    "UPDATE rows SET {c} = CAST(x'ff41' AS TEXT)",
]
SQL += [
    "UPDATE rows SET {c} = 9e999",
    "UPDATE rows SET {c} = -9223372036854775808",
    "UPDATE rows SET {c} = '[[1,2,3]]'",
]
SQL += [
    "UPDATE rows SET {c} = zeroblob(7)",
    "UPDATE rows SET {c} = zeroblob(4000000)",
    "UPDATE rows SET {c} = NULL",
]
SQL += [
    "ALTER TABLE rows DROP COLUMN {c}",
    "ALTER TABLE rows RENAME COLUMN {c} TO x",
    "DROP TABLE rows",
    "DELETE FROM rows",
]
SQL += [
    "PRAGMA user_version = 0",
    "PRAGMA user_version = 1",
    "PRAGMA user_version = 999",
    "PRAGMA user_version = -1",
]
SQL += ["ALTER TABLE rows RENAME TO old; CREATE VIEW rows AS SELECT * FROM old", "DROP INDEX rows_last_used"]
SQL += ["ALTER TABLE rows RENAME TO old; CREATE VIEW rows AS SELECT * FROM rows", "CREATE TABLE more (a)"]
SQL += [
    "CREATE TRIGGER t AFTER UPDATE ON rows BEGIN INSERT INTO rows SELECT * FROM rows; END",
    "PRAGMA encoding = 'UTF-16'",
]
SQL += ["PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = 'x'", "PRAGMA application_id = 7"]
SQL += ["PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = CAST(x'ff' AS TEXT)"]


def cache_cases(made: Path) -> SearchStrategy[Case]:
    """A damaged cache."""
    folder = made / "cache" / "cache"
    (file,) = folder.glob("rows*.sqlite")
    data = file.read_bytes()
    memo = {"dtype and device: x": ["float32", "cpu"]}
    with sqlite3.connect(file) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(rows)")]
    statement = st.tuples(st.sampled_from(SQL), st.sampled_from(columns)).map(lambda d: d[0].format(c=d[1]))
    contents = st.one_of(
        st.lists(statement, min_size=1, max_size=2).map(partial(_after_sql, data)),
        m.damaged(data, [b"SQLite format 3", b"rows", b"CREATE TABLE"]),
        special(),
    )
    sides = st.one_of(st.none(), st.none(), st.sampled_from(["-wal", "-shm", "-journal"]))
    commands = [
        ["cache", "info"],
        ["cache", "prune", "--max-size", "1KB"],
        ["cache", "prune", "--older-than", "0s"],
    ]
    commands += [["cache", "clear"], ["cache", "path"], *[["answer", "rows.csv", *TOY, "-q"]] * 3]

    def build(
        content: bytes | str, side: str | None, other: bytes | str, memo_file: bytes, command: list[str]
    ) -> Case:
        files: dict[str, bytes | str] = {
            "rows.csv": ROWS,
            f"cache/{file.name}": content,
            "cache/memo.json": memo_file,
        }
        return Case(files | ({f"cache/{file.name}{side}": other} if side else {}), {}, command)

    other = st.one_of(m.damaged(data[:3000]), special())
    return st.builds(build, contents, sides, other, m.damaged_json(m.as_json(memo)), st.sampled_from(commands))


def _after_sql(data: bytes, statements: Sequence[str]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.sqlite"
        path.write_bytes(data)
        connection = sqlite3.connect(path)
        for statement in statements:
            try:
                connection.executescript(statement)
                connection.commit()
            except sqlite3.Error:
                pass
        connection.close()
        return path.read_bytes()


def word_cases(_: Path) -> SearchStrategy[Case]:
    """Damaged files of stop words."""
    content = st.one_of(m.damaged(seed("words.txt"), [b"#"]), special())
    command = [
        "cluster",
        "rows.csv",
        *TOY,
        "-k",
        "2",
        "--no-baseline",
        "--no-stability",
        "-q",
        "--stop-words",
        "words.txt",
    ]
    return content.map(lambda new: Case({"words.txt": new, "rows.csv": ROWS}, {"source": "words.txt"}, command))


def read_words(source: str) -> None:
    """Read stop words."""
    from inbedder_cli.explanation.stop_words import load_stop_words

    load_stop_words(source)


def suite_cases(_: Path) -> SearchStrategy[Case]:
    """Damaged suites of tasks, training examples, and scores of an earlier run."""
    lines = ["triplets.jsonl", "instruct_sts.jsonl", "topics.jsonl", "examples.jsonl"]
    tasks = st.tuples(
        st.just("tasks.json"), m.damaged_json(seed("suite/tasks.json"), ["file", "task"], ["../x", "topics.jsonl"])
    )
    others = st.sampled_from(lines).flatmap(lambda n: st.tuples(st.just(n), m.damaged_lines(seed(f"suite/{n}"))))
    scores = {"schema": 2, "key": {"model": "toy:"}, "scores": [], "dtype": "float32"}
    resumed = st.tuples(st.just("scores.jsonl"), m.damaged_lines(m.as_json(scores)))
    evaluate = ["evaluate", "suite", "-m", "toy:", "--limit", "3", "--resume", "suite/scores.jsonl", "-q"]
    train = ["train", "suite/examples.jsonl", "-o", "trained", "-m", "nowhere", "--offline", "-q"]
    return st.one_of(tasks, others, resumed).map(
        lambda new: Case(
            {f"suite/{new[0]}": new[1]}, {"name": new[0]}, train if new[0] == "examples.jsonl" else evaluate
        )
    )


def read_suite(name: str) -> None:
    """Read a suite, or examples, or scores."""
    from inbedder_cli.evaluation.results_cache import read_results_cache
    from inbedder_cli.evaluation.suites import read_folder
    from inbedder_cli.training.examples import read_examples

    if name == "scores.jsonl":
        read_results_cache(Path("suite") / name)
    elif name == "examples.jsonl":
        read_examples([f"suite/{name}"], frozenset())
    else:
        read_folder(Path("suite"))
