"""Files of questions and answers -> examples, each answer without its stop words."""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from inbedder_cli.errors import InputError, ModelError, did_you_mean
from inbedder_cli.evaluation.hub_files import config_files, read_file
from inbedder_cli.explanation.stop_words import folded
from inbedder_cli.models.convert import file_sha256

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from inbedder_cli.evaluation.records import Record

# The paper's own examples; the hub's set as it was published with the paper.
HUB_SETS = {"KomeijiForce/Inbedder-Pretrain-Data": ("main", "train")}
TEXT, INSTRUCTION, ANSWER, SOURCE = "input", "instruction", "output", "source"
EDGES = re.compile(r"^[^\w]+|[^\w]+$")
SHOWN = 5  # broken rows that are named one by one
NOT_MENTIONED = "not mentioned"


@dataclass(frozen=True)
class Example:
    """A text, a question about it, and the answer to be learned."""

    text: str
    instruction: str
    answer: str
    source: str = ""


@dataclass
class Examples:
    """What was read.

    :param rows: the usable examples.
    :param files: SHA-256 of each file, by its name.
    :param broken: what is wrong with each unusable row, with its place.
    """

    rows: list[Example] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    @property
    def sources(self) -> dict[str, int]:
        """Examples per source."""
        return dict(Counter(row.source for row in self.rows).most_common())

    def complaint(self) -> str | None:
        """Return one line about the broken rows, or None."""
        if not self.broken:
            return None
        more = f", and {len(self.broken) - SHOWN:,} more" if len(self.broken) > SHOWN else ""
        return f"{len(self.broken):,} rows left out: {'; '.join(self.broken[:SHOWN])}{more}"


def read_examples(references: Sequence[str], stop_words: frozenset[str], *, offline: bool = False) -> Examples:
    """Read examples (input, instruction, output and perhaps source) from files, or a set by its name.

    :param stop_words: dropped from the answers; where nothing would be left the answer stays as it is (InBedder,
        section 3.1: worth 6.3 points in its ablation).
    :raises InputError: for a file that cannot be read, or holds no example.
    :raises ModelError: for a set that the hub does not give.
    """
    examples = Examples()
    for reference in references:
        for file in _files(reference, offline=offline):
            examples.files[_unused(file.name, examples.files)] = file_sha256(file)
            for record in read_file(file, examples.broken):
                _take(record, Path(reference).stem, stop_words, examples)
    if not examples.rows:
        raise InputError(
            f"no usable example ({examples.complaint() or 'no rows'})",
            source=", ".join(references),
            hint=f"a row needs {TEXT}, {INSTRUCTION} and {ANSWER}, the field names of Alpaca",
        )
    return examples


def shorten(answer: str, stop_words: frozenset[str]) -> str:
    """Return the answer without its stop words, or as it is when nothing else is in it.

    >>> shorten("in the garden of a king", frozenset(["in", "the", "of", "a"]))
    'garden king'
    >>> shorten("I am", frozenset(["i", "am"]))
    'I am'
    """
    words = answer.split()
    kept = [w for w in words if EDGES.sub("", folded(w)) not in stop_words]
    return " ".join(w for w in kept if EDGES.sub("", w)) or " ".join(words)


def held_out(rows: Sequence[Example], wanted: int) -> tuple[list[Example], list[Example]]:
    """Divide examples into those to learn from and about `wanted` others, no text in both.

    A text's side depends on its hash alone, so the same file is always divided alike; at most a tenth is held out.
    """
    share = min(0.1, wanted / max(1, len(rows)))
    limit = int(share * 2**64)
    sides: tuple[list[Example], list[Example]] = ([], [])
    for row in rows:
        digest = hashlib.blake2b(row.text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        sides[int.from_bytes(digest, "big") < limit].append(row)
    return sides


def with_unanswerable(rows: Sequence[Example], share: float, seed: int) -> list[Example]:
    """Return the examples, with some of them asked what another text of their source answers: "not mentioned".

    Only questions that were asked once are exchanged; those that are asked of every text ("What emotion ...?")
    have an answer in each.
    """
    if not share:
        return list(rows)
    rng = random.Random(seed)  # noqa: S311
    asked = Counter(row.instruction for row in rows)
    particular: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        if asked[row.instruction] == 1:
            particular.setdefault(row.source, []).append(i)
    candidates = [i for indices in particular.values() for i in indices]
    result = list(rows)
    for i in rng.sample(candidates, min(len(candidates), round(share * len(rows)))):
        other = rows[rng.choice(particular[rows[i].source])]
        if other.text != rows[i].text:
            result[i] = replace(rows[i], instruction=other.instruction, answer=NOT_MENTIONED)
    return result


def _unused(name: str, taken: Container[str]) -> str:
    """Return the name, numbered where it is taken; never a path, which would tell of this machine."""
    numbered = (f"{name} ({i})" for i in count(2))
    return next(n for n in chain([name], numbered) if n not in taken)


def _take(record: Record, source: str, stop_words: frozenset[str], examples: Examples) -> None:
    try:
        text, question, answer = (record.text(name) for name in (TEXT, INSTRUCTION, ANSWER))
    except InputError as error:
        examples.broken.append(str(error))
        return
    named = record.cells.get(SOURCE)
    examples.rows.append(Example(text, question, shorten(answer, stop_words), str(named or source)))


def _files(reference: str, *, offline: bool) -> list[Path]:
    path = Path(reference).expanduser()
    if path.is_file():
        return [path]
    if reference in HUB_SETS:
        return _from_hub(reference, offline=offline)
    raise InputError(
        "no such file",
        source=reference,
        hint=f"{did_you_mean(reference, HUB_SETS)}give JSON lines or Parquet, or {', '.join(HUB_SETS)}",
    )


def _from_hub(reference: str, *, offline: bool) -> list[Path]:
    from huggingface_hub import constants, snapshot_download

    revision, split = HUB_SETS[reference]
    offline = offline or constants.HF_HUB_OFFLINE
    try:
        folder = snapshot_download(reference, repo_type="dataset", revision=revision, local_files_only=offline)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"cannot get {reference}: it is not in the local cache and the hub is out of reach or refuses it",
            hint="go online once, or give files",
        ) from error
    return config_files(Path(folder), "", split)
