from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inbedder_cli.encoders.transformers.batching import canonical_order, plan_batches


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 200))
def test_every_row_is_in_one_batch_and_no_batch_is_over_budget(lengths, budget):
    batches = list(plan_batches(lengths, budget))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= budget


@given(st.lists(st.text(max_size=8), unique=True, max_size=30), st.randoms())
def test_canonical_order_depends_on_the_texts_alone(texts, random):
    shuffled = texts[:]
    random.shuffle(shuffled)
    assert [texts[i] for i in canonical_order(texts)] == [shuffled[i] for i in canonical_order(shuffled)]


def test_longest_texts_come_first():
    assert canonical_order(["a", "ccc", "bb"]) == [1, 2, 0]
