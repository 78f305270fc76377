"""No text can steer a terminal, or hide; shares and long texts are shown as they are meant."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.wording import is_part_of_text, percent, printable, truncate, visible

few_examples = settings(deadline=None, max_examples=30)
ANY = st.text(st.characters(exclude_categories=()))


@given(ANY)
def test_what_is_visible_is_one_printable_line(text):
    assert visible(text).isprintable()


@given(ANY)
def test_letters_stay_and_different_texts_without_backslashes_stay_different(text):
    letters = "".join(c for c in text if c.isalnum() and c.isascii())
    assert visible(letters) == letters
    plain = text.replace("\\", "")
    assert visible(plain).encode("ascii", "backslashreplace").decode("unicode_escape") == plain


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (1e-9, "<1%"), (0.004, "<1%"), (0.006, "1%"), (0.256, "26%"), (0.5, "50%"), (1, "100%")],
)
def test_a_share_is_whole_per_cent(share, text):
    assert percent(share) == text


@pytest.mark.parametrize("rows", [199, 200, 201, 1000, 2000])
def test_something_is_never_rounded_to_nothing(rows):
    assert percent(1 / rows) != "0%"


@few_examples
@given(text=st.text("ab c", max_size=30), room=st.integers(1, 40))
def test_a_shortened_text_fits_its_room(text, room):
    found = truncate(text, room)
    assert len(found) <= room
    assert found == text or (found.endswith("…") and text.startswith(found[:-1]))
    assert (found == text) == (len(text) <= room)


@pytest.mark.parametrize(
    ("text", "room", "found"),
    [
        ("one two three", 13, "one two three"),
        ("one two three", 12, "one two…"),
        ("onetwothree", 5, "onet…"),
        ("", 5, ""),
    ],
)
def test_texts_are_cut_at_a_word(text, room, found):
    assert truncate(text, room) == found


@few_examples
@given(text=st.text(st.characters(codec="utf-8"), max_size=20))
def test_printable_text_is_one_line_without_control_characters(text):
    found = printable(text)
    assert all(c.isprintable() or is_part_of_text(c) for c in found)
    assert found == " ".join(found.split())


def test_printable_text_keeps_what_can_be_read():
    assert printable(" a\tb\n\n c é☺ [x] \x1b[31m") == "a b c é☺ [x] [31m"
    for text in ("می\u200cخواهم", "👩\u200d🍳", "\U0001fae9"):  # joiners, and what is newer than this Python
        assert printable(f" {text}\n") == text
    assert printable("co\u00adoperate\u202e") == "cooperate"
