from __future__ import annotations

from collections import Counter

import pytest

from inbedder_cli.training.examples import Example
from inbedder_cli.training.plan import contrast_pools, plan_run
from inbedder_cli.training.recipes import Recipe, train_options

ROWS = [Example(f"text {i} " * (1 + i % 5), "Which animal?", "cat dog cow hen".split()[i % 4]) for i in range(100)]
ROWS += [Example(f"other {i}", f"What of {i}?", f"answer {i}") for i in range(100)]


def test_an_epoch_sees_every_example_once():
    plan = plan_run(ROWS, train_options(Recipe.paper, batch_size=16))
    assert Counter(i for batch in plan for i in batch.rows) == Counter(range(len(ROWS)))
    assert not any(batch.contrast for batch in plan)


def test_contrastive_batches_ask_one_question_and_hold_several_texts_of_each_answer():
    plan = plan_run(ROWS, train_options(Recipe.contrast, batch_size=16, epochs=3))
    contrasted = [batch for batch in plan if batch.contrast]
    assert 0.3 < len(contrasted) / len(plan) < 0.7
    for batch in contrasted:
        assert {ROWS[i].instruction for i in batch.rows} == {"Which animal?"}
        assert len(set(batch.rows)) == len(batch.rows)
        assert min(Counter(ROWS[i].answer for i in batch.rows).values()) > 1
    ordinary = Counter(i for batch in plan if not batch.contrast for i in batch.rows)
    assert ordinary == Counter(dict.fromkeys(range(len(ROWS)), 3))


@pytest.mark.parametrize("size", [4, 10])  # two texts of two answers are the least
def test_contrastive_batches_are_no_larger_than_others(size):
    plan = plan_run(ROWS, train_options(Recipe.contrast, batch_size=size))
    assert max(len(batch.rows) for batch in plan if batch.contrast) <= size


def test_the_seed_alone_decides_the_plan():
    first, again, other = (plan_run(ROWS, train_options(Recipe.contrast, seed=s)) for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_run_ends_with_the_batch_that_reaches_its_examples():
    plan = plan_run(ROWS, train_options(Recipe.contrast, batch_size=16, max_examples=70, epochs=9))
    counts = [len(batch.rows) for batch in plan]
    assert sum(counts[:-1]) < 70 <= sum(counts)


def test_questions_with_one_answer_are_not_contrasted():
    assert len(contrast_pools(ROWS)) == 1
    assert contrast_pools(ROWS[100:]) == []
    same = [Example(f"text {i}", "Which animal?", "cat") for i in range(50)]
    assert contrast_pools(same) == []
    assert not any(batch.contrast for batch in plan_run(same, train_options(Recipe.contrast)))


@pytest.mark.parametrize("recipe", list(Recipe))
def test_what_is_chosen_replaces_the_recipe_s_own(recipe):
    options = train_options(recipe, rank=4, learning_rate=None)
    assert options.rank == 4
    assert options.learning_rate == train_options(recipe).learning_rate
    assert options.recipe is recipe
