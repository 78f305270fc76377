"""Laws of shards, samples and counts."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.shards.counting import Candidate, ShardCounts, decode_counts, encode_counts, pack, unpack
from inbedder_cli.shards.merging import MergedCounts
from inbedder_cli.shards.planning import cut
from inbedder_cli.shards.sharding import in_sample, part_name, shard_of_name
from inbedder_cli.shards.vocabulary import Vocabulary

PROFILE = settings(deadline=None, max_examples=60)


@PROFILE
@given(st.lists(st.integers(0, 300), min_size=1, max_size=30), st.integers(1, 120))
def test_shards_hold_every_row_once_and_never_too_many(groups, rows_per_shard):
    total = sum(groups)
    starts = cut(groups, rows_per_shard)
    sizes = np.diff([*starts, total])
    assert starts[0] == 0
    assert sizes.sum() == total
    assert total == 0 or (0 < sizes.min() and sizes.max() <= rows_per_shard)
    borders = set(np.cumsum([0, *groups]).tolist())
    small = {start for start in starts if start in borders}
    within = [start for start in starts if start not in small]  # only inside of groups that are too large
    for start in within:
        place = int(np.searchsorted(np.cumsum(groups), start, side="right"))
        assert groups[place] > rows_per_shard


@PROFILE
@given(st.integers(1, 10**12), st.integers(1, 10**6), st.integers(0, 10**9))
def test_a_smaller_sample_is_a_part_of_a_larger_one(n_rows, size, first):
    rows = np.arange(first, first + 200)
    smaller, larger = in_sample(n_rows, size, rows), in_sample(n_rows, 2 * size, rows)
    assert not (smaller & ~larger).any()
    parts = [in_sample(n_rows, size, part) for part in np.array_split(rows, 7)]
    assert (np.concatenate(parts) == smaller).all()


def test_a_sample_has_about_the_size_that_was_asked_for():
    for n_rows, size in ((1_000_000, 100_000), (1_000_000, 1000)):
        n = in_sample(n_rows, size, np.arange(n_rows)).sum()
        assert abs(n - size) < 5 * size**0.5


@given(st.integers(0, 10**8))
def test_the_name_of_a_part_tells_its_shard(shard):
    assert shard_of_name(part_name("", shard)) == shard
    assert shard_of_name("part-x.parquet") is None
    assert shard_of_name(f"other-{shard}.parquet") is None


def shard_counts(rng):
    label = rng.randrange(-2, 3)
    rows = [
        Candidate(rng.random(), rng.randrange(10**6), "a", "joy", f"text {rng.randrange(9)}") for _ in range(3)
    ]
    return ShardCounts(
        "digest",
        {"ok": rng.randrange(9)},
        {label: rng.randrange(1, 9)},
        {label: 1},
        pack([(label, rng.randrange(4), rng.randrange(9), 1)]),
        pack([(label, rng.randrange(3), rng.randrange(9))]),
        pack([(label, rng.randrange(2), rng.randrange(9), 1)] if rng.random() < 0.8 else []),
        {label: rows},
        {label: rows[:2]},
    )


@PROFILE
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_counts_can_be_added_in_any_order(seed, n):
    rng = random.Random(seed)
    parts = [shard_counts(rng) for _ in range(n)]
    assert [decode_counts(encode_counts(part), "x") for part in parts] == parts
    vocabulary = Vocabulary(1, {}, list("abc"), list("abcd"), list("ab"), None, 8, 2)
    sums = []
    for _ in range(2):
        merged = MergedCounts(vocabulary, 3)
        for part in parts:
            merged.add(part)
        sums.append(merged)
        rng.shuffle(parts)
    one, other = sums
    for name in ("statuses", "sizes", "novel", "central", "borderline"):
        assert getattr(one, name) == getattr(other, name)
    for name in ("phrases", "alone", "answers", "word_roots", "word_rows"):
        assert (getattr(one, name) == getattr(other, name)).all()


def test_tables_of_numbers_survive():
    rows = [(1, -2, 3), (2**40, 0, -1)]
    assert unpack(pack(rows), 3).T.tolist() == [list(row) for row in rows]
    assert unpack(pack([]), 3).shape == (3, 0)
