"""What the commands that read texts with a model have in common."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

from inbedder_cli.errors import InputError, RowsFailedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.encoders import Encoder
    from inbedder_cli.options import ClusterOptions, EncodeOptions
    from inbedder_cli.progress import Reporter
    from inbedder_cli.results import Embeddings


DOMINANT = 0.6  # share of one answer that is worth a remark


def needed_instruction(instruction: str | None) -> str:
    """Return the instruction.

    :raises UsageError: when there is none, or it is blank.
    """
    if instruction is None:
        raise UsageError("no instruction", hint='ask a question: -i "What emotion is expressed?"')
    if not instruction.strip():
        raise UsageError("the instruction is empty", hint='ask a question: -i "What emotion is expressed?"')
    return instruction


def check_before_work(corpus: Corpus, clustering: ClusterOptions) -> None:
    """Refuse, before hours of reading, options that make no sense, or that so few rows cannot fill."""
    from inbedder_cli.clustering import check_options

    try:
        check_options(clustering, len(corpus.readable))
    except InputError as error:
        raise InputError(str(error), source=corpus.source, hint=error.hint) from error


def show_preview(encoder: Encoder, corpus: Corpus, instructions: Sequence[str], options: EncodeOptions) -> None:
    """Print what a run would do (--dry-run), over all its questions."""
    texts = [corpus.texts[i] for i in corpus.readable]
    previews = [encoder.preview(texts, instruction, options) for instruction in instructions]
    lines = [
        *(f"{_harmless(preview.prompt)}\n" for preview in previews),
        f"rows: {len(corpus):,}, with text: {len(texts):,}, different: {previews[0].n_unique:,}",
        f"tokens: {sum(preview.n_tokens for preview in previews):,}, "
        f"texts to be shortened: {max(preview.n_truncated for preview in previews):,}",
        f"estimated time: {_duration(sum(preview.seconds for preview in previews))}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _harmless(prompt: str) -> str:
    """Return a prompt without characters that steer a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in prompt)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def tell_about_embedding(embedding: Embeddings, max_tokens: int, reporter: Reporter) -> None:
    """Say what did not go as usual.

    :raises RowsFailedError: when some rows have no finite vector.
    """
    if embedding.n_truncated:
        reporter.warn(f"{embedding.n_truncated:,} texts were shortened to fit {max_tokens} tokens (--max-tokens)")
    answers = [a for a in embedding.answers or () if a]
    if answers:
        answer, n = Counter(answers).most_common(1)[0]
        if n > DOMINANT * len(answers):
            reporter.warn(
                f'{100 * n / len(answers):.0f} % of the answers are "{answer}": does the question fit the texts?'
            )
    if n_failed := sum(s == "failed" for s in embedding.status):
        raise RowsFailedError(
            f"{n_failed:,} rows have no finite vector (status failed)",
            hint="try --dtype float32; the rest is written",
        )
