"""Shared by the commands that encode texts: the dry run, and warnings about the embeddings."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from inbedder_cli.diagnostics.doubts import doubts_about
from inbedder_cli.errors import RowsFailedError
from inbedder_cli.explanation.parts import split_text
from inbedder_cli.wording import count_of, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.embeddings import Embeddings
    from inbedder_cli.encoders import Encoder
    from inbedder_cli.encoders.base import Preview
    from inbedder_cli.options import EncodeOptions
    from inbedder_cli.progress import Reporter


def show_preview(
    encoder: Encoder,
    corpus: Corpus,
    instructions: Sequence[str],
    options: EncodeOptions,
    *,
    multi: bool = False,
) -> None:
    """Print one prompt per question, and the counts and estimated time of the run (--dry-run)."""
    texts = [corpus.texts[i] for i in corpus.readable]
    parts = [part for text in texts for part in split_text(text)] if multi else []
    previews = [encoder.preview([*texts, *parts], instruction, options) for instruction in instructions]
    lines = [
        *("\n".join(map(visible, preview.prompt.split("\n"))) + "\n" for preview in previews),
        f"rows: {len(corpus):,}, with text: {len(texts):,}, {f'parts: {len(parts):,}, ' if multi else ''}"
        f"different: {previews[0].n_unique:,}, cached: {_cached(previews)}",
        f"tokens: {sum(preview.n_tokens for preview in previews):,}, "
        f"texts to be truncated: {max(preview.n_truncated for preview in previews):,}",
        f"estimated time: {duration(sum(preview.seconds for preview in previews))}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _cached(previews: Sequence[Preview]) -> str:
    """Return how many texts are cached, for each question if that differs."""
    return " and ".join(f"{n:,}" for n in dict.fromkeys(preview.n_cached for preview in previews))


def print_plan(lines: Sequence[str], output: Path | None) -> None:
    """Print what a command would do (--dry-run).

    :param lines: one statement each.
    :param output: what it would write; None for standard output.
    """
    target = "standard output" if output is None else output
    sys.stdout.write("\n".join(map(visible, [*lines, f"output: {target}"])) + "\n")


def duration(seconds: float) -> str:
    """Return a time as a person would say it, for example "12 min".

    :param seconds: an estimate.
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def tell_of_unanswered(embeddings: Embeddings, reporter: Reporter) -> None:
    """Say how many rows do not answer the question.

    :param embeddings: the embeddings of one question, flagged.
    :param reporter: receives the message.
    """
    if n := len(embeddings.unanswered):
        reporter.info(f"{n:,} of {count_of(len(embeddings.status), 'row')} do not answer the question (no-answer)")


def warn_about_embeddings(results: Iterable[Embeddings], max_tokens: int, reporter: Reporter) -> None:
    """Warn of what is doubtful in the answers to each question, then fail if rows have.

    :param results: the embeddings of each question.
    :param max_tokens: maximum length of a prompt, in tokens.
    :param reporter: receives the warnings.
    :raises RowsFailedError: when some rows have no finite vector.
    """
    from inbedder_cli.embeddings import RowStatus

    n_failed = 0
    for embeddings in results:
        for doubt in doubts_about(embeddings, max_tokens):
            reporter.warn(doubt)
        n_failed = max(n_failed, embeddings.status.count(RowStatus.failed))
    if n_failed:
        raise RowsFailedError(
            f"{count_of(n_failed, 'row')} without a finite vector (status failed)",
            hint="try --dtype float32; the other rows were written",
        )
