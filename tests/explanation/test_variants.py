"""Forms of one answer are counted together; numbers, negations and opposites never are."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.explanation import variants
from inbedder_cli.explanation.variants import canonical_answers, unify_answers

few_examples = settings(deadline=None, max_examples=50)
FREQUENT = ["mattress"] * 6 + ["e-bike"] * 6 + ["refund"] * 6


@pytest.mark.parametrize(
    ("forms", "shown"),
    [
        (["Mattress", "mattress", "MATTRESS "], "mattress"),
        (["the mattress", "mattress", "mattress"], "mattress"),
        (["mattresses", "mattress", "mattresses"], "mattresses"),
        (["battery", "batteries", "battery"], "battery"),
        (["e-bike", "ebike", "e bike", "E-bikes", "e-bike", "e-bike"], "e-bike"),
        (["check-in", "check in", "checkin", "check in"], "check in"),
        (["mattress"] * 4 + ["matress"], "mattress"),
        (["refund"] * 4 + ["refnud"], "refund"),
        (["delivery"] * 4 + ["delivary"], "delivery"),
        (["late delivery", "Late delivery.", "late delivery"], "late delivery"),
        (["lit", "Lit", "lits", "lit"], "lit"),
    ],
)
def test_forms_of_one_answer_become_the_most_frequent_one(forms, shown):
    assert set(canonical_answers(forms)) == {shown}


@pytest.mark.parametrize(
    ("frequent", "rare"),
    [
        ("happy", "unhappy"),
        ("late", "early"),
        ("late", "not late"),
        ("working", "not working"),
        ("notable", "not able"),
        ("smoking", "non-smoking"),
        ("no show", "show"),
        ("hopeful", "hopeless"),
        ("legal", "illegal"),
        ("room 1", "room 2"),
        ("2024", "2023"),
        ("1.5", "15"),
        ("1-2", "12"),
        ("5%", "5"),
        ("c++", "c"),
        ("c#", "c"),
        ("new", "news"),
        ("message", "massage"),
        ("daniel", "daniela"),
        ("martin", "marten"),
        ("austria", "australia"),
        ("java", "javascript"),
        ("action", "in action"),
        ("inaction", "in action"),
        ("house", "horse"),
        ("東京都庁前駅", "東京都庁後駅"),
        ("الكتاب الكبير", "الكتاب الكثير"),
        ("schön", "schon"),
    ],
)
def test_what_means_something_else_stays_apart(frequent, rare):
    answers = [frequent] * 9 + [rare] * 2
    assert canonical_answers(answers) == answers


def test_a_rare_form_is_a_typo_only_of_a_frequent_one():
    assert len(set(canonical_answers(["mattress"] * 2 + ["matress"]))) == 2
    assert len(set(canonical_answers(["mattress"] * 4 + ["matress"] * 3))) == 2


@pytest.mark.parametrize("most_compared", [variants.MOST_COMPARED, 4])
def test_vectors_confirm_a_typo_or_refute_it(most_compared, monkeypatch):
    monkeypatch.setattr(variants, "MOST_COMPARED", most_compared)  # of many rows with one word a sample is enough
    answers = ["mattress"] * 9 + ["matress"]
    near = np.eye(10, 20, dtype=np.float32) / 10
    near[:, 19] = 1
    others = np.zeros((10, 20), np.float32)
    others[:, 18] = 1  # the mean lies between both groups
    assert len(set(canonical_answers([*answers, *["joy"] * 10], np.vstack([near, others])))) == 2
    far = near.copy()
    far[9] = others[0]
    assert len(set(canonical_answers([*answers, *["joy"] * 10], np.vstack([far, others])))) == 3


def test_an_answer_that_continues_another_one_is_the_same_where_their_vectors_are():
    answers = ["southwest"] * 3 + ["southwestair"] * 2 + ["hope"] * 3 + ["hopeless"] * 2
    one, other = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
    vectors = np.array([one] * 5 + [other] * 5, np.float32)
    assert canonical_answers(answers, vectors) == ["southwest"] * 5 + ["hope"] * 3 + ["hopeless"] * 2
    apart = np.array([one] * 3 + [other] * 2 + [one] * 5, np.float32)
    assert canonical_answers(answers, apart) == answers
    assert canonical_answers(answers) == answers


def test_the_answers_to_a_yes_no_question_are_yes_and_no():
    assert unify_answers(["Yes!", "no, it is not", "not angry"], "Is he angry?") == ["yes", "no", "no"]


@few_examples
@given(
    answers=st.lists(st.sampled_from(["E-bike", "e bikes", "no", "", "?!", "the", "not 5", "mattres"])),
    data=st.data(),
)
def test_the_order_of_rows_does_not_matter(answers, data):
    answers = answers + FREQUENT
    order = data.draw(st.permutations(range(len(answers))))
    before = canonical_answers(answers)
    after = canonical_answers([answers[i] for i in order])
    assert [before[i] for i in order] == after


@few_examples
@given(answers=st.lists(st.text(max_size=12), max_size=12))
def test_any_text_is_taken_and_equal_answers_stay_equal(answers):
    found = canonical_answers(answers)
    assert len(found) == len(answers)
    assert set(found) <= {" ".join(a.split()) for a in found}
    assert Counter(found).most_common(1)[:1] == [] or max(Counter(found).values()) >= max(
        Counter(answers).values()
    )
    for one, other in zip(answers, found, strict=True):
        assert found[answers.index(one)] == other


def test_a_word_of_a_hundred_thousand_letters_takes_no_time():
    answers = ["a" * 100_000, "a" * 99_999] * 3
    assert canonical_answers(answers, np.ones((6, 2), np.float32)) == answers


@few_examples
@given(n=st.integers(0, 10**6), m=st.integers(0, 10**6), word=st.sampled_from(["", "room ", "-"]))
def test_numbers_never_merge(n, m, word):
    answers = [f"{word}{n}"] * 5 + [f"{word}{m}"]
    assert canonical_answers(answers) == answers


def test_very_many_words_that_differ_in_one_letter_take_linear_time():
    answers = [f"abcd{chr(0x4E00 + i)}fgh" for i in range(10_000)] * 3
    started = time.process_time()
    assert unify_answers(answers) == answers
    assert time.process_time() - started < 8
