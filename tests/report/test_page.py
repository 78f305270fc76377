"""The page as a file: what it holds, that it is the same twice, and that texts are inert in it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest

from inbedder_cli import ClusterOptions, Embeddings, RowStatus, analyze, corpus_from_table
from inbedder_cli.errors import InbedderError, InputError, UsageError
from inbedder_cli.options import ReportOptions
from inbedder_cli.report import page as page_module
from inbedder_cli.report.page import page
from tests.report.feedback import HOSTILE, QUESTIONS, feedback, feedback_analysis

VOID = {"meta", "link", "input", "img", "br"}


class Elements(HTMLParser):
    """All elements of a page with their attributes, and the text of scripts and styles."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            self.raw.append((self.open[-1], data))


@pytest.fixture(scope="module")
def analysis():
    return feedback_analysis()


@pytest.fixture(scope="module")
def text(analysis) -> str:
    return page(analysis, ReportOptions(date="day", color_by=("region",))).decode()


def data_of(text: str) -> dict:
    encoding, data = re.search(r'data-encoding="(\w+)">(.*?)</script>', text, re.S).groups()
    return json.loads(data if encoding == "json" else gzip.decompress(base64.b64decode(data)))


def test_the_page_runs_only_its_own_style_and_script(text):
    elements = Elements(text)
    policy = next(a["content"] for tag, a in elements.found if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    hashes = {
        f"sha256-{base64.b64encode(hashlib.sha256(raw.encode()).digest()).decode()}" for _, raw in elements.raw
    }
    assert (
        set(re.findall(r"'(sha256-[^']+)'", policy)) < hashes
    )  # those of the style and of the script, not the data
    assert [tag for tag, _ in elements.found].count("script") == 2
    assert not any(name.startswith("on") or name == "style" for _, a in elements.found for name in a)
    links = [a[name] for _, a in elements.found for name in ("src", "href", "action") if name in a]
    assert set(links) == {"data:,", "#explore"}


def test_every_element_is_closed(text):
    assert Elements(text).open == []


def test_texts_are_text(text):
    assert {tag for tag, _ in Elements(text).found}.isdisjoint({"iframe", "object", "embed", "base", "form"})
    images = [attributes for tag, attributes in Elements(text).found if tag == "img"]
    assert images == [{"id": "printed", "alt": "Map of the texts", "hidden": None}]
    assert [tag for tag, attributes in Elements(text).found if tag == "svg" and "onload" in attributes] == []
    assert "\0" not in text


def test_the_data_hold_every_row_whole(text):
    data = data_of(text)
    frame = feedback()
    assert data["texts"] == [t.strip() for t in frame["text"]]
    assert data["ids"] == frame["id"].tolist()
    assert [data["columns"][0]["values"][i] for i in data["columns"][0]["rows"]] == frame["rating"].astype(
        str
    ).tolist()
    for question in data["questions"]:
        assert len(question["groups"]) == len(frame)
        on_map = [x >= 0 for x in question["x"]]
        assert on_map == [group >= 0 for group in question["groups"]] == [bool(t) for t in data["texts"]]


def test_figures_are_those_of_the_result(text, analysis):
    for result in analysis:
        for summary in result.summaries:
            assert f'data-label="{summary.label}" data-size="{summary.size}"' in text
    assert "Kept apart: 1 does not answer the question and 1 has no text." in text
    assert "&lt;b&gt;mood&lt;/b&gt;" in text


@pytest.mark.parametrize(
    ("values", "tile", "said"),
    [
        ((0.59, 0.65, 0.746), "<b>1</b> of them unstable</li>", ["unstable", "", "stable"]),
        ((0.62, 0.65, None), "<b>0</b> of them unstable, 1 not measured</li>", ["", "", ""]),
    ],
)
def test_clusters_are_called_stable_by_the_bounds_of_the_documentation(analysis, values, tile, said):
    mood = analysis["mood"]
    summaries = [replace(s, stability=value) for s, value in zip(mood.summaries, values, strict=True)]
    text = page(replace(analysis, results={"mood": replace(mood, summaries=summaries)})).decode()
    assert tile in text
    assert re.findall(r'<td class="stability">[\d. ]*(?:<span>(\w+)</span>)?</td>', text)[:3] == said


def test_the_same_page_twice_byte_for_byte_and_in_any_order(analysis):
    assert page(analysis) == page(feedback_analysis())


def test_a_large_page_is_compressed_and_says_the_same(analysis, text, monkeypatch):
    monkeypatch.setattr(page_module, "LARGE", 10**9)
    plain = page(analysis, ReportOptions(date="day", color_by=("region",))).decode()
    assert 'data-encoding="json"' in plain
    assert 'data-encoding="gzip"' in text
    assert data_of(plain) == data_of(text)
    assert Elements(plain).open == []


def test_without_texts_no_text_is_in_the_page(analysis):
    without = page(analysis, ReportOptions(texts=False)).decode()
    assert data_of(without)["texts"] is None
    assert "paid by card" not in without
    assert "very long" not in without
    assert "r17" in without
    assert "It holds no texts." in without


def test_above_the_limit_a_sample_of_each_cluster_is_shown(analysis):
    text = page(analysis, ReportOptions(rows=70)).decode()
    data = data_of(text)
    groups = data["questions"][0]["groups"]
    assert len(groups) <= 75
    assert min(groups.count(place) for place in range(3)) >= 20
    assert f"show {len(groups)} of 120 texts" in text
    assert len(data_of(page(analysis, ReportOptions(rows=0)).decode())["ids"]) == 120


def test_titles_and_columns(analysis):
    assert '<h1 dir="auto">A &amp; {{7*7}}</h1>' in page(analysis, ReportOptions(title="A & {{7*7}}")).decode()
    one = feedback_analysis(questions={"": QUESTIONS["place"]})
    assert "<title>Where was it?</title>" in page(one).decode()
    with pytest.raises(InputError, match='no column "nowhere"'):
        page(analysis, ReportOptions(color_by=("nowhere",)))
    with pytest.raises(UsageError, match='"region" holds no dates'):
        page(analysis, ReportOptions(date="region"))


def test_without_answers_and_with_noise():
    corpus = corpus_from_table(pa.table({"text": [f"text {i}" for i in range(80)]}), text="text")
    rng = np.random.default_rng(0)
    vectors = (6 * np.eye(8)[np.arange(80) % 3] + rng.normal(size=(80, 8))).astype(np.float32)
    vectors[:6] = 30 * rng.normal(size=(6, 8))
    embeddings = Embeddings(vectors, None, [RowStatus.ok] * 80)
    options = ClusterOptions(algorithm="hdbscan", min_cluster_size=8, stability=False)
    text = page(analyze(corpus, "", embeddings=embeddings, cluster_options=options, baseline=False)).decode()
    assert "80 texts fall into 3 clusters. The largest" in text
    assert "resemble no cluster" in text
    assert '<h1 dir="auto">table</h1>' in text
    assert 'data-sort="stability"' not in text
    assert data_of(text)["questions"][0]["answers"] is None
    assert Elements(text).open == []


def test_to_html_writes_the_page_or_nothing(analysis, tmp_path):
    analysis.to_html(tmp_path / "report.html", ReportOptions(date="day"))
    analysis["place"].to_html(tmp_path / "place.html")
    assert (tmp_path / "report.html").read_bytes() == page(analysis, ReportOptions(date="day"))
    assert data_of((tmp_path / "place.html").read_text(encoding="utf-8"))["texts"][3] == HOSTILE[3]
    with pytest.raises(InbedderError, match="cannot write"):
        analysis.to_html(tmp_path / "nowhere" / "report.html")
