"""`inbedder report`, and the options of `cluster` and `assign` that belong to the report."""

from __future__ import annotations

import csv
import io
import webbrowser
from pathlib import Path

import pytest

QUESTION = ("-i", "What emotion is expressed?", "-k", "2", "--min-confidence", "0", "--no-baseline", "-q")


@pytest.fixture
def saved(inbedder, tiny, reviews, tmp_path):
    made = inbedder(
        "cluster",
        reviews,
        "--text",
        "text",
        "--id",
        "id",
        *QUESTION,
        "-m",
        tiny,
        "--save",
        tmp_path / "run",
        "--by",
        "code",
    )
    assert made.exit_code == 0, made.stderr
    return tmp_path / "run"


def test_cluster_writes_a_report(inbedder, tiny, reviews, tmp_path):
    path = tmp_path / "report.html"
    options = ("--title", "Rooms", "--color-by", "code", "--report", path, "-o", tmp_path / "out.csv")
    done = inbedder("cluster", reviews, "--text", "text", *QUESTION, "-m", tiny, *options)
    assert done.exit_code == 0, done.stderr
    text = path.read_text(encoding="utf-8")
    assert "<title>Rooms</title>" in text
    assert "The room was cold and loud." in text
    again = inbedder("cluster", reviews, "--text", "text", *QUESTION, "-m", tiny, "--report", path)
    assert again.exit_code == 2
    assert "exists already" in again.stderr


def test_a_saved_run_gives_a_report_without_a_model(inbedder, saved, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr("inbedder_cli.encoders.load_encoder", None)
    path = tmp_path / "a report.html"
    done = inbedder("report", saved, "-o", path, "--no-texts", "--open", "-q")
    assert done.exit_code == 0, done.stderr
    assert "The room was cold" not in path.read_text(encoding="utf-8")
    assert opened == [path.as_uri()]
    first = path.read_bytes()
    assert inbedder("report", saved, "-o", path, "--no-texts", "--force").exit_code == 0
    assert path.read_bytes() == first


def test_a_run_of_one_text_is_opened_again(inbedder, tiny, tmp_path):
    file = tmp_path / "same.csv"
    file.write_text("text\n" + "The parcel is late.\n" * 12)
    question = ("-i", "What emotion is expressed?", "--no-flag-unanswered", "-q")
    saved = inbedder("cluster", file, *question, "-m", tiny, "--save", tmp_path / "run")
    assert saved.exit_code == 0, saved.stderr
    assert inbedder("show", tmp_path / "run").stdout.count("\n") == 2
    assert inbedder("report", tmp_path / "run", "-o", tmp_path / "r.html").exit_code == 0


def test_mistakes_are_told_before_anything_is_encoded(inbedder, tiny, reviews, saved, tmp_path):
    base = ("cluster", reviews, "--text", "text", *QUESTION, "-m", tiny)
    for options, said in (
        (("--title", "x"), "--title needs a report"),
        (("--date", "code"), "--date needs a report"),
        (("--report", tmp_path / "r.html", "--color-by", "cod"), 'no column "cod"'),
        (("--report", tmp_path / "r.html", "--date", "note"), '"note" holds no dates'),
        (("--report", reviews), "--report names the input"),
        (("--report", tmp_path / "r.html", "-o", tmp_path / "r.html"), "both name"),
    ):
        done = inbedder(*base, *options)
        assert done.exit_code == (5 if "no column" in said else 2), options
        assert said in done.stderr.replace("\n", " "), options
    assert not (tmp_path / "r.html").exists()
    assert inbedder("report", saved).exit_code == 2
    kept = inbedder("report", saved, "-o", tmp_path / "r.html", "--color-by", "note")
    assert 'the run did not keep a column "note"' in kept.stderr
    assert "cluster again with --color-by note --save" in kept.stderr
    for command in (("report", saved, "-o"), (*base, "--report")):
        other = inbedder(*command, tmp_path / "r.pdf")
        assert (other.exit_code, "r.html" in other.stderr) == (2, True)
        assert not (tmp_path / "r.pdf").exists()
    for command in (("report", saved, "-o", "-"), (*base, "--report", "-"), (*base, "--save", "-")):
        refused = inbedder(*command)
        assert (refused.exit_code, Path("-").exists()) == (2, False)
    assert inbedder("report", tmp_path / "nowhere", "-o", tmp_path / "r.html").exit_code == 5


def places(text: str) -> dict[str, tuple[str, str]]:
    return {row["id"]: (row["map_x"], row["map_y"]) for row in csv.DictReader(io.StringIO(text))}


def test_rows_get_places_on_the_map_and_new_rows_too(inbedder, tiny, reviews, saved):
    base = ("--text", "text", "-f", "csv", "-q", "--map")
    rows = inbedder("cluster", reviews, *QUESTION, "-m", tiny, *base, "--id", "id")
    assert rows.exit_code == 0, rows.stderr
    placed = places(rows.stdout)
    assert placed["a3"] == ("", "")  # it has no text
    assert all(-1 <= float(x) <= 1 and -1 <= float(y) <= 1 for x, y in placed.values() if x)
    assigned = inbedder("assign", saved, reviews, *base, "--id", "id")
    assert assigned.exit_code == 0, assigned.stderr
    assert places(assigned.stdout) == placed
    assert "map_x" not in inbedder("assign", saved, reviews, "-f", "csv", "-q").stdout
