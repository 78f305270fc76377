"""Formulas of a workbook whose values no program has stored: such cells are read as empty."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openpyxl import Workbook

    from inbedder_cli.corpus.opening import Opened

FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")  # the tag of one
LONGEST_TAG = 64  # bytes, which may be on both sides of the end of a block
BLOCK_BYTES = 1 << 20
ADVICE = "open the file in Excel or LibreOffice and save it"


def notes_of_formulas(book: Workbook, sheet: str, opened: Opened, names: Sequence[str], skipped: int) -> list[str]:
    """Return a note for each column in which formulas have no stored value.

    :param book: the workbook with its values, open.
    :param sheet: the name of the sheet.
    :param opened: the file.
    :param names: the names of the columns.
    :param skipped: number of rows above the header.
    """
    if not _has_formulas(opened):
        return []
    from openpyxl import load_workbook

    formulas = load_workbook(opened.stream, read_only=True, keep_links=False)[sheet]
    values = book[sheet]
    n_without: Counter[int] = Counter()
    for each in (formulas, values):
        each.reset_dimensions()
    start = skipped + 1
    for row, shown in zip(formulas.iter_rows(min_row=start), values.iter_rows(min_row=start), strict=True):
        for place, (cell, value) in enumerate(zip(row, shown, strict=True)):
            # The type of a formula whose value is an empty text is "str".
            n_without[place] += cell.data_type == "f" and value.value is None and value.data_type != "str"
    return [
        f'{count_of(n, "cell")} of "{names[place]}" without text: a formula whose value is not stored; {ADVICE}'
        for place, n in sorted(n_without.items())
        if n and place < len(names)
    ]


def _has_formulas(opened: Opened) -> bool:
    with zipfile.ZipFile(opened.stream) as archive:
        for name in archive.namelist():
            if not name.startswith("xl/worksheets/") or not name.endswith(".xml"):
                continue
            with archive.open(name) as part:
                rest = b""
                for block in iter(partial(part.read, BLOCK_BYTES), b""):
                    if FORMULA.search(rest + block):
                        return True
                    rest = block[-LONGEST_TAG:]
    return False
