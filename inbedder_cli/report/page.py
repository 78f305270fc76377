"""The report: one HTML page that holds its style, its script and its data, and loads nothing.

Every text is escaped by the template, or set by the script as text. The page forbids everything but its own style
and script by their hashes (Content-Security-Policy).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from inbedder_cli.errors import UsageError
from inbedder_cli.options import ReportOptions
from inbedder_cli.report import palette
from inbedder_cli.report.command import command_of
from inbedder_cli.report.distributions import chosen_columns, distributions
from inbedder_cli.report.maps import with_maps
from inbedder_cli.report.page_crosstab import page_crosstab
from inbedder_cli.report.page_rows import group_places, page_corpus, rows_document, shown_rows
from inbedder_cli.report.page_view import question_view
from inbedder_cli.report.provenance import LIMITS, facts
from inbedder_cli.wording import printable, visible

if TYPE_CHECKING:
    from pathlib import Path

    from inbedder_cli.results import Analysis

SCRIPTS = ("data.js", "map.js", "labels.js", "rows.js", "page.js")
SUFFIXES = (".html", ".htm", "")
LARGE = 60_000  # bytes of data, above which they are compressed
SHOWN_TITLE = 300  # characters


def check_page(path: Path) -> None:
    """Check, before any work is done, that a file may hold the report.

    :param path: the file.
    :raises UsageError: for the suffix of another format, and for "-".
    """
    if str(path) == "-":
        raise UsageError("the report is a file", hint="name it: report.html; /dev/stdout prints it")
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"the report is a page of HTML, not {path.suffix}", hint=f"write {path.with_suffix('.html')}"
        )


def write_page(analysis: Analysis, path: Path, options: ReportOptions | None = None) -> None:
    """Write the report to a file.

    :param analysis: the results; rows are placed on maps where they are not yet.
    :param path: the file; an existing one is replaced.
    :param options: title, columns, and how much is shown.
    :raises UsageError: for the suffix of another format, or a column that the corpus has not.
    :raises InbedderError: when it cannot be written.
    """
    from inbedder_cli.output.files import atomic_write

    check_page(path)
    content = page(analysis, options)
    with atomic_write(path) as stream:
        stream.write(content)


def page(analysis: Analysis, options: ReportOptions | None = None) -> bytes:
    """Return the report; the same bytes for the same result.

    :param analysis: the results; rows are placed on maps where they are not yet.
    :param options: title, columns, and how much is shown.
    :raises UsageError: for a column that the corpus has not, or for several questions with several answers a row.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    options = options or ReportOptions()
    corpus = page_corpus(analysis)
    columns = chosen_columns(corpus, [*analysis.columns, *options.color_by], options.date)
    analysis = with_maps(analysis)
    groups = [group_places(result) for result in analysis]
    views = []
    for result, own in zip(analysis, groups, strict=True):
        n_groups = len(result.summaries) + (result.unanswered is not None)
        by_column = [distributions(column, own, n_groups) for column in columns]
        views.append(
            question_view(
                result, [[d[place] for d in by_column] for place in range(n_groups)], texts=options.texts
            )
        )
    rows = shown_rows(groups[0], corpus.texts, options.rows)
    document = rows_document(analysis, views, groups, columns, rows=rows, texts=options.texts)
    style, script = _colors() + _asset("page.css"), "".join(map(_asset, SCRIPTS))
    encoding, data = _data(document)
    text = (
        Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        .from_string(_asset("page.html.j2"))
        .render(
            title=_title(analysis, options),
            source=_source(analysis),
            questions=views,
            crosstabs=[page_crosstab(table) for table in analysis.crosstabs],
            columns=[printable(column.name) for column in columns],
            n_texts=len(analysis.corpus),
            n_rows=len(corpus),
            n_shown=len(rows),
            dot="text" if len(corpus) == len(analysis.corpus) else "answer",
            has_texts=options.texts,
            facts=[(name, printable(value)) for name, value in facts(analysis)],
            command=command_of(analysis),
            limits=LIMITS,
            palette=palette,
            style=Markup(style),  # noqa: S704
            script=Markup(script),  # noqa: S704
            style_hash=_hash(style),
            script_hash=_hash(script),
            encoding=encoding,
            data=Markup(data),  # noqa: S704
        )
    )
    return text.encode("utf-8", "replace")


def _title(analysis: Analysis, options: ReportOptions) -> str:
    title = options.title
    if title is None:
        title = analysis.result.instruction if len(analysis) == 1 else ""
    return printable(title)[:SHOWN_TITLE] or _source(analysis)


def _source(analysis: Analysis) -> str:
    """Return the name of the input, without its folder."""
    return visible(re.split(r"[/\\]", analysis.corpus.source.rstrip("/\\"))[-1])


def _colors() -> str:
    """Return the palette as custom properties: the light one, the dark one, and the one in use (`--c0`, ...)."""
    sides = {
        "light": (palette.LIGHT, palette.LIGHT_GRAY, palette.LIGHT_GROUND, *palette.LIGHT_RAMP),
        "dark": (palette.DARK, palette.DARK_GRAY, palette.DARK_GROUND, *palette.DARK_RAMP),
    }
    names = ("gray", "ground", "low", "high")
    listed = "".join(
        f"--{side}-{key}:{color};"
        for side, (colors, *others) in sides.items()
        for key, color in [*enumerate(colors), *zip(names, others, strict=True)]
    )
    each = range(len(palette.LIGHT))
    light, dark = ("".join(f"--c{i}:var(--{side}-{i});" for i in each) for side in sides)
    classes = "".join(f".c{i}{{color:var(--c{i})}}" for i in each)
    return f":root{{{listed}{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}{classes}\n"


def _asset(name: str) -> str:
    return (files("inbedder_cli.report") / "assets" / name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _data(document: dict[str, Any]) -> tuple[str, str]:
    """Return the name of the encoding, and the data as text that ends no element of HTML."""
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    if len(text) <= LARGE:
        return "json", text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return "gzip", base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
