"""One input, and what the inputs of all targets share."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hypothesis.strategies import SearchStrategy

SEEDS = Path(__file__).parent / "seeds"
QUESTION = "What emotion is expressed?"
TOY = ["-m", "toy:", "-i", QUESTION]
TINY = ["-m", "model", "-i", QUESTION, "--device", "cpu", "--dtype", "float32", "--offline"]
EMBED = ["embed", "rows.csv", *TINY, "-q"]
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
LIGHT += (
    "inbedder_cli.encoders.cache.cached_encoder",
    "inbedder_cli.output.vectors",
    "inbedder_cli.runs.assignment",
)
LIGHT += ("inbedder_cli.evaluation.runner", "inbedder_cli.evaluation.suites", "inbedder_cli.models.convert")
LIGHT += (
    "inbedder_cli.report.run_view",
    "inbedder_cli.diagnostics.drift",
    "inbedder_cli.output.excel",
    "openpyxl",
    "inbedder_cli.shards.labelling",
    "inbedder_cli.shards.planning",
    "inbedder_cli.encoders.workers.pool",
)
HEAVY = ("torch", "transformers.models.llama.modeling_llama", "transformers.models.auto.tokenization_auto", "gguf")
HEAVY += ("inbedder_cli.encoders.transformers.causal", "inbedder_cli.encoders.transformers.loading")
LINKS = {"@folder": None, "@fifo": None, "@zero": "/dev/zero", "@stdin": "/dev/stdin", "@loop": "itself"}
LINKS |= {"@missing": "nowhere", "@outside": "/etc/passwd", "@full": "/dev/full", "@empty": None}


@dataclass(frozen=True)
class Case:
    """One input.

    :param files: what replaces, or is added to, the target's files; "@gone" removes a folder, another "@..." names
        something that is no plain file.
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
            if content == "@gone":
                shutil.rmtree(path)
                continue
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
    "work": [
        ["shards", "plan", "rows.csv", *TOY, "--id", "id", "-o", "work", "--rows-per-shard", "6", "-q"],
        ["shards", "run", "work", "-q"],
        ["shards", "fit", "work", "-k", "2", "-q"],
        ["shards", "assign", "work", "-o", "work/out", "-q"],
    ],
    "reviewed": [
        [*CLUSTER, *TOY, "--id", "id", "--save", "reviewed", "--no-cache"],
        ["review", "reviewed", "--sheet", "reviewed/sheet.csv", "-q"],
    ],
    "labels.parquet": [["teach", "examples.jsonl", "-m", "toy:", "-o", "labels.parquet", "-q"]],
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
