"""No text can steer a terminal, or hide."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inbedder_cli.printable import visible

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
