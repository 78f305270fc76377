"""Texts that were decoded wrongly before are told, and others are left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbedder_cli.corpus import read_corpus
from inbedder_cli.corpus.mojibake import mend, note_of_mojibake


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
@pytest.mark.parametrize("text", ["schöne Zimmer", "un été naïf", "Ärger über Öl", "déjà vu"])
def test_texts_that_were_decoded_wrongly_are_known(text, encoding):
    try:
        wrong = text.encode().decode(encoding)
    except UnicodeDecodeError:
        pytest.skip("Windows-1252 lacks one of the bytes")
    assert mend(wrong) == text
    assert mend(text) is None


@pytest.mark.parametrize("text", ["NÃO É BOM", "Ângela", "Âge et château", "plain", "Ð", "漢字", "â"])
def test_letters_of_real_languages_are_no_sign(text):
    assert mend(text) is None


@given(st.text(st.sampled_from("abcäöüéèÃÂâ €™漢"), max_size=8))
def test_what_is_mended_is_what_was_written(text):
    if (mended := mend(text)) is not None:
        assert text in (mended.encode().decode("cp1252", "replace"), mended.encode().decode("latin-1"))


def test_a_corpus_notes_them_with_an_example():
    notes = read_corpus(["schÃ¶nes Zimmer", "good", "fÃ¼r uns"]).notes
    assert notes == (
        '2 texts decoded wrongly before ("schÃ¶nes Zimmer" for "schönes Zimmer"): export them again as UTF-8',
    )
    assert note_of_mojibake(["good", "schön"]) == []
