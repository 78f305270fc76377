"""A column of the input as groups of rows: dates by period, numbers by range, everything else by value."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.corpus.cell_paths import split_path
from inbedder_cli.corpus.values import value_as_text
from inbedder_cli.errors import UsageError
from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

MAX_NUMBERS = 12  # a column with more distinct numbers is cut into ranges
MAX_PERIODS = 12  # periods of the unit that is chosen by itself
MAX_BINS = 100  # that can be asked for
RANGES = 4
LARGEST_WHOLE = 2**53  # up to which floats hold every whole number
DIGITS = (6, 10, 17)  # significant digits to try in the names of ranges
OTHERS = "(others)"
LEAST = 0.9  # share of the cells that must be dates, or numbers
MISSING = frozenset(["-", "–", "?", "n/a", "na", "nan", "null", "none", "nil", "unknown", "#n/a"])
UNITS: dict[str, Callable[[datetime], str]] = {
    "day": lambda moment: f"{moment:%Y-%m-%d}",
    "week": lambda moment: "{}-W{:02}".format(*moment.isocalendar()[:2]),
    "month": lambda moment: f"{moment:%Y-%m}",
    "quarter": lambda moment: f"{moment.year}-Q{(moment.month + 2) // 3}",
    "year": lambda moment: f"{moment.year:04}",
}
PERIOD = re.compile(r"\d{4}(?:[-/ ]?(?:Q[1-4]|W\d\d?|\d\d))?", re.I)
NUMERIC_DATE = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:[ T,].*)?")
CURRENCY = re.compile(
    r"[€$£¥₹₽₩%\s\u00a0\u202f']|\b(?:EUR|USD|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|kr|zł)\b", re.I
)
PLAIN_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?")
THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
DECIMAL_COMMA = re.compile(r"[-+]?(?:\d{1,3}(?:\.\d{3})+|\d+),\d+")
EPOCH_NAME = re.compile(r"epoch|unix|time|date|_at$", re.I)
EPOCHS = (946_684_800, 4_102_444_800)  # seconds since 1970: 2000 to 2100
IDENTIFIER = re.compile(
    r"(?:^|[\W_])(?:id|ids|no|nr|code|zip|plz|postal|phone|store|account|sku|number)(?:$|[\W_])", re.I
)


@dataclass(frozen=True, eq=False)
class Grouping:
    """A value for each row: the label of its cluster, or its group in a column.

    :param name: name of the question or of the column.
    :param values: one per row; None where the row has none.
    :param order: the values in their own order, as periods have one; empty where they have none.
    :param positions: where each row lies in that order, for tests that know it: numbers, or seconds; NaN where the
        row has no value; None without an order.
    :param note: how the cells were read, where that is not obvious.
    """

    name: str
    values: Sequence[str | None]
    order: tuple[str, ...] = ()
    positions: npt.NDArray[np.float64] | None = None
    note: str | None = None


def split_bins(column: str, names: Sequence[str]) -> tuple[str, str | None]:
    """Return a column, or a path into one, and the bins that are asked for: "created_at:month", "order.amount:5".

    :param column: as the user gave it.
    :param names: the columns of the table; one that is named so with its colon is taken as it is.
    """
    name, colon, bins = column.rpartition(":")
    is_known = name in names or split_path(name, names) is not None
    return (name, bins) if colon and column not in names and is_known else (column, None)


def column_grouping(name: str, cells: Sequence[Any], bins: str | None = None) -> Grouping:
    """Return a column of the input as a grouping.

    Dates become periods, the finest of day, week, month, quarter and year of which there are at most 12. Numbers
    of more than 12 different values become ranges with equally many rows. Identifiers stay what they are: digits
    with leading zeros, or under a name such as "zip" or "store". Up to a tenth of the cells may be of another
    kind; they count as missing, which the note says, as it does of empty cells.

    :param name: name of the column.
    :param cells: one per row; None, NaN and blank texts are no values, nor are "n/a" and such among dates and
        numbers.
    :param bins: a unit for dates, or a number of ranges for numbers; None chooses.
    :raises UsageError: for bins that do not fit the column.
    """
    grouping = _grouping(name, cells, bins)
    n_empty = sum(map(is_empty, cells))
    if not n_empty:
        return grouping
    note = f"{count_of(n_empty, 'cell')} of {name} {'is' if n_empty == 1 else 'are'} empty, and left out"
    return replace(grouping, note=f"{grouping.note}; {note}" if grouping.note else note)


def _grouping(name: str, cells: Sequence[Any], bins: str | None) -> Grouping:
    texts = [None if _is_missing(cell) else cell for cell in cells]
    present = [cell for cell in texts if cell is not None]
    dates = _dates(present, name)
    if dates is not None:
        return _by_period(name, texts, *dates, bins)
    numbers = None if _are_identifiers(name, present) else _numbers(present)
    if bins is not None and numbers is None:
        raise UsageError(
            f"{name} holds no dates or numbers that could be cut into {bins}", hint="leave out the bins"
        )
    if numbers is not None:
        return _by_range(name, texts, numbers, bins)
    values = [None if is_empty(cell) else value_as_text(cell) for cell in cells]
    found = {v for v in values if v is not None}
    if not found or not all(PERIOD.fullmatch(value) for value in found):
        return Grouping(name, values)
    order = tuple(sorted(found, key=lambda value: ([int(part) for part in re.findall(r"\d+", value)], value)))
    places: dict[str | None, float] = {value: float(i) for i, value in enumerate(order)}
    return Grouping(name, values, order, np.array([places.get(v, np.nan) for v in values], np.float64))


def is_empty(cell: Any) -> bool:  # noqa: ANN401
    """Return whether a cell holds nothing: a blank text, or a number that is none.

    :param cell: of any type.
    """
    return (
        cell is None or (isinstance(cell, str) and not cell.strip()) or (isinstance(cell, float) and cell != cell)
    )


def _is_missing(cell: Any) -> bool:  # noqa: ANN401
    return is_empty(cell) or (isinstance(cell, str) and cell.strip().lower() in MISSING)


Read = tuple[list[Any], str | None]  # a value per cell, None where it is of another kind; a note


def _dates(cells: Sequence[Any], name: str) -> Read | None:
    """Return the moments that cells name, or None if they are no dates."""
    if EPOCH_NAME.search(name) and not IDENTIFIER.search(name) and (seconds := _epoch_seconds(cells)):
        return [datetime.fromtimestamp(second, UTC).replace(tzinfo=None) for second in seconds], None
    if cells and all(isinstance(cell, str) for cell in cells):
        if all(PERIOD.fullmatch(cell.strip()) for cell in cells):
            return None
        read, note = _numeric_dates(cells, name)
        if read is None:
            read = [_iso_date(cell) for cell in cells]
    else:
        read, note = [_moment(cell) for cell in cells], None
    if not cells or sum(moment is not None for moment in read) < LEAST * len(cells):
        return None
    return read, note


def _epoch_seconds(cells: Sequence[Any]) -> list[float] | None:
    """Return cells as seconds since 1970, if all are whole seconds or milliseconds of 2000 to 2100."""
    texts = [str(cell).strip() for cell in cells]
    if not texts or not all(text.isascii() and text.isdigit() and len(text) in (9, 10, 13) for text in texts):
        return None
    seconds = [int(text) / (1000 if len(text) == 13 else 1) for text in texts]
    return seconds if all(EPOCHS[0] <= second < EPOCHS[1] for second in seconds) else None


def _moment(cell: Any) -> datetime | None:  # noqa: ANN401
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).replace(tzinfo=None) if cell.tzinfo else cell
    return datetime.combine(cell, time()) if isinstance(cell, date) else None


def _iso_date(cell: str) -> datetime | None:
    text = cell.strip()
    if not re.match(r"\d{4}-\d\d-\d\d|\d{8}T", text):
        return None
    try:
        return _moment(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def _numeric_dates(cells: Sequence[str], name: str) -> tuple[list[datetime | None] | None, str | None]:
    """Return dates such as 01/02/2024 with a note where day and month cannot be told apart, or None."""
    found = [NUMERIC_DATE.fullmatch(cell.strip()) for cell in cells]
    parts = [(int(m[1]), int(m[3]), int(m[4])) for m in found if m]
    if len(parts) < LEAST * len(cells):
        return None, None
    is_day_first = any(first > 12 for first, _, _ in parts)
    is_month_first = any(second > 12 for _, second, _ in parts)
    note = None
    if not is_day_first and not is_month_first:
        is_day_first = any(m[2] != "/" for m in found if m)
        order = "day, month, year" if is_day_first else "month, day, year"
        note = f"{name}: {next(m[0] for m in found if m)} is read as {order}"
    read = []
    for m in found:
        try:
            first, second = (int(m[1]), int(m[3])) if m else (0, 0)
            day, month = (first, second) if is_day_first else (second, first)
            read.append(datetime(int(m[4]), month, day) if m else None)
        except ValueError:
            read.append(None)
    return read, note


def _numbers(cells: Sequence[Any]) -> Read | None:
    """Return the numbers that cells name, or None if they are none."""
    texts = [CURRENCY.sub("", cell) if isinstance(cell, str) else cell for cell in cells]
    strings = [text for text in texts if isinstance(text, str)]
    has_decimal_comma = any(DECIMAL_COMMA.fullmatch(text) and not THOUSANDS.fullmatch(text) for text in strings)
    read = [_number(text, has_decimal_comma=has_decimal_comma) for text in texts]
    if not cells or sum(number is not None for number in read) < LEAST * len(cells):
        return None
    return read, None


def _number(cell: Any, *, has_decimal_comma: bool) -> float | None:  # noqa: ANN401
    if isinstance(cell, str):
        text = cell
        if has_decimal_comma and "," in text:
            text = text.replace(".", "").replace(",", ".")
        elif THOUSANDS.fullmatch(text):
            text = text.replace(",", "")
        if not PLAIN_NUMBER.fullmatch(text):
            return None
        cell = text
    try:
        number = float(cell)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if np.isfinite(number) and not isinstance(cell, bool) else None


def _are_identifiers(name: str, cells: Sequence[Any]) -> bool:
    """Return whether cells only look like numbers: with leading zeros, or of one length under a telling name."""
    texts = [str(cell).strip() for cell in cells]
    if not texts or not all(text.isascii() and text.isdigit() for text in texts):
        return False
    if any(len(text) > 1 and text.startswith("0") for text in texts):
        return True
    return IDENTIFIER.search(name) is not None


def _by_period(
    name: str, cells: Sequence[Any], moments: Sequence[datetime | None], note: str | None, unit: str | None
) -> Grouping:
    known = [moment for moment in moments if moment is not None]
    if unit is not None and unit not in UNITS:
        raise UsageError(f'unknown unit "{unit}" for the dates of {name}', hint=f"use one of: {', '.join(UNITS)}")
    counts = {each: len({label(moment) for moment in known}) for each, label in UNITS.items()}
    chosen = unit or next((each for each, n in counts.items() if n <= MAX_PERIODS), "year")
    if counts[chosen] > MAX_BINS:
        fitting = next((each for each, n in counts.items() if n <= MAX_BINS), None)
        raise UsageError(
            f"{name} spans {counts[chosen]:,} periods by {chosen}",
            hint=f"choose a longer unit: {name}:{fitting}" if fitting else "leave this column out",
        )
    label = UNITS[chosen]
    each_row = _spread(cells, moments)
    start = datetime(1970, 1, 1)
    positions = np.array([np.nan if m is None else (m - start).total_seconds() for m in each_row], float)
    values = [None if moment is None else label(moment) for moment in each_row]
    notes = [note] if note else []
    notes += [] if unit else [f"{name} by {chosen} ({name}:UNIT to change)"]
    return Grouping(
        name, values, tuple(sorted(set(map(label, known)))), positions, _joined(notes, moments, name, "dates")
    )


def _by_range(name: str, cells: Sequence[Any], read: Read, bins: str | None) -> Grouping:
    numbers = read[0]
    known = [number for number in numbers if number is not None]
    each_row = _spread(cells, numbers)
    positions = np.array([np.nan if number is None else number for number in each_row], float)
    note = _joined([], numbers, name, "numbers")
    if bins is not None and not (bins.isdigit() and 2 <= int(bins) <= MAX_BINS):
        raise UsageError(f'"{bins}" is no number of ranges for {name}', hint=f"use 2 to {MAX_BINS}: {name}:5")
    if bins is None and len(set(known)) <= MAX_NUMBERS:
        shown = [None if number is None else str(cell) for cell, number in zip(cells, each_row, strict=True)]
        places = {text: number for text, number in zip(shown, each_row, strict=True) if text is not None}
        return Grouping(name, shown, tuple(sorted(places, key=lambda text: (places[text], text))), positions, note)
    cuts = np.quantile(known, np.linspace(0, 1, int(bins or RANGES) + 1))
    if len(np.unique(cuts)) <= 2:  # most of the rows have one value
        common = Counter(known).most_common(1)[0][0]
        label = f"{common:.15g}"
        return Grouping(
            name, [None if n is None else label if n == common else OTHERS for n in each_row], note=note
        )
    ends, names = _whole_ranges(cuts) if _are_whole(known) else _ranges(np.unique(cuts))
    places_of = np.clip(np.searchsorted(ends, positions, side="left"), 0, len(names) - 1)
    values = [None if number is None else names[int(i)] for number, i in zip(each_row, places_of, strict=True)]
    return Grouping(name, values, tuple(names), positions, note)


def _spread(cells: Sequence[Any], read: Sequence[Any]) -> list[Any]:
    """Return what was read of the cells that are not missing, one per row."""
    values = iter(read)
    return [None if cell is None else next(values) for cell in cells]


def _joined(notes: list[str], read: Sequence[Any], name: str, kind: str) -> str | None:
    n_stray = sum(value is None for value in read)
    are = f"is no {kind[:-1]}" if n_stray == 1 else f"are no {kind}"
    stray = [f"{count_of(n_stray, 'cell')} of {name} {are}, and left out"] if n_stray else []
    return "; ".join([*notes, *stray]) or None


def _are_whole(numbers: Sequence[float]) -> bool:
    return all(number.is_integer() and abs(number) < LARGEST_WHOLE for number in numbers)


def _whole_ranges(cuts: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], list[str]]:
    """Return the last number of each range of whole numbers, and its name: 1 to 3, 4 to 7."""
    ends = np.unique(np.floor(cuts[1:]))
    starts = [int(cuts[0]), *(int(end) + 1 for end in ends[:-1])]
    names = [
        str(start) if start == end else f"{start} to {end}"
        for start, end in zip(starts, ends.astype(np.int64).tolist(), strict=True)
    ]
    return ends, names


def _ranges(cuts: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], list[str]]:
    """Return the end of each range between cuts, and its name, with as many digits as make the names distinct.

    A range holds its end, not its start, but for the first: 0.5 to 3.2, over 3.2 to 7.
    """
    for digits in DIGITS:
        shown = [f"{cut:.{digits}g}" for cut in cuts]
        if len(set(shown)) == len(shown):
            break
    pairs = pairwise(shown)
    return cuts[1:], [f"{'over ' if i else ''}{low} to {high}" for i, (low, high) in enumerate(pairs)]
