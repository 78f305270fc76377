"""Reviews of a saved run: which rows of a cluster its label fits, in the eyes of people.

They are kept in reviews.json, in the folder of the run. A judgment is about a row and a name: it no longer counts
when the cluster gets another name, or when the folder gets the rows of another run.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.explanation.precision import Precision
from inbedder_cli.output.cells import records
from inbedder_cli.runs.schema import SHA256, Count, QuestionName
from inbedder_cli.untrusted import UnsafeFileError, read_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa

    from inbedder_cli.runs.saved_run import SavedRun

REVIEWS = "reviews.json"
MAX_BYTES = 32_000_000
FITS = {"y": True, "yes": True, "1": True, "true": True, "n": False, "no": False, "0": False, "false": False}
SHEET_COLUMNS = ("question", "cluster", "label", "row", "id", "answer", "text", "fits")


class Judgment(Struct, frozen=True):
    """What somebody says of a row and the name of its cluster.

    :param question: name of the question, "" for the only one.
    :param row: index in the rows of the run, from 0.
    :param label: the name.
    :param fits: whether it fits the row; None withdraws what was said before.
    """

    question: QuestionName
    row: Count
    label: Annotated[str, Meta(max_length=200_000)]
    fits: bool | None


class _Reviews(Struct, frozen=True):
    schema: Literal[1]
    rows_sha256: SHA256
    judgments: list[Judgment]


def read_judgments(run: SavedRun) -> list[Judgment]:
    """Return the judgments about a run; none if the file belongs to the rows of another one.

    :param run: the saved run.
    :raises InputError: for a file that is damaged.
    """
    path = run.folder / REVIEWS
    try:
        saved = msgspec.json.decode(read_regular(path, MAX_BYTES), type=_Reviews)
    except FileNotFoundError:
        return []
    except (msgspec.MsgspecError, UnsafeFileError, RecursionError, ValueError) as error:
        raise InputError(
            f"holds no reviews: {error}", source=str(path), hint="remove it, and review again"
        ) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", source=str(path)) from error
    return saved.judgments if saved.rows_sha256 == run.manifest.files.rows else []


def add_judgments(run: SavedRun, judgments: Iterable[Judgment]) -> list[Judgment]:
    """Add judgments to those of a run, and return all.

    The file is read anew, since several people may review a run at the same time.

    :param run: the saved run.
    :param judgments: new ones; the last one about a row and a name counts.
    :raises InputError: for a file that is damaged.
    :raises InbedderError: when the file cannot be written.
    """
    from inbedder_cli.output.files import atomic_write

    last = {(each.question, each.row, each.label): each for each in (*read_judgments(run), *judgments)}
    kept = [each for each in last.values() if each.fits is not None]
    with atomic_write(run.folder / REVIEWS) as stream:
        stream.write(msgspec.json.encode(_Reviews(1, run.manifest.files.rows, kept)))
    return kept


def precisions(run: SavedRun, question: str, judgments: Iterable[Judgment]) -> dict[int, Precision]:
    """Return the precision of each cluster's name, by number, for the clusters that were reviewed.

    :param run: the saved run.
    :param question: name of the question.
    :param judgments: those about the run.
    """
    own = [each for each in judgments if each.question == question]
    if not own:
        return {}
    clusters, names = _clusters(run, question), run.questions[question].names
    counts: dict[int, Counter[bool]] = {}
    for each in own:
        number = clusters[each.row] if each.row < len(clusters) else None
        if number is not None and names.get(number) == each.label and each.fits is not None:
            counts.setdefault(number, Counter())[each.fits] += 1
    return {number: Precision(count[True], count.total()) for number, count in sorted(counts.items())}


def rows_to_review(
    run: SavedRun,
    question: str,
    clusters: Iterable[int],
    n_rows: int,
    seed: int,
    judgments: Iterable[Judgment] = (),
) -> Iterator[list[dict[str, Any]]]:
    """Yield random rows of each cluster that were not judged yet, in an order that the seed gives.

    :param run: the saved run.
    :param question: name of the question.
    :param clusters: their numbers, after the user's merges.
    :param n_rows: how many rows of each to judge in all: those that were judged count.
    :param seed: of the order; a larger `n_rows` goes on with the same order.
    :param judgments: those about the run.
    :yield: rows of one cluster as a sheet has them, by the names of `SHEET_COLUMNS`; `row` counts from 1.
    """
    rows, names, merged = run.rows(question), run.questions[question].names, run.questions[question].merged
    members: defaultdict[int, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        if (number := row["cluster"]) is not None:
            members[merged.get(number, number)].append(place)
    done = {(each.row, each.label) for each in judgments if each.question == question}
    for cluster in clusters:
        own, label = members[cluster], names[cluster]
        random.Random(f"{seed} {question} {cluster}").shuffle(own)  # noqa: S311
        yield [
            {
                **{"question": question, "cluster": cluster, "label": label, "row": place + 1, "fits": ""},
                **{name: rows[place][name] or "" for name in ("id", "answer", "text")},
            }
            for place in own[:n_rows]
            if (place, label) not in done
        ]


def judgments_of_sheet(run: SavedRun, table: pa.Table, source: str) -> list[Judgment]:
    """Return what a filled-in sheet says, whose rows are counted from 1; rows without y or n are left out.

    :param run: the saved run.
    :param table: with the columns row, label and fits, as `inbedder review --sheet` wrote them.
    :param source: its name, for messages.
    :raises InputError: for a sheet of another kind or of another run, and a value that is neither y nor n.
    """
    if missing := [name for name in SHEET_COLUMNS if name not in table.column_names]:
        raise InputError(f'no column "{missing[0]}"', source=source, hint="take the sheet that --sheet wrote")
    found, rows = [], {name: run.rows(name) for name in run.questions}
    for number, cells in enumerate(records(table), start=1):
        said = "" if cells["fits"] is None else str(cells["fits"]).strip().lower()
        if not said:
            continue
        question = cells["question"] or ""
        if said not in FITS or question not in run.questions:
            message = f'"{said}" is neither y nor n' if said not in FITS else f'no question is named "{question}"'
            raise InputError(message, source=source, row=number, hint="leave the cell empty to skip a row")
        row = _index(cells["row"], len(rows[question]), source, number)
        if any(_letters(cells.get(name)) != _letters(rows[question][row][name]) for name in ("id", "text")):
            raise InputError(
                f"row {row + 1} of the run has another text or id: the sheet is of another run",
                source=source,
                row=number,
                hint="write a new one: inbedder review RUN --sheet FILE",
            )
        found.append(Judgment(question, row, _label(cells["label"], run, question), FITS[said]))
    return found


def _label(cell: str | None, run: SavedRun, question: str) -> str:
    """Return the label that a sheet holds, without the apostrophe that keeps a spreadsheet from running it."""
    label, names = cell or "", run.questions[question].names.values()
    return label[1:] if label.startswith("'") and label not in names else label


def _letters(cell: object) -> str:
    """Return the letters and digits of a cell, which spreadsheets leave as they are."""
    return "".join(filter(str.isalnum, str(cell or "")))


def choose_clusters(run: SavedRun, question: str, cluster: str | None) -> list[int]:
    """Return the numbers of the clusters to review, after the user's merges.

    :param run: the saved run.
    :param question: name of the question.
    :param cluster: one, as `SavedQuestion.number_of` takes it; None for all.
    :raises UsageError: for one that the run has not.
    """
    saved = run.questions[question]
    names = {number: name for number, name in saved.names.items() if number not in saved.merged}
    if cluster is None:
        return list(names)
    number = saved.number_of(cluster)
    if number is None:
        shown = ", ".join(f"{number} {name}" for number, name in names.items())
        raise UsageError(f'{run.folder} has no cluster "{cluster}"', hint=f"its clusters: {shown}")
    return [number]


def _clusters(run: SavedRun, question: str) -> list[int | None]:
    merged = run.questions[question].merged
    numbers = (row["cluster"] for row in run.rows(question))
    return [None if number is None else merged.get(number, number) for number in numbers]


def _index(value: object, n_rows: int, source: str, number: int) -> int:
    try:
        row = int(str(value)) - 1
    except ValueError:
        row = -1
    if not 0 <= row < n_rows:
        raise InputError(
            f'"{value}" is no row of the run', source=source, row=number, hint="take the sheet that --sheet wrote"
        )
    return row
