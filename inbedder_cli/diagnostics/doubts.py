"""What makes the answers to a question doubtful, as it can be told from them alone."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from inbedder_cli.explanation.yes_no import is_yes_no_question
from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    from inbedder_cli.embeddings import Embeddings

LEAST_ANSWERS = 5  # below which one answer may well be that of most rows
DOMINANT = 0.6  # share of the answers above which one answer gets a warning


def doubts_about(embeddings: Embeddings, max_tokens: int) -> list[str]:
    """Return warnings about truncated texts, and about one dominant answer.

    :param embeddings: the embeddings of one question.
    :param max_tokens: maximum length of a prompt, in tokens.
    :return: one sentence each.
    """
    doubts = []
    if n := embeddings.n_truncated:
        were = "was" if n == 1 else "were"
        doubts.append(f"{count_of(n, 'text')} {were} truncated to fit {max_tokens} tokens (--max-tokens)")
    answers = [a for a in embeddings.answers or () if a]
    if answers and not is_yes_no_question(embeddings.instruction or ""):  # most may well say yes
        answer, n = Counter(answers).most_common(1)[0]
        if len(answers) >= LEAST_ANSWERS and n > DOMINANT * len(answers):
            asked = f' to "{embeddings.instruction}"' if embeddings.instruction else ""
            share = f'{100 * n / len(answers):.0f} % of the answers{asked} are "{answer}"'
            doubts.append(f"{share}: does the question fit the texts?")
    return doubts
