"""The picture: in every format, the same twice, with odd names."""

from __future__ import annotations

import html
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from inbedder_cli.errors import UsageError
from inbedder_cli.report.maps import with_maps
from inbedder_cli.report.plot import check_plot, write_plot
from tests.report.feedback import feedback_analysis

pytest.importorskip("matplotlib", reason="the extra plot is not installed")


@pytest.fixture(scope="module")
def analysis():
    return with_maps(feedback_analysis(60))


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_every_format_the_same_twice(analysis, tmp_path, suffix, start):
    paths = [tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"]
    for path in paths:
        write_plot(analysis, path)
    one, two = (path.read_bytes() for path in paths)
    assert one.startswith(start)
    assert one == two


def test_names_are_no_formulas_and_are_cut(analysis, tmp_path):
    result = analysis["mood"]
    names = ["$\\frac{1}$ <b>& co</b>", "a very long name that goes on and on and on", "$x^2$"]
    summaries = [replace(s, label=name) for s, name in zip(result.summaries, names, strict=True)]
    write_plot(replace(result, summaries=summaries).analysis, tmp_path / "odd.svg")
    ElementTree.parse(tmp_path / "odd.svg")  # well-formed
    drawn = html.unescape((tmp_path / "odd.svg").read_text())  # a comment says what each group of glyphs is
    assert "$\\frac{1}$ <b>& co</b>" in drawn
    assert "$x^2$" in drawn
    assert "a very long name that goes…" in drawn
    assert names[1] not in drawn


def test_what_cannot_be_drawn_is_refused_at_once(monkeypatch):
    with pytest.raises(UsageError, match="no picture"):
        check_plot(Path("map.gif"))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match="needs matplotlib"):
        check_plot(Path("map.svg"))
