"""A folder with every file that the commands of the documentation name, made of the sample data."""

from __future__ import annotations

import csv
import json
import shutil
from typing import TYPE_CHECKING

from docs.tools.blocks import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SAMPLES = ROOT / "sample_data"
N_FIRST = 300  # rows of first.csv; the others are next week's


def prepare(folder: Path, n_rows: int | None = None) -> None:
    """Fill a folder.

    :param folder: an empty one.
    :param n_rows: rows of each file; None for all.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    shutil.copytree(SAMPLES, folder / "sample_data")
    with (SAMPLES / "reviews.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    n_first = N_FIRST if n_rows is None else n_rows
    rows = rows if n_rows is None else rows[: n_rows + n_rows // 2]
    reviews = rows if n_rows is None else rows[:n_rows]
    _write_csv(folder / "sample_data" / "reviews.csv", [header, *reviews])
    _write_csv(folder / "reviews.csv", [header, *reviews])
    _write_csv(folder / "first.csv", [header, *rows[:n_first]])
    _write_csv(folder / "next-week.csv", [header, *rows[n_first:]])
    tickets = pq.read_table(SAMPLES / "tickets.parquet").slice(0, n_rows)
    pq.write_table(tickets, folder / "sample_data" / "tickets.parquet")
    pq.write_table(tickets, folder / "big.parquet")
    records = json.loads(json.dumps(tickets.to_pylist(), default=str))
    _write_lines(folder / "tickets.jsonl", records)
    nested = [{"ticket": {"id": row["ticket"], "description": row["text"]}} for row in records]
    _write_lines(folder / "helpdesk.jsonl", nested)
    orders = [{"order": row["ticket"], "items": [{"remark": row["text"]}]} for row in records]
    pq.write_table(pa.Table.from_pylist(orders), folder / "orders.parquet")
    items = [{"text": row["text"], "id": row["ticket"]} for row in records]
    (folder / "export.json").write_text(
        json.dumps({"data": {"items": items}, "users": [{"name": "Ada"}]}), encoding="utf-8"
    )
    _write_csv(folder / "feedback.csv", [["text"], *([text] for text in FEEDBACK)])
    _write_survey(folder / "survey.csv", [row[4] for row in reviews[:60]])
    broken = "id,text\n" + "".join(f"{row[0]},No, {row[2]}, never again\n" for row in rows[:3])
    fine = "".join(f'{row[0]},"{row[4].replace(chr(34), "")}"\n' for row in rows[3:40])
    (folder / "export.csv").write_text(broken + fine, encoding="utf-8")
    (folder / "reviews").mkdir()
    pq.write_table(tickets.select(["ticket", "text"]), folder / "reviews" / "part-0.parquet")
    (folder / "exports").mkdir()
    for month, part in (("05", rows[:20]), ("06", rows[20:40])):
        _write_csv(folder / "exports" / f"2026-{month}.csv", [header, *part])


def _write_csv(path: Path, rows: Iterable[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _write_lines(path: Path, records: Iterable[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def _write_survey(path: Path, texts: list[str]) -> None:
    """Write answers as Qualtrics exports them: names, questions, and import ids above the rows."""
    names = ["ResponseId", "Q4_TEXT"]
    questions = ["Response ID", "What should we change? - Text"]
    ids = ['{"ImportId":"_recordId"}', '{"ImportId":"QID4_TEXT"}']
    rows = [[f"R_{i:05d}", text] for i, text in enumerate(texts)]
    _write_csv(path, [names, questions, ids, *rows])


FEEDBACK = """\
Love the new dark mode, but sync between phone and tablet still loses notes.
Export to Excel is broken since the update.
Search finds nothing, and the widgets are gone.
Dark mode please! And a way to export my lists.
The widgets are lovely.
Full-screen ads after every note, and the menus are slow.
Sync works at last. Could you add full-text search?
It crashes whenever I open the settings.
Too many ads, too expensive, and it crashes.
I use the CSV export every Friday, and it just works.
The price went up again.
Cannot log in since Monday; the widgets show nothing either.
Search is fast now. Dark mode hurts my eyes, though.
My notes do not sync and support does not answer.
The app is slow to start and drains the battery.
Nice icons.
Please bring back the old export.
Ads cover the search bar.
Works well with dark mode, and the widgets are handy.
Cloud sync could be faster. CSV export could be faster, too.
""".splitlines()
