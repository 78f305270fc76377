"""Labels are judged row by row, on a terminal's keys or on a sheet, and the precision stays with the run."""

from __future__ import annotations

import csv
import io
import json
from types import SimpleNamespace

import pytest

from inbedder_cli.cli.review import _asked
from inbedder_cli.runs.reviews import REVIEWS, add_judgments, read_judgments
from inbedder_cli.runs.saved_run import load_run
from tests import gold
from tests.gold import REVIEWS as SAMPLE


@pytest.fixture
def run(inbedder, tmp_path):
    """A saved run of 60 sample reviews, clustered by their gold emotions."""
    gold.register()
    folder = tmp_path / "run"
    options = (
        "-m",
        gold.REFERENCE,
        "-k",
        "3",
        "--limit",
        "60",
        "--id",
        "id",
        "--no-baseline",
        "--no-consensus",
        "-q",
    )
    done = inbedder("cluster", SAMPLE, "-i", "What emotion is expressed?", *options, "--save", folder, "-f", "csv")
    assert done.exit_code == 0, done.stderr
    yield folder
    gold.unregister()


def gold_rows():
    return read(SAMPLE)


def read(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))


def table(result):
    assert result.exit_code == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_keys_give_each_label_a_precision_with_an_interval(inbedder, run):
    keys = "y\ny\nn\ns\nsomething\ny\nq\n"
    first, second, _ = table(inbedder("review", run, "--rows", "5", "-f", "csv", stdin=keys))
    assert (first["reviewed"], second["reviewed"]) == ("4", "0")
    assert float(first["precision"]) == 0.75
    assert [round(float(first[f"precision_{end}"]), 2) for end in ("low", "high")] == [0.30, 0.95]
    assert second["precision"] == ""


def test_back_asks_again_and_the_new_answer_counts(inbedder, run):
    done = inbedder("review", run, "0", "--rows", "3", "-f", "csv", stdin="b\nn\nb\ny\ny\nback\nn\ny\n")
    assert [table(done)[0][name] for name in ("reviewed", "precision")] == ["3", "0.667"]
    assert done.stderr.count("(1 of 3)") == 3


def test_repeating_the_command_goes_on_with_other_rows(inbedder, run):
    asked = [inbedder("review", run, "0", "--rows", n, "-f", "csv", stdin="y\n" * 9) for n in (2, 5)]
    assert [table(one)[0]["reviewed"] for one in asked] == ["2", "5"]
    assert [one.stderr.count("What emotion is expressed?") for one in asked] == [2, 3]
    saved = json.loads((run / REVIEWS).read_text())
    assert len({judgment["row"] for judgment in saved["judgments"]}) == 5


def test_the_rows_are_random_ones_of_the_cluster_and_the_same_for_a_seed(inbedder, run, tmp_path):
    def sheet(name, *options):
        done = inbedder("review", run, "--sheet", tmp_path / name, *options)
        assert done.exit_code == 0, done.stderr
        return read(tmp_path / name)

    rows = sheet("a.csv", "--rows", "4")
    assert rows == sheet("b.csv", "--rows", "4")
    assert rows != sheet("c.csv", "--rows", "4", "--seed", "1")
    of_cluster = {row["id"] for row in table(inbedder("show", run, "0", "-f", "csv"))}
    assert {row["id"] for row in rows if row["cluster"] == "0"} < of_cluster
    assert not (run / REVIEWS).exists()


def test_a_sheet_that_was_filled_in_elsewhere_is_taken(inbedder, run, tmp_path):
    path = tmp_path / "sheet.csv"
    assert inbedder("review", run, "--rows", "3", "--sheet", path).exit_code == 0
    rows = read(path)
    in_run = [row["id"] for row in gold_rows()]
    assert all(in_run[int(row["row"]) - 1] == row["id"] for row in rows)  # rows are counted from 1
    for row, said in zip(rows, ["y", " Yes", "n", "", "0", "1"], strict=False):
        row["fits"] = said
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    shown = table(inbedder("review", run, "--from", path, "-f", "csv"))
    assert [row["reviewed"] for row in shown] == ["3", "2", "0"]
    assert table(inbedder("review", run, "--from", path, "-f", "csv")) == shown  # the same judgments count once

    path = path.with_suffix(".jsonl")
    assert inbedder("review", run, "--rows", "2", "--sheet", path).exit_code == 0
    unfilled = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps(row | {"fits": "y"}) + "\n" for row in unfilled))
    assert inbedder("review", run, "--from", path, "-f", "csv").exit_code == 0
    path = path.with_suffix(".csv")

    for column in ("text", "id"):
        other = [row | ({column: "x" + row[column]} if row is rows[1] else {}) for row in rows]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(other)
        refused = inbedder("review", run, "--from", path)
        assert refused.exit_code == 5
        assert f"{path}, row 2: row {rows[1]['row']} of the run has another text or id" in refused.stderr

    rows[0]["fits"] = "perhaps"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    refused = inbedder("review", run, "--from", path)
    assert refused.exit_code == 5
    assert f'{path}, row 1: "perhaps" is neither y nor n' in refused.stderr


def test_a_spreadsheet_reads_a_sheet_as_text_and_its_apostrophes_come_back(inbedder, tmp_path, tiny):
    texts = ["=HYPERLINK(1)", "@SUM(1)", "-dear", "kind é"] * 4
    (tmp_path / "x.csv").write_text("text\n" + "".join(f"{text} {i}\n" for i, text in enumerate(texts)), "utf-8")
    options = ("-k", "2", "--no-baseline", "--no-flag-unanswered", "--save", tmp_path / "run", "-q")
    assert inbedder("cluster", tmp_path / "x.csv", "-i", "What?", "-m", tiny, *options).exit_code == 0
    path = tmp_path / "sheet.csv"
    assert inbedder("review", tmp_path / "run", "--sheet", path).exit_code == 0
    content = path.read_text(encoding="utf-8")
    assert content.startswith("\ufeff")
    assert ",'=HYPERLINK(1)" in content
    assert ",'@SUM(1)" in content
    path.write_text(content.replace(",\n", ",y\n"), encoding="utf-8")
    done = table(inbedder("review", tmp_path / "run", "--from", path, "-f", "csv"))
    assert sum(int(row["reviewed"]) for row in done) == len(content.splitlines()) - 1


def test_a_precision_is_never_shown_without_its_interval(inbedder, run, monkeypatch):
    done = inbedder("review", run, "0", "--rows", "4", "-f", "table", stdin="y\n" * 4)
    assert "100% (51% to 100%)" in " ".join(done.stdout.split())
    for width in ("80", "100"):
        monkeypatch.setenv("COLUMNS", width)
        monkeypatch.setenv("TERMINAL_WIDTH", width)
        shown = inbedder("show", run, "-f", "table").stdout
        assert "(51%" in shown
        assert "joy 39%" in shown
    assert table(inbedder("show", run, "-f", "csv"))[0]["precision_low"] == "0.51"
    assert "joy (0.39)" in table(inbedder("show", run, "-f", "csv"))[0]["answers"]


def test_show_and_the_report_have_it_and_a_new_name_needs_a_new_review(inbedder, run, tmp_path):
    assert "precision" not in inbedder("show", run, "-f", "csv").stdout
    assert inbedder("review", run, "0", "--rows", "2", "-q", stdin="y\nn\n").exit_code == 0
    assert table(inbedder("show", run, "-f", "csv"))[0]["precision"] == "0.5"
    page = tmp_path / "report.html"
    assert inbedder("report", run, "-o", page).exit_code == 0
    assert "Somebody read 2 of its rows: the name fits 50% of them" in page.read_text(encoding="utf-8")
    (run / "names.txt").write_text("0 = other words\n")
    assert "precision" not in inbedder("show", run, "-f", "csv").stdout


def test_reviews_of_other_rows_and_damaged_ones(inbedder, run):
    assert inbedder("review", run, "0", "--rows", "1", stdin="y\n").exit_code == 0
    saved = json.loads((run / REVIEWS).read_text())
    (run / REVIEWS).write_text(json.dumps(saved | {"rows_sha256": "0" * 64}))
    assert "precision" not in inbedder("show", run, "-f", "csv").stdout
    (run / REVIEWS).write_text(json.dumps(saved | {"judgments": [{"row": -1}]}))
    refused = inbedder("show", run)
    assert refused.exit_code == 5
    assert f"{run / REVIEWS}" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["9"], 2, 'has no cluster "9"'),
        (["--question", "mood"], 2, 'no question is named "mood"'),
        (["--sheet", "a.csv", "--from", "b.csv"], 2, "--sheet writes a sheet, --from reads one"),
        (["--from", str(SAMPLE)], 5, 'no column "question"'),
    ],
)
def test_refusals(inbedder, run, arguments, code, message):
    refused = inbedder("review", run, *arguments)
    assert refused.exit_code == code
    assert message in refused.stderr


def test_rows_are_read_once_however_many_clusters_there_are(inbedder, run, tmp_path, monkeypatch):
    """Else a run of others with many clusters would keep the program for hours."""
    from inbedder_cli.runs.saved_run import SavedRun

    n_reads, rows = [], SavedRun.rows
    monkeypatch.setattr(SavedRun, "rows", lambda self, question: n_reads.append(question) or rows(self, question))
    assert inbedder("review", run, "--sheet", tmp_path / "sheet.csv").exit_code == 0
    assert n_reads == [""]


def test_two_people_review_at_once(inbedder, run, monkeypatch):
    def answers():
        yield "y\n"
        assert inbedder("review", run, "1", "--rows", "2", "-q", stdin="y\ny\n").exit_code == 0
        yield "n\n"
        yield ""

    given = answers()
    stream = SimpleNamespace(isatty=lambda: False, readline=lambda: next(given))
    monkeypatch.setattr("sys.stdin", stream)
    saved = load_run(run)
    places = {"": [0]}
    for judgment in _asked(saved, places, 2, 0, []):
        add_judgments(saved, [judgment])
    assert len(read_judgments(saved)) == 4


def test_a_skipped_row_has_no_judgment_any_more(inbedder, run):
    done = inbedder("review", run, "0", "--rows", "2", "-f", "csv", stdin="n\nb\ns\ny\n")
    assert [table(done)[0][name] for name in ("reviewed", "precision")] == ["1", "1.0"]


def test_a_sheet_replaces_no_file_of_the_run(inbedder, run, tmp_path):
    before = (run / "rows.parquet").read_bytes()
    result = inbedder("review", run, "--sheet", run / "rows.parquet", "--force")
    assert result.exit_code == 2
    assert (run / "rows.parquet").read_bytes() == before
    assert inbedder("review", run, "--sheet", tmp_path / "s.csv", "-o", tmp_path / "x.csv").exit_code == 2
