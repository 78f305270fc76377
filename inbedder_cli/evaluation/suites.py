"""A folder, or the user's own labeled table -> a suite. docs/evaluate.md describes the layout of a folder."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.arrow_values import cell_values
from inbedder_cli.corpus.columns import list_names
from inbedder_cli.corpus.values import value_as_text
from inbedder_cli.errors import InputError, did_you_mean
from inbedder_cli.evaluation.records import Record, labeled_texts, read_records
from inbedder_cli.evaluation.tasks import (
    ClusteringTask,
    Goal,
    Pair,
    PairTask,
    SimilarityTask,
    Suite,
    Triplet,
    TripletTask,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from inbedder_cli.corpus import Corpus

TASKS, TRIPLETS, PAIRS, SIMILARITY = "tasks.json", "triplets.jsonl", "instruct_sts.jsonl", "stsb_dev.jsonl"
# The question that the reference code asks about STS-B (zhang-yu-wei/InBedder, 3d95d4fa).
LEAST_ROWS = 10  # of a table whose labels must not all differ
SIMILARITY_INSTRUCTION = "Extract key words from the sentence."


def read_folder(folder: Path) -> Suite:
    """Return the suite in a folder.

    :param folder: holds any of tasks.json (with its files), triplets.jsonl, instruct_sts.jsonl and stsb_dev.jsonl.
    :return: the tasks.
    :raises InputError: for a file or line that cannot be used.
    """
    names = (TASKS, TRIPLETS, PAIRS, SIMILARITY)
    if not any(os.path.isfile(folder / name) for name in names):  # noqa: PTH113 (never raises)
        raise InputError(
            f"holds none of {TASKS}, {TRIPLETS}, {PAIRS}, {SIMILARITY}",
            source=str(folder),
            hint="docs/evaluate.md describes a suite's layout",
        )
    clusterings, notes = _clusterings(folder)
    return Suite(
        name=folder.name or str(folder),
        clusterings=clusterings,
        triplets=tuple(triplet_tasks(_records(folder / TRIPLETS))),
        pairs=tuple(pair_tasks(_records(folder / PAIRS))),
        similarities=tuple(_similarities(folder / SIMILARITY)),
        notes=notes,
    )


def table_suite(corpus: Corpus, gold: Sequence[str], instructions: Sequence[str]) -> Suite:
    """Return a suite of the user's own table: one clustering task per gold column.

    :param corpus: the table and its texts.
    :param gold: columns that hold the known classes.
    :param instructions: the question of each gold column.
    :return: the tasks, and notes about rows that were left out.
    :raises InputError: for a missing column, or one that holds fewer than two classes, or a class for each row.
    """
    tasks, notes = [], []
    for column, instruction in zip(gold, instructions, strict=True):
        labels = column_texts(corpus, column)
        kept = [i for i in corpus.readable if labels[i]]
        if len({labels[i] for i in kept}) < 2:
            raise InputError(
                "holds fewer than two classes on rows with text: there is nothing to distinguish",
                source=corpus.source,
                column=column,
            )
        if len({labels[i] for i in kept}) == len(kept) >= LEAST_ROWS:
            raise InputError(
                "holds another label in each row, which any clusters of one row each would match",
                source=corpus.source,
                column=column,
                hint="name a column of classes",
            )
        if left_out := len(corpus) - len(kept):
            notes.append(f"{column}: {left_out:,} of {len(corpus):,} rows have no text or no label, left out")
        tasks.append(
            ClusteringTask(
                name=column,
                corpus=corpus.source,
                texts=tuple(corpus.texts[i] for i in kept),
                labels=tuple(labels[i] for i in kept),
                instruction=instruction,
            )
        )
    return Suite(corpus.source, clusterings=tuple(tasks), notes=tuple(notes))


def triplet_tasks(records: Sequence[Record]) -> list[TripletTask]:
    """Return triplets grouped by set and goal.

    :param records: with set, goal, instruction, anchor, positive, negative, and optionally id.
    :return: one task per set.
    :raises InputError: when a goal has several questions, or a key is missing.
    """
    sets: dict[str, dict[str, tuple[str, list[Triplet]]]] = {}
    for record in records:
        question = record.text("instruction")
        goals = sets.setdefault(record.text("set"), {})
        first, triplets = goals.setdefault(record.text("goal"), (question, []))
        if first != question:
            raise record.error(f'differs from the question of this goal above: "{first}"', "instruction")
        given_id = record.label("id") if "id" in record.cells else None
        texts = (record.text(name) for name in ("anchor", "positive", "negative"))
        triplets.append(Triplet(given_id or str(len(triplets)), *texts))
    return [
        TripletTask(name, tuple(Goal(goal, question, tuple(rows)) for goal, (question, rows) in goals.items()))
        for name, goals in sets.items()
    ]


def pair_tasks(records: Sequence[Record]) -> list[PairTask]:
    """Return pairs grouped by set.

    :param records: with set, sentence1, sentence2, instruction and score.
    :return: one task per set.
    :raises InputError: when a key is missing.
    """
    sets: dict[str, list[Pair]] = {}
    for record in records:
        sentences = record.text("sentence1"), record.text("sentence2")
        pair = Pair(*sentences, record.text("instruction"), record.number("score"))
        sets.setdefault(record.text("set"), []).append(pair)
    return [PairTask(name, tuple(pairs)) for name, pairs in sets.items()]


def _similarities(path: Path) -> list[SimilarityTask]:
    pairs = tuple(
        Pair(r.text("sentence1"), r.text("sentence2"), SIMILARITY_INSTRUCTION, r.number("score"))
        for r in _records(path)
    )
    return [SimilarityTask(path.stem, pairs)] if pairs else []


def _records(path: Path) -> list[Record]:
    return read_records(path) if path.is_file() else []


def _clusterings(folder: Path) -> tuple[tuple[ClusteringTask, ...], tuple[str, ...]]:
    path = folder / TASKS
    if not path.is_file():
        return (), ()
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise InputError(f"bad JSON: {error}", source=str(path)) from error
    if not isinstance(entries, list):
        raise InputError("is not a list of tasks", source=str(path))
    files: dict[str, list[Record]] = {}
    tasks, notes = [], []
    for number, entry in enumerate(entries, start=1):
        task, left_out = _clustering(folder, path, number, entry, files)
        tasks.append(task)
        if left_out:
            total = left_out + len(task.texts)
            notes.append(f"{task.name}: {left_out:,} of {total:,} rows have no text or no label, left out")
    return tuple(tasks), tuple(notes)


def _clustering(
    folder: Path,
    path: Path,
    number: int,
    entry: Any,  # noqa: ANN401
    files: dict[str, list[Record]],
) -> tuple[ClusteringTask, int]:
    def wrong(problem: str) -> InputError:
        return InputError(f"task {number}: {problem}", source=str(path))

    def text(key: str) -> str:
        value = entry.get(key)
        if not isinstance(value, str) or not value.strip():
            raise wrong(f'"{key}" is missing or not a text')
        return value.strip()

    def texts(key: str) -> tuple[str, ...]:
        value = entry.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) and v.strip() for v in value):
            raise wrong(f'"{key}" is not a list of texts')
        return tuple(v.strip() for v in value)

    if not isinstance(entry, dict):
        raise wrong("is not an object")
    file = text("file")
    if file not in files:
        if not (folder / file).is_file():
            raise wrong(f'there is no file "{file}" beside it')
        files[file] = read_records(folder / file)
    rows, labels, left_out = labeled_texts(files[file], "text", text("label_column"))
    if len(set(labels)) < 2:
        raise wrong(
            f'"{text("label_column")}" of {file} holds fewer than two classes: there is nothing to distinguish'
        )
    task = ClusteringTask(
        name=text("task"),
        corpus=file.rsplit(".", 1)[0],
        texts=rows,
        labels=labels,
        instruction=text("instruction"),
        paraphrases=texts("paraphrases"),
        implicit=texts("implicit_instructions"),
        incorrect=texts("incorrect_instructions"),
    )
    return task, left_out


def column_texts(corpus: Corpus, name: str) -> list[str]:
    """Return a column's cells as stripped texts, "" where there is none.

    :param corpus: the table.
    :param name: of the column.
    :raises InputError: for a column that is not there.
    """
    table = corpus.table
    if name not in table.column_names:
        hint = f"{did_you_mean(name, table.column_names)}columns: {list_names(table.column_names)}"
        raise InputError(f'no column "{name}"', source=corpus.source, hint=hint)
    values = cell_values(table.column(name), table.schema.field(name))
    return [value_as_text(value).strip() for value in values]
