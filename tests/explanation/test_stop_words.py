"""Words that carry no answer: which are dropped, which never are."""

from __future__ import annotations

import pytest

from inbedder_cli.errors import InputError
from inbedder_cli.explanation.stop_words import load_stop_words, repeated_words, words_of

NEVER_DROPPED = (
    "not no never nothing nobody none nor neither nowhere cannot without can't won't don't isn't "
    "bill call cry detail empty fill fire full interest system serious sincere few many more less "
    "under over up down before after first last again"
)
DROPPED = "the a an is are were of to and it's what which are in it"


@pytest.mark.parametrize("word", NEVER_DROPPED.split())
def test_words_that_say_something_are_not_stop_words(word):
    assert word not in load_stop_words()


@pytest.mark.parametrize("word", DROPPED.split())
def test_words_that_say_nothing_are_stop_words(word):
    assert word in load_stop_words()


def test_no_stop_word_is_a_negation_with_an_apostrophe():
    assert not [word for word in load_stop_words() if word.endswith("n't")]


def test_every_stop_word_is_a_word_as_answers_are_split_into_words():
    assert [word for word in load_stop_words() if words_of(word) != [word]] == []


def test_none_means_no_stop_words():
    assert load_stop_words("none") == frozenset()


def test_a_file_of_stop_words_replaces_the_list(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("# der comment\nDer die\n\n  das\tUND\n", encoding="utf-8")
    assert load_stop_words(str(path)) == {"der", "die", "das", "und"}


def test_a_file_of_stop_words_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("der die\n", encoding="utf-8-sig")
    assert load_stop_words(str(path)) == {"der", "die"}


def test_stop_words_of_a_file_match_the_words_of_answers_whatever_their_apostrophe(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("it’s\n", encoding="utf-8")
    assert words_of("It’s") == words_of("it's") == list(load_stop_words(str(path)))


@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_stop_words_that_cannot_be_read_are_an_input_error(tmp_path, name):
    with pytest.raises(InputError, match="cannot read the stop words"):
        load_stop_words(str(tmp_path / name))


def test_stop_words_in_another_encoding_are_an_input_error(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes("für über".encode("latin-1"))
    with pytest.raises(InputError, match=r"words\.txt: cannot read the stop words"):
        load_stop_words(str(path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Not Wi-Fi, isn’t it?", ["not", "wi-fi", "isn't", "it"]),
        ("won't pay 3.50!", ["won't", "pay", "3.50"]),
        ("  -- 'quoted' -- ", ["quoted"]),
        ("snake_case", ["snake", "case"]),
        ("ﬁre É é", ["fire", "é", "é"]),
        ("...", []),
        ("", []),
    ],
)
def test_words_are_lower_case_and_keep_inner_marks(text, words):
    assert words_of(text) == words


def test_words_keep_the_vowel_signs_of_other_scripts():
    assert words_of("डिलीवरी नहीं") == ["डिलीवरी", "नहीं"]


def test_a_questions_content_words_are_repeated_words():
    assert repeated_words("What emotion is expressed?", load_stop_words()) == {"emotion", "expressed"}


@pytest.mark.parametrize(
    "question",
    ["Is it good or bad?", "Good vs bad?", "good versus bad", "good/bad?", "Happy, unhappy OR neutral?"],
)
def test_offered_choices_are_not_repeated_words(question):
    assert repeated_words(question, load_stop_words()) == frozenset()


def test_clauses_that_offer_nothing_are_still_repeated_words():
    assert repeated_words("Name the mood: is it good or bad?", load_stop_words()) == {"mood", "name"}


def test_a_choice_offered_once_is_offered_however_often_it_is_named():
    assert not repeated_words("Is it good or bad? Say good in doubt.", load_stop_words()) & {"good", "bad"}


def test_words_that_only_contain_an_offering_offer_nothing():
    assert repeated_words("Which category, colour, vehicle?", load_stop_words()) == {
        "category",
        "colour",
        "vehicle",
    }


def test_not_applicable_is_one_word():
    assert words_of("N/A, or n/a; not staff/food or n/ab") == [
        "n/a",
        "or",
        "n/a",
        "not",
        "staff",
        "food",
        "or",
        "n",
        "ab",
    ]
