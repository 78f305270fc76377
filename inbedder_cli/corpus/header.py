"""The header of a CSV file: how many rows it takes, and a name for every column."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_ROWS = 3  # of a header that is recognized
NAMED = 5  # columns that a note names
SURVEYMONKEY = {"Respondent ID", "Collector ID"}
QUALTRICS_DATES = {"StartDate", "EndDate", "RecordedDate"}
QUALTRICS = {  # columns, and what is in the row below; those from V1 on are of older exports
    "StartDate": "Start Date",
    "EndDate": "End Date",
    "Status": "Response Type",
    "IPAddress": "IP Address",
    "RecordedDate": "Recorded Date",
    "ResponseId": "Response ID",
    "RecipientLastName": "Recipient Last Name",
    "RecipientFirstName": "Recipient First Name",
    "RecipientEmail": "Recipient Email",
    "ExternalReference": "External Data Reference",
    "LocationLatitude": "Location Latitude",
    "LocationLongitude": "Location Longitude",
    "DistributionChannel": "Distribution Channel",
    "UserLanguage": "User Language",
    "V1": "ResponseID",
    "V2": "ResponseSet",
    "V4": "ExternalDataReference",
    "V6": "IPAddress",
    "V8": "StartDate",
    "V9": "EndDate",
}
LEAST_KNOWN = 2  # of these columns, to recognize an export


def n_header_rows(rows: Sequence[Sequence[str]]) -> int:
    """Return the number of header rows of a table, which is more than one in the exports of two survey tools.

    Qualtrics writes names, questions, and in newer CSV import ids ({"ImportId": ...}); SurveyMonkey writes
    questions, and the choices of each under it.

    :param rows: the first rows of the file.
    """
    if len(rows) >= MOST_ROWS and rows[2] and all(map(_is_import_id, rows[2])):
        return 3
    if len(rows) > 1 and set(rows[0]) >= SURVEYMONKEY:
        below = dict(zip(rows[0], rows[1], strict=False))
        return 1 if any(below.get(name) for name in SURVEYMONKEY) else 2
    return 2 if len(rows) > 1 and _are_labels(rows[0], rows[1]) else 1


def _are_labels(names: Sequence[str], below: Sequence[str]) -> bool:
    """Return whether a row has what Qualtrics writes under its own columns, in English or another language."""
    pairs = {name.strip(): label.strip() for name, label in zip(names, below, strict=False)}
    known = [name for name, label in pairs.items() if QUALTRICS.get(name) == label]
    dates = [pairs[name] for name in QUALTRICS_DATES & pairs.keys()]
    are_words = all(label and not any(map(str.isdigit, label)) for label in dates)
    return len(known) >= LEAST_KNOWN or (len(set(dates)) >= LEAST_KNOWN and are_words)


def _is_import_id(cell: str) -> bool:
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "ImportId" in found


def column_names(rows: Sequence[Sequence[str]]) -> tuple[list[str], list[str]]:
    """Return a unique name for every column, and notes about those that were made up.

    A column is named by its first header cell that is not empty. One without a name is called by its place, and a
    name that occurs again gets a number.

    >>> names, notes = column_names([["id", "note", "", "note"]])
    >>> names
    ['id', 'note', 'column_3', 'note_2']
    >>> notes
    ['column 3 without a name: column_3', 'more than one column is named note: note_2']

    :param rows: the header rows, the first of which tells the number of columns.
    :return: names and notes.
    """
    given = [next((row[i] for row in rows if i < len(row) and row[i].strip()), "") for i in range(len(rows[0]))]
    taken = {name for name in given if name}
    names: dict[str, None] = {}
    next_number: dict[str, int] = {}  # by name: thousands of columns may be named alike
    unnamed: list[tuple[str, str]] = []
    repeated: list[tuple[str, str]] = []
    for place, name in enumerate(given, start=1):
        if not name:
            new = _unused(f"column_{place}", taken, {})
            unnamed.append((str(place), new))
        elif name in names:
            new = _unused(name, taken, next_number)
            repeated.append((name, new))
        else:
            new = name
        taken.add(new)
        names[new] = None
    notes = []
    if unnamed:
        places, new_names = zip(*unnamed, strict=True)
        which = "column" if len(places) == 1 else "columns"
        notes.append(f"{which} {_listed(places)} without a name: {_listed(new_names)}")
    if repeated:
        old_names, new_names = zip(*repeated, strict=True)
        notes.append(f"more than one column is named {_listed(dict.fromkeys(old_names))}: {_listed(new_names)}")
    return list(names), notes


def _unused(name: str, taken: set[str], next_number: dict[str, int]) -> str:
    number = next_number.get(name, 1)
    while (new := name if number == 1 else f"{name}_{number}") in taken:
        number += 1
    next_number[name] = number + 1
    return new


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = len(every) - NAMED
    return ", ".join(every[:NAMED]) + (f" and {more} more" if more > 0 else "")
