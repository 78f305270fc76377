"""Plan all batches of a run before it starts, deterministically by seed, so that a run can be resumed."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from inbedder_cli.training.examples import Example
    from inbedder_cli.training.recipes import TrainOptions

MEGABATCH = 16  # batches per stretch of examples that is sorted by length
MAX_ANSWERS = 8  # different answers in a contrastive batch
MIN_POOL = 24  # fewest examples of a question in contrastive batches
MIN_TAUGHT = 8  # fewest of a question with soft targets, whose answers need not be shared
CANDIDATES = 4  # texts considered for each one taken, to find texts of similar length


class Batch(NamedTuple):
    """The examples of one step.

    :param rows: indices of examples.
    :param contrast: whether all share one question and the contrastive term applies.
    """

    rows: list[int]
    contrast: bool


def plan_run(
    examples: Sequence[Example], options: TrainOptions, taught: Collection[int] = frozenset()
) -> list[Batch]:
    """Return the batches of a run, in order.

    Ordinary batches pass over all examples and hold texts of similar length. A share of all batches
    (`contrast_share`) is contrastive: one question, a few answers, several texts for each.

    :param examples: training examples.
    :param options: sizes, epochs, shares and seed.
    :param taught: indices of the examples with soft targets of a teacher.
    :return: one batch per step and process.
    """
    rng = random.Random(options.seed)  # noqa: S311
    pools = contrast_pools(examples, taught) if options.contrast and options.contrast_share else []
    share = options.contrast_share if pools else 0.0
    ordinary = math.ceil(options.epochs * math.ceil(len(examples) / options.batch_size))
    limit = options.max_examples or math.inf
    batches: list[Batch] = []
    seen = 0
    length = [len(e.text) + len(e.instruction) for e in examples]
    weights = [math.sqrt(size) for _, size in pools]
    stream = _ordinary(length, options.batch_size, rng)
    while ordinary and seen < limit:
        if rng.random() < share:
            pool = rng.choices(pools, weights)[0]
            batch = Batch(_contrastive(rng, pool, length, options.batch_size), True)
        else:
            batch = Batch(next(stream), False)
            ordinary -= 1
        batches.append(batch)
        seen += len(batch.rows)
    return batches


Pool = tuple[dict[str, list[int]], int]  # examples of one question by answer, and their number


def contrast_pools(examples: Sequence[Example], taught: Collection[int] = frozenset()) -> list[Pool]:
    """Return the questions of contrastive batches.

    These have at least two answers with several texts each. Where a teacher says how alike the answers are, they
    may all differ: the taught examples of a question that are in no such pool form a pool of one group.

    :param examples: training examples.
    :param taught: indices of the examples with soft targets of a teacher.
    :return: the examples of each such question.
    """
    by_question: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, example in enumerate(examples):
        if example.is_gold:
            by_question[example.instruction.casefold()][example.answer.casefold()].append(i)
    pools = []
    for answers in by_question.values():
        shared = {answer: rows for answer, rows in answers.items() if len(rows) > 1}
        size = sum(map(len, shared.values()))
        if len(shared) > 1 and size >= MIN_POOL:
            pools.append((shared, size))
    pooled = {i for answers, _ in pools for rows in answers.values() for i in rows}
    others: dict[str, list[int]] = defaultdict(list)
    for i in sorted(set(taught) - pooled):
        others[examples[i].instruction.casefold()].append(i)
    return pools + [({"": rows}, len(rows)) for rows in others.values() if len(rows) >= MIN_TAUGHT]


def _ordinary(length: Sequence[int], size: int, rng: random.Random) -> Iterator[list[int]]:
    """Yield batches without end, each pass over the examples in a new order."""
    while True:
        order = list(range(len(length)))
        rng.shuffle(order)
        stretch = size * MEGABATCH
        for start in range(0, len(order), stretch):
            rows = sorted(order[start : start + stretch], key=length.__getitem__)
            cut = [rows[i : i + size] for i in range(0, len(rows), size)]
            rng.shuffle(cut)
            yield from cut


def _contrastive(rng: random.Random, pool: Pool, length: Sequence[int], size: int) -> list[int]:
    """Return texts of a few answers and of similar length: less padding, and length does not reveal the answer."""
    answers = pool[0]
    weights = {answer: math.sqrt(len(rows)) for answer, rows in answers.items()}
    chosen: list[str] = []
    while weights and len(chosen) < max(2, min(MAX_ANSWERS, size // 2)):
        answer = rng.choices(list(weights), list(weights.values()))[0]
        del weights[answer]
        chosen.append(answer)
    each = max(2, size // len(chosen))
    near = length[rng.choice(answers[chosen[0]])]
    batch = []
    for answer in chosen:
        rows = rng.sample(answers[answer], min(CANDIDATES * each, len(answers[answer])))
        batch += sorted(rows, key=lambda i: abs(length[i] - near))[:each]
    return batch
