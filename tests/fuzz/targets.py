"""What is fuzzed: each target has damaged files, the function that reads them, and commands that do.

To add one, write its inputs and its function, and add it to `TARGETS`.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.fuzz import mutations as m

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hypothesis.strategies import SearchStrategy

SEEDS = Path(__file__).parent / "seeds"
QUESTION = "What emotion is expressed?"
TOY = ["-m", "toy:", "-i", QUESTION]
TINY = ["-m", "model", "-i", QUESTION, "--device", "cpu", "--dtype", "float32", "--offline"]
LIGHT = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "safetensors.numpy",
    "sklearn.cluster",
    "sklearn.metrics",
    "hdbscan",
)
LIGHT += ("inbedder_cli.cli", "inbedder_cli.pipeline", "inbedder_cli.report.view", "tests.fuzz.targets")
HEAVY = ("torch", "transformers.models.llama.modeling_llama", "transformers.models.auto.tokenization_auto", "gguf")
HEAVY += ("inbedder_cli.encoders.transformers.causal", "inbedder_cli.encoders.transformers.loading")
LINKS = {"@folder": None, "@fifo": None, "@zero": "/dev/zero", "@stdin": "/dev/stdin", "@loop": "itself"}
LINKS |= {"@missing": "nowhere", "@outside": "/etc/passwd", "@full": "/dev/full", "@empty": None}


@dataclass(frozen=True)
class Case:
    """One input.

    :param files: what replaces, or is added to, the target's files; "@..." names something that is no plain file.
    :param options: parameters of the target's function.
    :param command: arguments of the program, run in the folder of the files.
    """

    files: Mapping[str, bytes | str]
    options: Mapping[str, Any] = field(default_factory=dict)
    command: Sequence[str] = ()

    def write(self, folder: Path) -> None:
        """Write the files over those of the target.

        :param folder: holds the target's files.
        """
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            elif content == "@folder":
                path.mkdir()
            elif content == "@fifo":
                os.mkfifo(path)
            elif content == "@empty":
                path.touch()
            else:
                path.symlink_to(path.name if content == "@loop" else str(LINKS[content]))


@dataclass(frozen=True)
class Target:
    """A reader of files.

    :param room: who mends it.
    :param cases: the inputs, of a folder with the whole files.
    :param call: the function that reads them, in their folder; None runs the command instead.
    :param base: what the folder holds; a name in `seeds`, or of `MADE`.
    :param is_heavy: whether it needs torch.
    :param weight: how many inputs it gets, relative to others.
    """

    room: str
    cases: Callable[[Path], SearchStrategy[Case]]
    call: Callable[..., object] | None = None
    base: tuple[str, ...] = ()
    is_heavy: bool = False
    weight: int = 4


# The files that the program itself writes, and the command that does.
ROWS = b"id,text\n" + b"".join(b"a%d,text %d %s room\n" % (i, i, (b"kind", b"cold")[i % 2]) for i in range(12))
CLUSTER = ["cluster", "rows.csv", "-k", "2", "--no-baseline", "--no-stability", "-q"]
MADE: dict[str, list[list[str]]] = {
    "run": [[*CLUSTER, *TOY, "--id", "id", "--save", "run", "--no-cache"]],
    "cache": [[*CLUSTER, *TOY]],
    **{
        f"v{end}": [["embed", "rows.csv", *TOY, "-q", "-o", f"v{end}"]]
        for end in (".npy", ".safetensors", ".parquet")
    },
}


def seed(name: str) -> bytes:
    """Return a seed.

    :param name: its path in `seeds`.
    """
    return (SEEDS / name).read_bytes()


def special() -> SearchStrategy[str]:
    """Something that is not a plain file."""
    return st.sampled_from(sorted(LINKS))


# --- tables -----------------------------------------------------------------------------------------------------

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
FORMATS = ["csv", "tsv", "jsonl", "json", "parquet", "md"]


def options_of_reading() -> SearchStrategy[dict[str, Any]]:
    """A few options of the readers, mostly none."""
    one = st.sampled_from(sorted(READ)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(READ[name])))
    return st.one_of(st.just({}), st.just({}), st.lists(one, max_size=2).map(dict))


def table_cases(inputs: SearchStrategy[tuple[str, bytes]], _: Path) -> SearchStrategy[Case]:
    """Tables, the options they are read with, and a command that writes what was read."""

    def build(named: tuple[str, bytes], options: dict[str, Any], verb: str, form: str) -> Case:
        name, content = named
        words = [
            w for key, value in options.items() for w in (FLAGS.get(key, "--" + key.replace("_", "-")), str(value))
        ]
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
        options_of_reading(),
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


# --- vectors ----------------------------------------------------------------------------------------------------


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


# --- models -----------------------------------------------------------------------------------------------------

TEMPLATES = [value for value in m.STRINGS if "{" in value] + [
    "{{ a }}{% raw %}",
    "{{ messages[0]['content'] * 10**6 }}",
]
OWN: dict[str, tuple[list[str], list[Any]]] = {
    "inbedder.json": (
        ["base", "wheel", "model", "readout"],
        [
            {"wheel": {"requirement": "evil @ file:///x", "sha256": "0" * 64, "file": "x", "bytes": 1}},
            {"model": "model"},
            {"model": "."},
            {"model": "a/b"},
            {"model": "evil.py"},
            {"model": "/dev/zero"},
            "../adapter",
            "chat",
            "{text}",
        ],
    ),
    "config.json": (
        [
            "auto_map",
            "_attn_implementation",
            "quantization_config",
            "torch_dtype",
            "rope_parameters",
            "rope_scaling",
            "model_type",
            "architectures",
            "hidden_act",
            "attn_implementation",
            "tie_word_embeddings",
            "trust_remote_code",
        ],
        [
            {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"},
            "evil/kernel",
            {"quant_method": "bitsandbytes", "load_in_4bit": True},
            {"rope_type": "yarn", "factor": 0},
            "bert",
            "t5",
            "mamba",
            "gpt2",
            ["BertForMaskedLM"],
            10_000_000,
            1_000_000,
            2**40,
            0,
            -1,
        ],
    ),
    "tokenizer.json": (
        ["added_tokens", "normalizer", "pre_tokenizer", "post_processor"],
        [
            {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": "b"},
            {"type": "Sequence", "normalizers": []},
            {"type": "WordLevel", "vocab": {}, "unk_token": "u"},
            {"id": 10**9, "content": "z", "special": True},
            [
                {
                    "id": 5,
                    "content": "<z>",
                    "special": True,
                    "single_word": False,
                    "lstrip": False,
                    "rstrip": False,
                    "normalized": False,
                }
            ],
            {"type": "Unigram", "vocab": []},
        ],
    ),
    "tokenizer_config.json": (
        [
            "auto_map",
            "tokenizer_class",
            "chat_template",
            "model_max_length",
            "extra_special_tokens",
            "added_tokens_decoder",
            "pad_token",
        ],
        [
            {"AutoTokenizer": ["evil.Tokenizer", None]},
            "BertTokenizer",
            "T5Tokenizer",
            {"0": {"content": "x"}},
            [{"name": "default", "template": "{{ 1 }}"}],
            *TEMPLATES,
        ],
    ),
    "generation_config.json": (["max_length", "eos_token_id", "custom_generate"], [10**9, [], ["x"], -1]),
    "adapter/adapter_config.json": (
        ["base_model_name_or_path", "rank_pattern", "modules_to_save", "auto_mapping"],
        ["a/b", 0, -1, "r", {"a": 1}],
    ),
}


def model_cases(names: Sequence[str], command: Sequence[str], _: Path) -> SearchStrategy[Case]:
    """A model's folder with one or two of its files damaged."""

    def contents(name: str) -> SearchStrategy[tuple[str, bytes | str]]:
        data = seed(f"model/{name}")
        if name.endswith(".json"):
            new: SearchStrategy[bytes | str] = m.damaged_json(data, *OWN[name])
        elif name.endswith(".safetensors"):
            new = m.damaged_tensors(data)
        else:
            new = st.one_of(
                m.damaged(data), st.sampled_from(TEMPLATES).map(lambda t: t.encode("utf-8", "replace"))
            )
        return st.tuples(st.just(f"model/{name}"), st.one_of(*[new] * 12, special()))

    one = st.sampled_from(names).flatmap(contents)
    with_manifest = st.booleans()

    def build(files: Sequence[tuple[str, bytes | str]], keep: bool) -> Case:
        plain: dict[str, bytes | str] = {} if keep or "inbedder.json" in names else {"model/inbedder.json": b""}
        return Case(plain | dict(files), {"model": "model"}, command)

    return st.builds(build, st.lists(one, min_size=1, max_size=2), with_manifest)


def resolve(model: str) -> None:
    """Find the files of a model."""
    from inbedder_cli.models.resolve import resolve_model

    resolve_model(model, offline=True)


def load_and_encode(model: str) -> None:
    """Load a model, and encode two texts."""
    from inbedder_cli.encoders import load_encoder

    encoder = load_encoder(model, offline=True, cache=False, device="cpu", dtype="float32")
    encoder.encode(["cold room", "kind staff aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"], QUESTION)


def gguf_cases(_: Path) -> SearchStrategy[Case]:
    """Damaged GGUF files, mostly in their header."""
    data = seed("tiny.gguf")
    end = data.index(b"tokenizer.ggml.tokens") + 400
    marks = [
        b"llama.block_count",
        b"general.architecture",
        b"tokenizer.chat_template",
        b"mamba",
        b"GGUF",
        b"\x09\0\0\0",
    ]
    header = m.damaged(data[:end], marks).map(lambda head: head + data[end:])
    beside = {
        "tokenizer_config.json": b'{"auto_map": {"AutoTokenizer": ["evil.T", null]}}',
        "evil.py": seed("model/evil.py"),
    }
    beside["adapter_config.json"] = b'{"base_model_name_or_path": "a/b", "peft_type": "LORA"}'
    command = ["embed", "rows.csv", *TINY[2:], "-m", "tiny.gguf"]
    contents = st.one_of(header, header, header, m.damaged(data, marks), special())
    added = st.sampled_from([{}, beside])
    return st.builds(
        lambda new, more: Case({"tiny.gguf": new, "rows.csv": ROWS, **more}, {"model": "tiny.gguf"}, command),
        contents,
        added,
    )


# --- saved runs, the cache --------------------------------------------------------------------------------------


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


# --- other files ------------------------------------------------------------------------------------------------


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


def toy_encoder() -> None:
    """Register the encoder without a model that the commands use."""
    from inbedder_cli.encoders.backends import encoder_backends
    from tests.encoders.toy import ToyEncoder

    encoder_backends.register("toy", ToyEncoder)


MANIFEST = ["inbedder.json"]
LOADED = ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "model.safetensors"]
LOADED += ["chat_template.jinja", "adapter/adapter_config.json", "adapter/adapter_model.safetensors"]
EMBED = ["embed", "rows.csv", *TINY, "-q"]

TARGETS: dict[str, Target] = {
    "csv": Target("readers", partial(table_cases, csv_files()), read_table, weight=8),
    "jsonl": Target("readers", partial(table_cases, jsonl_files()), read_table, weight=6),
    "parquet": Target("readers", partial(table_cases, parquet_files()), read_table, weight=6),
    "packed": Target("readers", partial(table_cases, packed_files()), read_table, weight=6),
    "vectors": Target("readers", vector_cases, read_vector_file, weight=6),
    "manifest": Target("models", partial(model_cases, MANIFEST, EMBED), resolve, ("model",), weight=4),
    "model": Target(
        "models", partial(model_cases, LOADED, EMBED), load_and_encode, ("model",), is_heavy=True, weight=3
    ),
    "gguf": Target("models", gguf_cases, resolve, is_heavy=True, weight=2),
    "run": Target("runs", run_cases, None, ("run",), weight=8),
    "cache": Target("cache", cache_cases, None, ("cache",), weight=6),
    "words": Target("other", word_cases, read_words, weight=2),
    "suite": Target("other", suite_cases, read_suite, ("suite",), weight=4),
}
