"""What a student learns from its teachers: answers where the data have none, and how alike the answers are."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from inbedder_cli.encoders import load_encoder
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.explanation.stop_words import words_of
from inbedder_cli.options import EncodeOptions
from inbedder_cli.paths import expand
from inbedder_cli.training.distributed import n_processes
from inbedder_cli.training.examples import Example, shorten_answer
from inbedder_cli.training.recipes import MAX_WORDS, MIN_CONFIDENCE, TEACHER_TEMPERATURE
from inbedder_cli.training.teacher_labels import TeacherLabels, write_labels
from inbedder_cli.training.teaching import label, teacher_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from inbedder_cli.progress import Reporter

SUFFIX = ".parquet"
CHOICES = re.compile(r"[/,(]| or ", re.IGNORECASE)  # in a question: "Is it good or bad?"


def read_or_label(
    references: Sequence[str],
    examples: Sequence[Example],
    folder: Path | None,
    stop_words: frozenset[str],
    *,
    device: str,
    offline: bool,
    reporter: Reporter,
) -> TeacherLabels:
    """Return what the teachers say. A teacher that is a model labels the examples first.

    :param references: files of labels, or model references.
    :param examples: texts and questions.
    :param folder: of the unfinished run, where new labels are kept; None if all teachers are files.
    :param stop_words: are not learned.
    :param device: of a model: "auto", "cpu", "cuda", "mps".
    :param offline: use the local cache only.
    :param reporter: shows progress.
    :return: the labels; those of the first teacher count first.
    :raises UsageError: when several processes would label.
    """
    paths = []
    for reference in references:
        path = expand(reference)
        if folder is not None and not is_labels_file(reference):
            if n_processes() > 1:
                raise UsageError(
                    "several processes cannot label together",
                    hint=f"label first: inbedder teach DATA -m {reference} -o labels.parquet",
                )
            encoder = load_encoder(reference, device=device, offline=offline, cache=False, reporter=reporter)
            options = EncodeOptions()
            path = folder / f"teacher-{hashlib.sha256(encoder.identity.encode()).hexdigest()[:8]}{SUFFIX}"
            table = label(examples, encoder, path.with_suffix(""), options, reporter=reporter)
            write_labels(table, teacher_of(encoder, options), path)
        paths.append(path)
    return TeacherLabels.read(paths, stop_words)


def is_labels_file(reference: str) -> bool:
    """Return whether a teacher is a file of labels, or else a model.

    :param reference: as it was given.
    """
    path = expand(reference)
    return path.suffix.lower() == SUFFIX or (path.is_file() and path.suffix.lower() != ".gguf")


def complete_examples(
    examples: Sequence[Example], labels: TeacherLabels, stop_words: frozenset[str]
) -> tuple[list[Example], dict[str, int]]:
    """Return the examples, with the teacher's answer where the data have none.

    An example without an answer is left out where the teacher has not labeled it, or is unsure: less confident
    than `MIN_CONFIDENCE`, without a word beside those of the question, or with more than `MAX_WORDS`, which may
    be cut off.

    :param examples: with or without answers.
    :param labels: what the teachers say.
    :param stop_words: removed from the answers.
    :return: the examples that can be learned, in the same order, and counts for the training card.
    :raises InputError: when none of the examples is labeled, or none is left.
    """
    rows: list[Example] = []
    counts = Counter(labeled=0, answered=0, unsure=0, unlabeled=0)
    for example in examples:
        row = labels.row(example)
        counts["labeled"] += row is not None
        if example.answer:
            rows.append(example)
        elif row is None:
            counts["unlabeled"] += 1
        elif labels.confidences[row] < MIN_CONFIDENCE or not _says_something(
            labels.answers[row], example.instruction, stop_words
        ):
            counts["unsure"] += 1
        else:
            counts["answered"] += 1
            rows.append(replace(example, answer=shorten_answer(labels.answers[row], stop_words), is_gold=False))
    if not counts["labeled"]:
        raise InputError(
            f"the teacher's labels are of none of the {len(examples):,} examples",
            hint="label the same data: inbedder teach DATA -m TEACHER -o labels.parquet",
        )
    if not rows:
        raise InputError(f"no usable example is left: the teacher is unsure of {counts['unsure']:,} of them")
    return rows, dict(counts)


def _says_something(answer: str, question: str, stop_words: frozenset[str]) -> bool:
    """Return whether an answer is whole, short, and more than an echo of the question, unless that has choices."""
    is_whole = "\ufffd" not in answer  # the rest of a character that the last token does not finish
    words = set(words_of(answer)) - stop_words
    if not CHOICES.search(question):
        words -= set(words_of(question))
    return bool(words) and is_whole and len(answer.split()) <= MAX_WORDS


def teacher_record(labels: TeacherLabels) -> dict[str, Any]:
    """Return what a run depends on besides its examples, as JSON values.

    :param labels: what the teachers say.
    :return: a part of the training card.
    """
    return {
        "models": [asdict(teacher) for teacher in labels.teachers],
        "labels": labels.files,
        "min_confidence": MIN_CONFIDENCE,
        "max_words": MAX_WORDS,
        "temperature": TEACHER_TEMPERATURE,
    }
