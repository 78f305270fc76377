"""A result in a notebook: one table of clusters, in which every text is only a text."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from inbedder_cli.clustering import NOISE
from inbedder_cli.explanation.summaries import UNANSWERED, AnswerShare, ClusterSummary, Exemplar
from inbedder_cli.report.notebook import clusters_html, clusters_text
from tests.report.results import EVIL, LABELS, a_result, doubtful_result, evil_result

TAGS = {"div", "p", "b", "span", "table", "thead", "tbody", "tr", "th", "td", "br"}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror="alert(1)">',
    "'; </td></table><style>*{}</style>",
    "&lt;b&gt; &amp; &",
    "<!-- ",
    "]]> <![CDATA[",
    "javascript:alert(1)",
    EVIL,
    "\u202eright to left\u202c \u2066isolate\u2069 \ufeff\u200b",
    "nul\0 \x85 \u2028 line",
]


class Page(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.open, self.text = [], [], [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        pytest.fail(f"a comment: {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment


def checked(html):
    page = Page(html)
    assert page.open == []
    assert set(page.tags) <= TAGS
    assert {name for name, _ in page.attributes} == {"class", "style"}
    assert "mathjax_ignore" in html  # "$5 or $6" is no formula
    assert page.text.isprintable()
    return page


def test_every_cluster_is_shown_with_its_label_rows_share_answers_and_an_example():
    page = checked(clusters_html(a_result()))
    assert page.tags.count("table") == 1
    assert page.tags.count("tr") == 1 + 5
    for i, label in enumerate(LABELS):
        assert f"{i}{label}821%{label} 75%id{i} Nothing came." in page.text
    assert "Why is the customer unhappy? reviews.csv" in page.text
    assert "32 of 40 rows are in clusters; 1 empty, 6 noise, 1 failed" in page.text


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_breaks_out_of_its_cell(text):
    result = a_result(text, labels=[text, *LABELS[1:]])
    summaries = [replace(s, exemplars=[Exemplar(0, text, text, text)]) for s in result.summaries]
    unanswered = ClusterSummary(UNANSWERED, text, 1, 0.1, answers=[AnswerShare(text, 1.0)])
    corpus = replace(result.corpus, source=text)
    hostile = replace(result, instruction=text, corpus=corpus, summaries=summaries, unanswered=unanswered)
    usual = Page(clusters_html(replace(a_result(), unanswered=replace(unanswered, label="x"))))
    page = checked(clusters_html(hostile))
    assert page.tags == usual.tags
    assert page.attributes == usual.attributes


def test_a_text_is_shown_as_it_is():
    text = "<script>alert('a & b')</script>"
    html = clusters_html(a_result(text))
    assert "<script" not in html
    assert "&lt;script&gt;alert(&#x27;a &amp; b&#x27;)&lt;/script&gt;" in html
    assert text in Page(html).text


def test_unstable_clusters_and_weak_labels_are_marked():
    page = checked(clusters_html(doubtful_result()))
    assert f"{LABELS[0]}unstable 0.50" in page.text
    assert f"{LABELS[1]}weak label 0.21" in page.text
    assert "1 of 4 clusters is unstable" in page.text


def test_noise_and_unanswered_rows_are_gray():
    unanswered = ClusterSummary(UNANSWERED, "(no clear answer)", 1, 0.1, answers=[AnswerShare("", 1.0)])
    html = clusters_html(replace(a_result(), unanswered=unanswered))
    rows = html.split("<tr")[2:]
    assert [row.startswith(' style="color:#888"') for row in rows] == [False] * 4 + [True] * 2
    assert "(empty) 100%" in rows[-1]


def test_a_long_example_is_truncated():
    html = clusters_html(a_result("word " * 500))
    assert "…" in html
    assert len(html) < 8000


def test_without_clusters_there_is_still_a_table():
    assert checked(clusters_html(replace(a_result(), summaries=[]))).tags.count("tr") == 1


def test_advice_names_parameters_not_options():
    result = a_result()
    noise = replace(result.summaries[-1], cluster=NOISE, share=0.5)
    told = checked(clusters_html(replace(result, summaries=[*result.summaries[:-1], noise]))).text
    assert "50% of the rows are noise: lower min_cluster_size (now 5)" in told
    assert "--" not in told
    nothing = replace(result, rows=[], summaries=[], unanswered=replace(result.summaries[0], cluster=UNANSWERED))
    assert "or use flag_unanswered=False to cluster all rows" in clusters_text(nothing)


def test_the_text_names_the_question_and_the_largest_clusters():
    lines = clusters_text(doubtful_result()).splitlines()
    assert lines[0] == 'ClusteringResult: "Why is the customer unhappy?" in reviews.csv'
    assert lines[1].split() == ["0", "slow", "delivery", "8", "21%", "unstable", "0.50"]
    assert lines[-3] == "4 clusters found by HDBSCAN (min_cluster_size 5)"
    assert lines[-2].startswith("1 of 4 clusters is unstable")
    assert lines[-1] == "32 of 40 rows are in clusters; 1 empty, 6 noise, 1 failed"


@pytest.mark.parametrize(
    ("n", "more"), [(0, []), (5, []), (10, []), (11, ["and 1 more cluster"]), (100, ["and 90 more clusters"])]
)
def test_the_text_lists_ten_clusters_and_counts_the_others_without_the_rows_outside(n, more):
    result = doubtful_result()
    many = [replace(result.summaries[0], cluster=i) for i in range(n)]
    outside = replace(result.summaries[0], cluster=UNANSWERED, label="(no clear answer)")
    lines = clusters_text(replace(result, summaries=many, unanswered=outside)).splitlines()
    assert len(lines) < 17
    assert [line.split()[0] for line in lines if line.split()[0].isdigit()][: min(n, 10)] == list(
        map(str, range(min(n, 10)))
    )
    assert [line.strip() for line in lines if "more" in line] == more
    assert sum("(no clear answer)" in line for line in lines) == 1


def test_the_text_is_free_of_control_characters_and_of_long_lines():
    text = clusters_text(evil_result())
    assert all(line.isprintable() and len(line) <= 110 for line in text.split("\n"))
    long = clusters_text(replace(a_result(labels=["word " * 100] * 4), instruction="why " * 100))
    assert all(len(line) <= 110 for line in long.split("\n"))
