"""The representations of a result in Python: HTML in a notebook, and the text of its repr."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING

from inbedder_cli.python_terms import python_terms
from inbedder_cli.report.closing_lines import (
    closing_lines,
    n_clusters_lines,
    rows_line,
    several_answers_line,
    unstable_line,
)
from inbedder_cli.report.view import answers_heading, cluster_views, phrases_heading
from inbedder_cli.wording import printable, truncate

if TYPE_CHECKING:
    from inbedder_cli.report.view import ClusterView
    from inbedder_cli.results import ClusteringResult

EXAMPLE_LENGTH = 200  # characters
N_OTHER_COLUMNS = 5  # of the table, beside those of answers and of phrases
MAX_CLUSTERS = 10  # listed in the text, the largest
LABEL_LENGTH = 40  # characters
LINE_LENGTH = 110  # characters
GRAY, SMALL = "color:#888", "font-size:smaller"
LEFT, RIGHT = "text-align:left;vertical-align:top", "text-align:right;vertical-align:top;white-space:nowrap"


def clusters_html(result: ClusteringResult) -> str:
    """Return the table of clusters as a fragment of HTML without scripts, links or style sheets.

    Every text of the rows, the model and the user is escaped. Noise and unanswered rows are gray.

    :param result: one question, answered over a corpus.
    :return: one `<div>` with inline styles.
    """
    views = cluster_views(result)
    lists = [heading for heading in (answers_heading(result), phrases_heading(views)) if heading]
    heads = ["", "cluster", "rows", "share", *lists, "for example"]
    styles = [RIGHT, LEFT, RIGHT, RIGHT, *(LEFT for _ in lists), LEFT]
    head = "".join(f'<th style="{style}">{escape(name)}</th>' for name, style in zip(heads, styles, strict=True))
    body = "".join(_row(view, styles) for view in views)
    notes = "<br>".join(_safe(python_terms(line, {})) for line in closing_lines(result))
    caption = f'<b>{_safe(result.instruction)}</b> <span style="{GRAY}">{_safe(result.corpus.source)}</span>'
    # The classes keep Jupyter's MathJax from rendering the text between two dollar signs as math.
    return (
        f'<div class="inbedder tex2jax_ignore mathjax_ignore"><p>{caption}</p>'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f'<p style="{GRAY};{SMALL}">{notes}</p></div>'
    )


def _row(view: ClusterView, styles: list[str]) -> str:
    marks = "".join(
        f'<br><span style="{GRAY};{SMALL};font-weight:normal">{_safe(mark)}</span>' for mark in view.marks
    )
    example = (
        f'<span style="{GRAY}">{_safe(view.example_id)}</span> {_safe(truncate(view.example, EXAMPLE_LENGTH))}'
    )
    lists = [view.answers, view.phrases][: len(styles) - N_OTHER_COLUMNS]
    cells = [
        _safe(view.number),
        _safe(view.label) if view.is_outside else f"<b>{_safe(view.label)}</b>{marks}",
        _safe(view.rows),
        _safe(view.share),
        *("<br>".join(map(_safe, lines)) for lines in lists),
        example,
    ]
    columns = "".join(f'<td style="{style}">{cell}</td>' for cell, style in zip(cells, styles, strict=True))
    return f'<tr style="{GRAY}">{columns}</tr>' if view.is_outside else f"<tr>{columns}</tr>"


def _safe(text: str) -> str:
    return escape(printable(text))


def clusters_text(result: ClusteringResult) -> str:
    """Return the result in a few lines: the question, the largest clusters, and their stability.

    :param result: one question, answered over a corpus.
    :return: lines of at most 110 characters.
    """
    views = cluster_views(result)
    clusters = [view for view in views if not view.is_outside]
    outside = [view for view in views if view.is_outside]
    listed = clusters[:MAX_CLUSTERS]
    width = max((len(truncate(view.label, LABEL_LENGTH)) for view in [*listed, *outside]), default=0)
    lines = [f'ClusteringResult: "{printable(result.instruction)}" in {printable(result.corpus.source)}']
    lines += [_text_line(view, width) for view in listed]
    if rest := len(clusters) - len(listed):
        lines.append(f"      and {rest:,} more cluster{'s' if rest > 1 else ''}")
    lines += [_text_line(view, width) for view in outside]
    lines.append(python_terms(n_clusters_lines(result)[0], {}))
    lines += [several_answers_line(result), unstable_line(result), rows_line(Counter(result.row_status))]
    return "\n".join(truncate(line, LINE_LENGTH) for line in lines if line)


def _text_line(view: ClusterView, width: int) -> str:
    marks = f"  {', '.join(view.marks)}" if view.marks else ""
    label = truncate(view.label, LABEL_LENGTH)
    return f"{view.number:>4}  {label:<{width}}  {view.rows:>9}  {view.share:>4}{marks}"
