"""Let a teacher answer questions about texts, and keep what it says: resumable, since it may take nights."""

from __future__ import annotations

import time
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import pyarrow as pa

from inbedder_cli.errors import InbedderError, InputError, UsageError
from inbedder_cli.paths import expand
from inbedder_cli.progress import SILENT
from inbedder_cli.training.checkpoints import PARTIAL, clear, locked
from inbedder_cli.training.teacher_labels import Teacher, label_key, labels_table, read_labels, write_labels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from inbedder_cli.encoders import EncodedText, Encoder
    from inbedder_cli.encoders.encoded import Answer
    from inbedder_cli.options import EncodeOptions
    from inbedder_cli.progress import Reporter
    from inbedder_cli.training.examples import Example

POOL = 128  # texts of one question that are encoded together: the beginning of their prompts is encoded once
PART_SECONDS = 30.0  # of work that may be lost when the process is killed


def teach(
    examples: Sequence[Example],
    encoder: Encoder,
    output: Path,
    options: EncodeOptions,
    *,
    limit: int | None = None,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> int:
    """Write what a teacher says about each distinct text and question of some examples.

    What is labeled so far is kept in `OUTPUT.partial`, and the same call continues there.

    :param examples: texts and questions; their answers are not used.
    :param encoder: the teacher.
    :param output: the file of labels.
    :param options: how prompts are made and answers decoded.
    :param limit: label only the first rows, in the order of `label`; None labels all.
    :param force: drop the unfinished labels of another teacher.
    :param reporter: shows progress.
    :return: number of labels.
    :raises UsageError: when the unfinished labels are another teacher's, or another command is at work on them.
    """
    folder = output.with_name(output.name + PARTIAL)
    with locked(folder):
        table = label(examples, encoder, folder, options, limit=limit, force=force, reporter=reporter)
        write_labels(table, teacher_of(encoder, options), output)
        clear(folder)
    return len(table)


def describe_teaching(
    examples: Sequence[Example], encoder: Encoder, output: Path, options: EncodeOptions, limit: int | None = None
) -> tuple[list[str], float]:
    """Return what `teach` would do, beginning with the first prompt, and how long it would take; write nothing.

    :param examples: texts and questions.
    :param encoder: the teacher; it encodes a few texts, to estimate the time.
    :param output: the file of labels.
    :param options: how prompts are made and answers decoded.
    :param limit: label only the first rows; None labels all.
    :return: lines without a final period, and seconds.
    """
    pools = _pools(examples, limit)
    n_rows = sum(len(texts) for _, texts in pools)
    question, texts = max(pools, key=lambda pool: len(pool[1]))
    preview = encoder.preview(texts, question, options)
    lines = [
        *preview.prompt.split("\n"),
        "",
        f"rows: {n_rows:,}, questions: {len({question for question, _ in pools}):,}",
        f"teacher: {encoder.description}",
    ]
    partial = output.with_name(output.name + PARTIAL)
    if partial.is_dir():
        lines.append(f"unfinished labels: {partial}, which the command continues or refuses")
    return lines, preview.seconds * n_rows / max(1, preview.n_unique)


def label(
    examples: Sequence[Example],
    encoder: Encoder,
    folder: Path,
    options: EncodeOptions,
    *,
    limit: int | None = None,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> pa.Table:
    """Return what a teacher says, and keep it in a folder; what is there already is not asked again.

    The cache of encoded texts is not used: it would also store a vector of some kilobytes for each row. Texts of
    one question are encoded together, in pools that come in the order of their first texts.

    :param examples: texts and questions; their answers are not used.
    :param encoder: the teacher.
    :param folder: is made.
    :param options: how prompts are made and answers decoded.
    :param limit: number of rows; None labels all.
    :param force: drop the labels of another teacher in the folder.
    :param reporter: shows progress.
    :return: one row for each distinct text and question, in the order of labeling.
    :raises UsageError: when the folder holds labels of another teacher.
    """
    pools = _pools(examples, limit)
    keys = [label_key(text, question) for question, texts in pools for text in texts]
    parts = _Parts(folder, teacher_of(encoder, options))
    known = parts.open(force=force, reporter=reporter)
    n_known = sum(key in known for key in keys)
    if n_known:
        reporter.info(f"{n_known:,} of {len(keys):,} rows are labeled")
    n_new = 0
    try:
        with reporter.task("labeling", len(keys) - n_known, unit="rows") as advance:
            for question, texts in pools:
                labeled = {text for text in texts if label_key(text, question) in known}
                if len(labeled) == len(texts):
                    continue  # without loading the model
                for rows in encoder.encode_batches(texts, question, options, known=labeled):
                    parts.add(question, rows)
                    n_new += len(rows)
                    advance(n_new, n_new)
    except KeyboardInterrupt:
        reporter.warn(f"stopped; repeat the command to continue after {n_known + n_new:,} of {len(keys):,} rows")
        raise
    finally:
        parts.keep()
    table = parts.table()
    places = {key: i for i, key in enumerate(table["key"].to_pylist())}
    return table.take([places[key] for key in keys])


def teacher_of(encoder: Encoder, options: EncodeOptions) -> Teacher:
    """Return the description of a teacher.

    :param encoder: the teacher.
    :param options: how prompts are made and answers decoded.
    :return: the description; of a local model, the name without its folder.
    """
    path = expand(encoder.name)
    return Teacher(
        name=path.resolve().name if path.exists() else encoder.name,
        identity=encoder.identity,
        template=encoder.record.template if encoder.record else None,
        dtype=encoder.dtype,
        max_tokens=options.max_tokens,
        max_answer_tokens=options.max_answer_tokens,
    )


class _Parts:
    """Labels that are kept in small files until all are there.

    :param folder: of the files.
    :param teacher: who labels.
    """

    def __init__(self, folder: Path, teacher: Teacher) -> None:
        self.folder, self.teacher = folder, teacher
        self.tables: list[pa.Table] = [labels_table([])]
        self.new: list[tuple[bytes, Answer]] = []
        self.kept_at = time.monotonic()

    def open(self, *, force: bool, reporter: Reporter) -> set[bytes]:
        """Read the files that are there, or make the folder; return the keys of their labels."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InbedderError(f"cannot write to {self.folder}: {error.strerror}") from error
        for path in sorted(self.folder.glob("*.parquet")):
            try:
                table, teacher = read_labels(path)
            except InputError as error:
                reporter.warn(f"{error}; its rows are labeled again")
                continue
            if teacher.says_the_same(self.teacher):
                self.tables.append(table)
            elif force:
                path.unlink()
            else:
                raise UsageError(
                    f"{self.folder} holds unfinished labels of another teacher or other settings ({teacher.name})",
                    hint="repeat its command to finish them, or start again with --force",
                )
        return set(self.table()["key"].to_pylist())

    def add(self, question: str, rows: Mapping[str, EncodedText]) -> None:
        """Add encoded texts; from time to time, write what was added."""
        for text, row in rows.items():
            if row.answer is None:
                raise InbedderError("this teacher gives no answers", hint="choose another --model")
            self.new.append((label_key(text, question), row.answer))
        if time.monotonic() - self.kept_at > PART_SECONDS:
            self.keep()

    def keep(self) -> None:
        """Write what was added since the last call."""
        if self.new:
            table = labels_table(self.new)
            write_labels(table, self.teacher, self.folder / f"{self.new[0][0].hex()}.parquet")
            self.tables.append(table)
            self.new = []
        self.kept_at = time.monotonic()

    def table(self) -> pa.Table:
        """Return all labels, in any order."""
        return pa.concat_tables(self.tables)


def _pools(examples: Sequence[Example], limit: int | None) -> list[tuple[str, list[str]]]:
    """Return the distinct texts by question, up to `POOL` texts of one question together.

    They come in the order of their first texts, so that a limited run, too, has many questions.
    """
    by_question: dict[str, dict[str, int]] = {}
    for i, example in enumerate(examples):
        by_question.setdefault(example.instruction, {}).setdefault(example.text, i)
    pools: list[tuple[int, str, list[str]]] = []
    for question, places in by_question.items():
        texts = list(places)
        cuts = (texts[start : start + POOL] for start in range(0, len(texts), POOL))
        pools += [(places[cut[0]], question, cut) for cut in cuts]
    rows = [(question, text) for _, question, cut in sorted(pools) for text in cut]
    by_turns = groupby(rows[:limit], key=itemgetter(0))
    return [(question, [text for _, text in pairs]) for question, pairs in by_turns]
