"""`--multi` on the command line: every output, and a run that is saved, shown, assigned and verified."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inbedder_cli.encoders import encoder_backends
from tests.keywords import KeywordEncoder

QUESTION = "Which features are mentioned?"
TEXTS = ["Dark mode and export.", "sync, search", "dark mode", "export", "", "sync", "search; dark mode; export"]
TEXTS.append("search")
GOLD = [["dark mode", "export"], ["sync", "search"], ["dark mode"], ["export"], [], ["sync"]]
GOLD += [["search", "dark mode", "export"], ["search"]]


@pytest.fixture(autouse=True)
def backend():
    encoder_backends.register("keywords", KeywordEncoder)
    yield
    encoder_backends.unregister("keywords")


@pytest.fixture
def feedback(tmp_path):
    path = tmp_path / "feedback.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["n", "text"], *enumerate(TEXTS)])
    return path


@pytest.fixture
def cluster(inbedder, feedback):
    def run(*arguments, code=0, k=4):
        base = ["cluster", feedback, "--text", "text", "-i", QUESTION, "-m", "keywords:", "--no-baseline"]
        result = inbedder(*base, *(["-k", k] if k else []), *arguments)
        assert result.exit_code == code, result.stderr
        return result

    return run


def read_csv(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_what_parts_cost_is_told_once(inbedder, feedback):
    run = (
        "cluster",
        feedback,
        "--text",
        "text",
        "-i",
        QUESTION,
        "-m",
        "keywords:",
        "-k",
        4,
        "--multi",
        "-f",
        "csv",
    )
    first, again = (inbedder(*run).stderr for _ in range(2))
    assert re.search(r"asking \d+ different parts of \d texts for answers", first)
    assert re.search(r"encoding \d+ parts of texts under a neutral question", first)
    assert "asking" not in again
    assert "encoding" not in again
    assert again.count("are cached") == 1


def test_csv_joins_the_values_of_a_row(cluster):
    rows = read_csv(cluster("--multi").stdout)
    assert [row["cluster_label"] for row in rows] == ["; ".join(labels) for labels in GOLD]
    assert [len(row["cluster"].split("; ")) for row in rows] == [max(1, len(labels)) for labels in GOLD]
    assert [row["status"] for row in rows] == ["ok"] * 4 + ["empty"] + ["ok"] * 3
    assert rows[4]["cluster"] == rows[4]["answer"] == rows[4]["margin"] == ""


@pytest.mark.parametrize("name", ["jsonl", "json"])
def test_json_has_lists(cluster, name):
    out = cluster("--multi", "-f", name).stdout
    rows = [json.loads(line) for line in out.splitlines()] if name == "jsonl" else json.loads(out)["data"]
    assert [row["cluster_label"] or [] for row in rows] == GOLD
    assert [[isinstance(number, int) for number in row["cluster"] or []] for row in rows] == [
        [True] * len(labels) for labels in GOLD
    ]


def test_the_document_counts_rows_and_answers(cluster):
    document = json.loads(cluster("--multi", "-f", "json").stdout)
    assert document["rows"] == {"total": 8, "ok": 7, "empty": 1}
    assert document["multi"]["answers"] == 12
    assert {"dark", "export", "sync", "search"} <= set(document["multi"]["words"])
    assert {c["label"]: c["size"] for c in document["clusters"]} == {
        "dark mode": 3,
        "export": 3,
        "sync": 2,
        "search": 3,
    }
    assert sum(c["share"] for c in document["clusters"]) == pytest.approx(11 / 7, abs=1e-5)
    assert json.loads(cluster("-f", "json").stdout)["multi"] is None


def test_parquet_has_lists(cluster, tmp_path):
    cluster("--multi", "-o", tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert str(table.schema.field("cluster").type) == "list<element: int64>"
    assert [labels or [] for labels in table.column("cluster_label").to_pylist()] == GOLD


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl", "xlsx"])
def test_explode_writes_a_line_for_each_answer(cluster, tmp_path, suffix):
    out = tmp_path / f"out.{suffix}"
    cluster("--multi", "--explode", "-o", out)
    match suffix:
        case "csv":
            rows = read_csv(out.read_text())
        case "parquet":
            rows = pq.read_table(out).to_pylist()
        case "jsonl":
            rows = [json.loads(line) for line in out.read_text().splitlines()]
        case _:
            from openpyxl import load_workbook

            head, *cells = load_workbook(out).active.iter_rows(values_only=True)
            rows = [dict(zip(head, row, strict=True)) for row in cells]
    expected = [(str(n), label) for n, labels in enumerate(GOLD) for label in labels or [""]]
    assert [(str(row["n"]), row["cluster_label"] or "") for row in rows] == expected
    assert [row["part"] or "" for row in rows][:4] == ["Dark mode", "export.", "sync", "search"]


def test_the_table_says_that_shares_add_up_to_more(cluster):
    out = " ".join(cluster("--multi", "-f", "table").stdout.split())
    assert "11 answers in 7 rows; a row counts in each of its clusters: the shares add up to 157%" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--explode"], "--explode writes the several answers of --multi"),
        (["--multi", "--by", "n"], "a row may be in several"),
        (["--multi", "--vectors", "x.npy"], "--vectors loads none"),
        (["--multi", "--explode", "-i", "b=What else?"], "takes one question"),
        (["--multi", "--save", "run", "-i", "b=What else?"], "takes one question"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_read(cluster, arguments, said):
    result = cluster(*arguments, code=2, k=None)
    assert said in result.stderr
    assert result.stdout == ""


def test_a_column_named_part_gets_the_others_a_prefix(inbedder, feedback):
    feedback.write_text("text,part\n" + "".join(f'"{text}",x\n' for text in TEXTS))
    common = ["cluster", feedback, "--text", "text", "-i", QUESTION, "-m", "keywords:", "-k", "2", "--multi"]
    rows = read_csv(inbedder(*common, "--explode", "--no-baseline").stdout)
    assert rows[0]["part"] == "x"
    assert rows[0]["inbedder_part"] == "Dark mode"


def test_a_saved_run_gives_new_rows_several_clusters(cluster, inbedder, tmp_path):
    run, new = tmp_path / "run", tmp_path / "new.csv"
    cluster("--multi", "--save", run)
    assert read_csv(inbedder("show", run).stdout)[0]["size"] == "3"
    assert {row["text"] for row in read_csv(inbedder("show", run, "search").stdout)} == {"search"}
    new.write_text('n,text\n1,"search, turtles and sync"\n2,export\n3,\n')
    rows = read_csv(inbedder("assign", run, new).stdout)
    assert [row["cluster_label"] for row in rows] == ["search; sync", "export", ""]
    assert [row["novel"] for row in rows] == ["false; false", "false", ""]
    lines = read_csv(inbedder("assign", run, new, "--explode").stdout)
    assert [(row["n"], row["cluster_label"]) for row in lines] == [
        ("1", "search"),
        ("1", "sync"),
        ("2", "export"),
        ("3", ""),
    ]
    drift = json.loads(inbedder("assign", run, new, "-f", "json").stdout)["drift"]
    assert drift["rows"] == 2
    shares = {c["label"]: (c["then"], c["now"]) for c in drift["clusters"]}
    assert shares["search"] == (round(3 / 7, 6), 0.5)  # of rows: the first one is in two clusters
    assert sum(now for _, now in shares.values()) == pytest.approx(1.5, abs=1e-5)
    assert "100 % in the same cluster" in inbedder("verify", run).stdout
    (run / "names.txt").write_text("1 -> 0\n")
    merged = read_csv(inbedder("assign", run, new, "-q").stdout)
    assert len(merged[0]["cluster"].split("; ")) == 2


def test_explode_is_for_runs_with_several_answers(cluster, inbedder, feedback, tmp_path):
    cluster("--save", tmp_path / "run")
    result = inbedder("assign", tmp_path / "run", feedback, "--explode")
    assert result.exit_code == 2
    assert "made with --multi" in result.stderr


@pytest.mark.parametrize("words", [3, [3], None, ["x"] * 2000, ["x" * 5000]])
def test_damaged_words_of_a_run_are_refused(cluster, inbedder, feedback, tmp_path, words):
    cluster("--multi", "--save", tmp_path / "run")
    manifest = tmp_path / "run" / "run.json"
    document = json.loads(manifest.read_text())
    document["multi"]["words"] = words
    manifest.write_text(json.dumps(document))
    result = inbedder("assign", tmp_path / "run", feedback)
    assert result.exit_code == 5
    assert "not a saved run" in result.stderr
    document["multi"] = {"words": [], "answers": 2}
    manifest.write_text(json.dumps(document))
    said = inbedder("assign", tmp_path / "run", feedback).stderr
    assert "holds 12 rows, not 2" in said
    assert "--multi -m keywords:" in said


def test_cells_of_jsonl_and_parquet_stay_what_they_are(inbedder, tmp_path):
    given = [{"text": text, "x": {"é": [i]}} | ({"y": i} if i % 2 else {}) for i, text in enumerate(TEXTS)]
    path = tmp_path / "feedback.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in given))
    base = ["--text", "text", "-i", QUESTION, "-m", "keywords:", "--no-baseline", "-k", "4", "--multi"]
    rows = [json.loads(line) for line in inbedder("cluster", path, *base).stdout.splitlines()]
    assert [{key: row[key] for key in given[i]} for i, row in enumerate(rows)] == given
    lines = [json.loads(line) for line in inbedder("cluster", path, *base, "--explode").stdout.splitlines()]
    assert [line["x"] for line in lines] == [given[i]["x"] for i, labels in enumerate(GOLD) for _ in labels or [0]]
    typed = tmp_path / "feedback.parquet"
    pq.write_table(pa.table({"text": TEXTS, "when": pa.array(range(8), pa.timestamp("ns"))}), typed)
    assert inbedder("cluster", typed, *base, "-o", tmp_path / "out.parquet").exit_code == 0
    assert pq.read_table(tmp_path / "out.parquet").column("when") == pq.read_table(typed).column("when")


def _data(page):
    block = re.search(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', page, re.S)
    return json.loads(block[1])


def test_in_the_report_each_answer_is_a_dot_and_figures_count_rows(cluster, inbedder, tmp_path):
    page, run, again = tmp_path / "r.html", tmp_path / "run", tmp_path / "again.html"
    cluster("--multi", "--report", page, "--save", run)
    text = page.read_text(encoding="utf-8")
    assert f"{len(TEXTS)} texts fall into 4 clusters" in text
    assert "A text may be in several." in text
    assert "Every dot is one answer." in text
    data = _data(text)
    assert data["total"] == len(data["texts"]) == sum(max(1, len(labels)) for labels in GOLD)
    assert inbedder("report", run, "-o", again).exit_code == 0
    restored = again.read_text(encoding="utf-8")
    assert f"{len(TEXTS)} texts fall into 4 clusters" in restored
    assert _data(restored)["total"] == data["total"]


def test_a_row_gets_the_place_of_each_answer_on_the_map(cluster):
    rows = [json.loads(line) for line in cluster("--multi", "--map", "--format", "jsonl").stdout.splitlines()]
    for row, labels in zip(rows, GOLD, strict=True):
        assert len(row["map_x"] or []) == len(row["map_y"] or []) == len(labels)


@pytest.mark.parametrize("option", ["--report", "--plot", "--save"])
def test_what_shows_answers_takes_one_question(cluster, tmp_path, option):
    result = cluster("--multi", "-i", "Which one is missing?", option, tmp_path / "out.png", code=2)
    assert f"--multi with {option} takes one question" in result.stderr


@pytest.fixture
def customers(tmp_path):
    path = tmp_path / "customers.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["customer", "text"])
        writer.writerows([i // 3, text] for i, text in enumerate(TEXTS * 3))
    return path


def test_rows_that_share_an_id_stay_rows_of_their_own(inbedder, customers, tmp_path):
    run, page = tmp_path / "run", tmp_path / "again.html"
    base = ("-i", QUESTION, "-m", "keywords:", "--no-baseline", "-k", "4", "--multi")
    assert inbedder("cluster", customers, *base, "--id", "customer", "--save", run).exit_code == 0
    assert inbedder("report", run, "-o", page).exit_code == 0
    assert f"{len(TEXTS) * 3} texts fall into 4 clusters" in page.read_text(encoding="utf-8")

    table = pq.read_table(run / "rows.parquet")
    for rows, said in ((table.drop_columns("row"), "8 texts fall into 4 clusters"), (table[:0], "holds 0 rows")):
        pq.write_table(rows, run / "rows.parquet")  # of an older version; damaged
        document = json.loads((run / "run.json").read_text())
        document["files"]["rows.parquet"] = hashlib.sha256((run / "rows.parquet").read_bytes()).hexdigest()
        (run / "run.json").write_text(json.dumps(document))
        shown = inbedder("report", run, "-o", page, "--force")
        assert said in (page.read_text(encoding="utf-8") if shown.exit_code == 0 else shown.stderr)


def test_a_row_in_both_of_two_merged_clusters_counts_once(inbedder, customers, tmp_path):
    run = tmp_path / "run"
    base = ("-i", QUESTION, "-m", "keywords:", "--no-baseline", "-k", "4", "--multi")
    assert inbedder("cluster", customers, *base, "--id", "customer", "--save", run).exit_code == 0
    names = {row["label"]: row["cluster"] for row in read_csv(inbedder("show", run, "-f", "csv").stdout)}
    into = names["sync"]
    (run / "names.txt").write_text(f"{names['search']} -> {into}\n")
    expected = 3 * sum(bool({"sync", "search"} & set(labels)) for labels in GOLD)
    shown = {row["cluster"]: row["size"] for row in read_csv(inbedder("show", run, "-f", "csv").stdout)}
    assert shown[into] == str(expected)
    drift = json.loads(inbedder("assign", run, customers, "-f", "json").stdout)["drift"]
    clusters = {str(one["cluster"]): one for one in drift["clusters"]}
    assert clusters[into]["now"] == clusters[into]["then"]
    assert not any(one["moved"] for one in clusters.values())
