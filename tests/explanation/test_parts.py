from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbedder_cli.explanation.parts import MOST_PARTS, split_text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("CSV export, dark mode and cloud sync", ["CSV export", "dark mode", "cloud sync"]),
        ("Dark mode, CSV export, and sync.", ["Dark mode", "CSV export", "sync."]),
        ("The room was cold. Nobody came!", ["The room was cold.", "Nobody came!"]),
        ("Zimmer kalt und Personal unfreundlich", ["Zimmer kalt", "Personal unfreundlich"]),
        ("暗色模式很好，导出太慢。", ["暗色模式很好", "导出太慢"]),
        ("- dark mode\n- widgets\r\n* export", ["dark mode", "widgets", "export"]),
        ("ads / price / battery", ["ads", "price", "battery"]),
        ("Also, it is slow; and the ads & banners - awful", ["slow", "the ads", "banners", "awful"]),
        ("Best parts: widgets and sync", ["Best parts: widgets", "sync"]),
        ("3,50 € for wi-fi at 10:30", ["3,50 € for wi-fi at 10:30"]),
        ("sandy candor", ["sandy candor"]),
        ("😡", []),
        ("", []),
    ],
)
def test_sentences_clauses_and_items_of_lists_are_parts(text, parts):
    found = split_text(text)
    assert [part.removeprefix("it is ") for part in found] == parts


@given(st.text(max_size=300))
def test_parts_are_pieces_of_the_text_in_its_order(text):
    rest = " ".join(" ".join(line.split()) for line in text.splitlines())
    for part in split_text(text):
        _, found, rest = rest.partition(part)
        assert found
        assert part.strip()


def test_long_texts_take_no_time_and_have_a_bound():
    started = time.monotonic()
    for text in ("cold, " * 100_000, " " * 1_000_000 + "cold", "and " * 100_000, "x" * 1_000_000, ", " * 500_000):
        assert len(split_text(text)) <= MOST_PARTS
    assert time.monotonic() - started < 5
