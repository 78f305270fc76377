"""Examples -> the batches of a whole run, fixed by the seed before it begins, so that a run can be resumed."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inbedder_cli.training.examples import Example
    from inbedder_cli.training.recipes import TrainOptions

MEGABATCH = 16  # batches that are cut from one stretch of examples sorted by length
MAX_ANSWERS = 8  # different answers in a contrastive batch
LEAST_POOL = 24  # examples of a question worth contrasting
CANDIDATES = 4  # texts looked at for each one taken, for those of like length


class Batch(NamedTuple):
    """One step: indices of examples, and whether they answer one question and are contrasted."""

    rows: list[int]
    contrast: bool


def plan_run(examples: Sequence[Example], options: TrainOptions) -> list[Batch]:
    """Return the batches of a run, in order.

    Ordinary batches pass over all examples, alike in length. Between them, for `contrast_share` of all batches,
    stand those that ask one question of many texts: a few answers, several texts for each.
    """
    rng = random.Random(options.seed)  # noqa: S311
    pools = contrast_pools(examples) if options.contrast and options.contrast_share else []
    share = options.contrast_share if pools else 0.0
    ordinary = math.ceil(options.epochs * math.ceil(len(examples) / options.batch_size))
    wanted = options.max_examples or math.inf
    batches: list[Batch] = []
    seen = 0
    length = [len(e.text) + len(e.instruction) for e in examples]
    weights = [math.sqrt(size) for _, size in pools]
    stream = _ordinary(length, options.batch_size, rng)
    while ordinary and seen < wanted:
        if rng.random() < share:
            pool = rng.choices(pools, weights)[0]
            batch = Batch(_contrasted(rng, pool, length, options.batch_size), True)
        else:
            batch = Batch(next(stream), False)
            ordinary -= 1
        batches.append(batch)
        seen += len(batch.rows)
    return batches


Pool = tuple[dict[str, list[int]], int]  # examples of one question by their answers, and how many


def contrast_pools(examples: Sequence[Example]) -> list[Pool]:
    """Return the questions that several texts answer alike and others otherwise."""
    asked: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, example in enumerate(examples):
        asked[example.instruction.casefold()][example.answer.casefold()].append(i)
    pools = []
    for answers in asked.values():
        shared = {answer: rows for answer, rows in answers.items() if len(rows) > 1}
        size = sum(map(len, shared.values()))
        if len(shared) > 1 and size >= LEAST_POOL:
            pools.append((shared, size))
    return pools


def _ordinary(length: Sequence[int], size: int, rng: random.Random) -> Iterator[list[int]]:
    """Yield batches for ever, each pass in a new order."""
    while True:
        order = list(range(len(length)))
        rng.shuffle(order)
        stretch = size * MEGABATCH
        for start in range(0, len(order), stretch):
            rows = sorted(order[start : start + stretch], key=length.__getitem__)
            cut = [rows[i : i + size] for i in range(0, len(rows), size)]
            rng.shuffle(cut)
            yield from cut


def _contrasted(rng: random.Random, pool: Pool, length: Sequence[int], size: int) -> list[int]:
    """Return texts of a few answers, alike in length: less padding, and length tells nothing about the answer."""
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
