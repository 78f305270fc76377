"""Read examples, remove stop words from their answers, and hold some out."""

from __future__ import annotations

import hashlib
import os
import random
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from inbedder_cli.corpus.values import replace_surrogates
from inbedder_cli.encoders.transformers.decoding import NOT_MENTIONED
from inbedder_cli.errors import InputError, ModelError, did_you_mean
from inbedder_cli.evaluation.hub_files import config_files, read_file
from inbedder_cli.evaluation.suites import column_texts
from inbedder_cli.explanation.stop_words import fold_text
from inbedder_cli.models.convert import file_sha256
from inbedder_cli.paths import expand
from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.evaluation.records import Record

# The training set that was published with the paper.
HUB_SETS = {"KomeijiForce/Inbedder-Pretrain-Data": ("main", "train")}
TEXT, INSTRUCTION, ANSWER, SOURCE = "input", "instruction", "output", "source"
BARE = re.compile(r"\w(?:.*\w)?", re.DOTALL)  # a word without the punctuation around it
SHOWN = 5  # unusable rows that a warning lists


@dataclass(frozen=True)
class Example:
    """A text, a question about it, and the target answer.

    :param text: the text.
    :param instruction: the question.
    :param answer: without stop words; "" where it is not known.
    :param source: where the example comes from.
    :param is_gold: whether the answer comes from the data, not from a teacher.
    """

    text: str
    instruction: str
    answer: str
    source: str = ""
    is_gold: bool = True


@dataclass(frozen=True)
class LabeledTable:
    """A table of texts, the questions about each, and the columns that answer them.

    :param corpus: the table and its texts.
    :param instructions: the questions.
    :param answers: one column for each question; empty where a teacher is to answer.
    """

    corpus: Corpus
    instructions: tuple[str, ...]
    answers: tuple[str, ...] = ()


@dataclass
class Examples:
    """The examples of one or more files.

    :param rows: the usable examples.
    :param files: SHA-256 of each file, by name.
    :param broken: one message per unusable row, with file and line.
    """

    rows: list[Example] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    @property
    def sources(self) -> dict[str, int]:
        """Number of examples per source, the largest first."""
        return dict(Counter(row.source for row in self.rows).most_common())

    def warning(self) -> str | None:
        """Return one line about the unusable rows, or None if there are none.

        :return: the line, without a final period.
        """
        if not self.broken:
            return None
        more = f", and {len(self.broken) - SHOWN:,} more" if len(self.broken) > SHOWN else ""
        return f"{count_of(len(self.broken), 'row')} left out: {'; '.join(self.broken[:SHOWN])}{more}"


def read_examples(
    data: Sequence[str] | LabeledTable,
    stop_words: frozenset[str],
    *,
    offline: bool = False,
    needs_answers: bool = True,
) -> Examples:
    """Return examples from files, from a set on the hub, or from a table.

    Rows of files have the fields input, instruction and output, and may have source.

    :param data: paths of JSON-lines, Parquet or CSV files, or names of `HUB_SETS`; or a table, whose rows
        without a text are passed over.
    :param stop_words: removed from the answers, see `shorten_answer`.
    :param offline: use the local cache only.
    :param needs_answers: whether a row without an answer is unusable.
    :return: the usable examples, and messages about the others.
    :raises InputError: when a file cannot be read, or there is no usable example.
    :raises ModelError: when a set cannot be fetched.
    """
    examples = Examples()
    if isinstance(data, LabeledTable):
        _add_table(data, stop_words, examples, needs_answers=needs_answers)
    for reference in () if isinstance(data, LabeledTable) else data:
        for file in _files(reference, offline=offline):
            examples.files[_unused_name(file.name, examples.files)] = file_sha256(file)
            for record in read_file(file, examples.broken, as_text=True):
                _add_record(record, Path(reference).stem, stop_words, examples, needs_answers=needs_answers)
    if not examples.rows:
        fields = f"{TEXT}, {INSTRUCTION} and {ANSWER}" if needs_answers else f"{TEXT} and {INSTRUCTION}"
        raise InputError(
            f"no usable example ({examples.warning() or 'no rows'})",
            source=data.corpus.source if isinstance(data, LabeledTable) else ", ".join(data),
            hint=f"a row needs the fields {fields}",
        )
    return examples


def shorten_answer(answer: str, stop_words: frozenset[str]) -> str:
    """Return the answer without its stop words, or the whole answer if it consists of stop words only.

    In the ablation of InBedder, section 3.1, this improves the score by 6.3 points.

    :param answer: the answer as it was read.
    :param stop_words: lower-case words.
    :return: never empty, unless the answer has no words.

    >>> shorten_answer("in the garden of a king", frozenset(["in", "the", "of", "a"]))
    'garden king'
    >>> shorten_answer("I am", frozenset(["i", "am"]))
    'I am'
    """
    words = answer.split()
    kept = [w for w in words if bare_word(fold_text(w)) not in stop_words]
    return " ".join(w for w in kept if bare_word(w)) or " ".join(words)


def bare_word(word: str) -> str:
    """Return a word without the punctuation around it.

    :param word: without white space.
    :return: "" if it has no letter or digit.

    >>> bare_word("(don't!)")
    "don't"
    """
    found = BARE.search(word)
    return found[0] if found else ""


def hold_out(rows: Sequence[Example], n_dev: int) -> tuple[list[Example], list[Example]]:
    """Return training examples and about `n_dev` held-out ones, with no text in both.

    A text's split depends on its hash alone, so a file is always split in the same way.

    :param rows: all examples.
    :param n_dev: number of examples to hold out; at most a tenth of all.
    :return: training examples and held-out examples.
    """
    share = min(0.1, n_dev / max(1, len(rows)))
    limit = int(share * 2**64)
    sides: tuple[list[Example], list[Example]] = ([], [])
    for row in rows:
        digest = hashlib.blake2b(row.text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        sides[int.from_bytes(digest, "big") < limit].append(row)
    return sides


def add_unanswerable(rows: Sequence[Example], share: float, seed: int) -> list[Example]:
    """Return the examples after giving some of them the question of another text, with the answer "not mentioned".

    Only questions that occur once are exchanged, between texts of the same source. A question that many texts
    share ("What emotion ...?") has an answer in each of them.

    :param rows: all examples.
    :param share: share of the examples to change, 0 to 1.
    :param seed: of the random choice.
    :return: as many examples, in the same order.
    """
    if not share:
        return list(rows)
    rng = random.Random(seed)  # noqa: S311
    counts = Counter(row.instruction for row in rows)
    unique: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        if counts[row.instruction] == 1:
            unique.setdefault(row.source, []).append(i)
    candidates = [i for indices in unique.values() for i in indices]
    result = list(rows)
    for i in rng.sample(candidates, min(len(candidates), round(share * len(rows)))):
        other = rows[rng.choice(unique[rows[i].source])]
        if other.text != rows[i].text:
            result[i] = replace(rows[i], instruction=other.instruction, answer=NOT_MENTIONED)
    return result


def _unused_name(name: str, taken: Container[str]) -> str:
    """Return the name, numbered if it is taken. Paths are not used, because the card should not reveal them."""
    numbered = (f"{name} ({i})" for i in count(2))
    return next(n for n in chain([name], numbered) if n not in taken)


def _add_record(
    record: Record, source: str, stop_words: frozenset[str], examples: Examples, *, needs_answers: bool
) -> None:
    is_open = not needs_answers and record.cells.get(ANSWER) in (None, "")
    try:
        text, question = (record.text(name) for name in (TEXT, INSTRUCTION))
        answer = "" if is_open else record.text(ANSWER)
    except InputError as error:
        examples.broken.append(str(error))
        return
    given_source = record.cells.get(SOURCE)
    answer = shorten_answer(replace_surrogates(answer), stop_words)
    examples.rows.append(Example(text, replace_surrogates(question), answer, str(given_source or source)))


def _add_table(
    table: LabeledTable, stop_words: frozenset[str], examples: Examples, *, needs_answers: bool
) -> None:
    corpus = table.corpus
    name = Path(corpus.source).name
    columns = [column_texts(corpus, column) for column in table.answers]
    for i in corpus.readable:
        for number, instruction in enumerate(table.instructions):
            answer = columns[number][i] if columns else ""
            if answer or not needs_answers:
                source = table.answers[number] if columns else name
                shortened = shorten_answer(answer, stop_words)
                examples.rows.append(Example(corpus.texts[i], instruction, shortened, source))
            else:
                examples.broken.append(f"{corpus.source}, row {corpus.ids[i]}: no {table.answers[number]}")
    content = hashlib.sha256("\0".join([*corpus.texts, *chain(*columns)]).encode("utf-8", "surrogatepass"))
    examples.files[name] = content.hexdigest()


def _files(reference: str, *, offline: bool) -> list[Path]:
    path = expand(reference)
    if os.path.isfile(path):  # noqa: PTH113 (never raises)
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
            f"cannot get {reference}: it is not in the local cache, and the hub is out of reach or refuses it",
            hint="go online once, or give files",
        ) from error
    return config_files(Path(folder), "", split)
