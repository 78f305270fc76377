"""A saved run: shown, verified, and its clusters given to new rows."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path

import pytest

QUESTION, OTHER = "What emotion is expressed?", "Which room is it about?"


def a_file(path, numbers):
    path.write_text(
        "id,text\n" + "".join(f"a{i},text {i} {'cold' if i % 2 else 'kind'} room {i % 7}\n" for i in numbers)
    )
    return path


@pytest.fixture
def stays(tmp_path):
    return a_file(tmp_path / "stays.csv", range(30))


@pytest.fixture
def saved(inbedder, tiny, stays, tmp_path):
    """Save a run, by default of one question and three clusters."""

    def save(*arguments, questions=("-i", QUESTION), folder="run"):
        fixed = [
            "-m",
            tiny,
            "--device",
            "cpu",
            "--dtype",
            "float32",
            "--no-flag-unanswered",
            "--no-baseline",
            "--id",
            "id",
        ]
        chosen = arguments or ("-k", "3")
        result = inbedder("cluster", stays, *questions, *fixed, *chosen, "--save", tmp_path / folder)
        assert result.exit_code == 0, result.stderr
        return tmp_path / folder, rows_of(result)

    return save


def rows_of(result):
    assert result.exit_code == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


@pytest.mark.parametrize("chosen", [("-k", "3"), ("-a", "hdbscan", "--min-cluster-size", "3")])
def test_the_same_rows_get_the_same_clusters_again(inbedder, saved, stays, chosen):
    run, rows = saved(*chosen)
    again = rows_of(inbedder("assign", run, stays, "--device", "cpu"))
    clustered = [i for i, row in enumerate(rows) if row["cluster"] != "-1"]
    for column in ("cluster", "cluster_label", "label_is_weak", "answer", "second_cluster"):
        assert [again[i][column] for i in clustered] == [rows[i][column] for i in clustered]
    assert list(again[0])[-1] == "novel"


def test_new_rows_get_clusters_and_their_drift_is_reported(inbedder, saved, tmp_path):
    run, _ = saved()
    fresh = a_file(tmp_path / "fresh.csv", range(100, 112))
    result = inbedder("assign", run, fresh)
    rows = rows_of(result)
    assert {row["cluster"] for row in rows} <= {"0", "1", "2"}
    assert {row["novel"] for row in rows} <= {"true", "false"}
    assert "rows are novel" in result.stderr
    document = json.loads(inbedder("assign", run, fresh, "-f", "json").stdout)
    drift = document["drift"]
    assert sum(c["then"] for c in drift["clusters"]) == pytest.approx(1, abs=1e-5)
    assert sum(c["now"] for c in drift["clusters"]) == pytest.approx(1, abs=1e-5)
    assert len(document["data"]) == 12
    table = inbedder("assign", run, fresh, "-f", "table").stdout
    assert "95 % interval" in table
    assert "then" in table


@pytest.mark.parametrize("chosen", [("-k", "3"), ("-a", "hdbscan", "--min-cluster-size", "3")])
def test_shares_then_are_those_that_cluster_shows_and_the_lines_account_for_all_rows(
    inbedder, saved, stays, tmp_path, chosen
):
    stays.write_text(stays.read_text() + "".join(f"n{i},n/a\n" for i in range(6)) + "e,\n")
    run, _ = saved(*chosen, "--flag-unanswered", "--min-confidence", "0")
    document = json.loads((run / "run.json").read_text())
    shown = {c["cluster"]: c["share"] for c in document["clusters"]} | {None: document["unanswered"]["share"]}
    assert shown[None] >= 6 / 36
    fresh = a_file(tmp_path / "fresh.csv", range(100, 114))
    fresh.write_text(fresh.read_text() + "n1,n/a\nn2,n/a\ne,\n")
    result = inbedder("assign", run, fresh, "--json")
    document = json.loads(result.stdout)
    told = document["drift"]
    assert {c["cluster"]: c["then"] for c in told["clusters"] if c["then"]} == shown
    now = {c["cluster"]: c["now"] for c in told["clusters"]}
    counts = Counter(row["status"] for row in document["data"])
    assert counts["no-answer"] >= 2
    assert (told["rows"], now[None], told["status"]) == (16, counts["no-answer"] / 16, dict(counts))
    assert sum(now.values()) == pytest.approx(1, abs=1e-5)
    assert f"{counts['ok']} of 17 rows are in clusters; 1 empty, " in result.stderr
    assert "(no clear answer)" in inbedder("assign", run, fresh, "-f", "table").stdout
    (run / "names.txt").write_text("1 -> 0\n")
    merged = json.loads(inbedder("assign", run, fresh, "--json").stdout)["drift"]["clusters"]
    assert merged[0]["then"] == pytest.approx(shown[0] + shown[1], abs=1e-5)
    manifest = json.loads((run / "run.json").read_text())
    del manifest["unanswered"]  # as in older runs, which only count these rows
    (run / "run.json").write_text(json.dumps(manifest))
    assert json.loads(inbedder("assign", run, fresh, "--json").stdout)["drift"]["clusters"] == merged


def test_shares_of_a_run_that_holds_no_counts_by_status_are_known_too(inbedder, saved, stays):
    run, _ = saved()
    told = json.loads(inbedder("assign", run, stays, "--json").stdout)["drift"]
    manifest = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(manifest | {"rows": {"total": 30}}))
    assert json.loads(inbedder("assign", run, stays, "--json").stdout)["drift"] == told


def test_drift_is_printed_beside_a_file(inbedder, saved, stays, tmp_path):
    run, rows = saved()
    done = inbedder("assign", run, stays, "-f", "table", "-o", tmp_path / "new.csv")
    assert done.exit_code == 0, done.stderr
    assert "no share changed significantly" in done.stdout
    assert len(list(csv.DictReader(io.StringIO((tmp_path / "new.csv").read_text())))) == len(rows)


def test_renames_and_merges_hold_and_survive_another_run(inbedder, saved, stays, tmp_path):
    run, rows = saved()
    (run / "names.txt").write_text("# mine\n0 = first of all\n2 -> 1\n", encoding="utf-8")
    again = rows_of(inbedder("assign", run, stays))
    for row, old in zip(again, rows, strict=True):
        assert row["cluster"] == {"2": "1"}.get(old["cluster"], old["cluster"])
        assert (row["cluster_label"] == "first of all") == (old["cluster"] == "0")
    saved("-k", "3", "--force")  # the same clusters
    assert "first of all" in (run / "names.txt").read_text()
    as_json = json.loads(inbedder("show", run, "--json").stdout)
    assert 0.5 < sum(answer["share"] for answer in as_json[0]["answers"]) <= 1
    assert isinstance(as_json[0]["likely_next_words"], list)
    shown = {row["cluster"]: row for row in rows_of(inbedder("show", run))}
    assert shown.keys() == {"0", "1"}
    assert shown["0"]["label"] == "first of all"
    merged = rows_of(inbedder("show", run, "1"))
    assert len(merged) == int(shown["1"]["size"]) == sum(old["cluster"] in ("1", "2") for old in rows)


def test_names_of_other_clusters_are_set_aside(saved):
    run, _ = saved()
    (run / "names.txt").write_text("2 = third\n")
    saved("-k", "2", "--force")
    assert not (run / "names.txt").exists()
    assert (run / "names.txt.old").read_text() == "2 = third\n"


def test_merges_are_followed_to_their_end_and_cycles_refused(inbedder, saved, stays):
    run, _ = saved()
    (run / "names.txt").write_text("2 -> 1\n1 -> 0\n")
    rows = rows_of(inbedder("assign", run, stays))
    assert {row["cluster"] for row in rows} == {"0"}
    assert {row["second_cluster"] for row in rows} == {""}
    (run / "names.txt").write_text("1 -> 0\n0 -> 1\n")
    assert "merged into itself" in inbedder("assign", run, stays).stderr
    (run / "names.txt").write_bytes("1 = Qualität\n".encode("cp1252"))
    assert "is not UTF-8" in inbedder("assign", run, stays).stderr


def test_a_run_of_a_file_with_a_column_of_a_results_name_is_saved_too(inbedder, tiny, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("text,cluster\n" + "".join(f"text {i} kind,mine\n" for i in range(9)))
    arguments = ("cluster", path, "-i", QUESTION, "-m", tiny, "--no-flag-unanswered", "--prefix", "q_", "-k", "2")
    assert inbedder(*arguments, "--save", tmp_path / "run").exit_code == 0
    assert len(rows_of(inbedder("show", tmp_path / "run"))) == 2
    assert inbedder(*arguments, "--save", tmp_path / "no" / "run").exit_code == 2


@pytest.mark.parametrize("line", ["nonsense", "0 -> other", "9 = none", "mood 0 = x"])
def test_a_line_of_names_without_sense_is_reported_by_its_place(inbedder, saved, stays, line):
    run, _ = saved()
    (run / "names.txt").write_text(line + "\n")
    result = inbedder("assign", run, stays)
    assert result.exit_code == 5
    assert "names.txt" in result.stderr


def test_a_merge_is_offered_for_the_question_that_it_is_about(inbedder, saved):
    run, _ = saved("-k", "2", "-k", "3", questions=("-i", f"mood={QUESTION}", "-i", f"room={OTHER}"))
    (run / "names.txt").write_text("room 0 = calm\nroom 2 = calm\n")
    refused = inbedder("show", run)
    assert refused.exit_code == 5
    assert 'choose another name, or merge them: "room 2 -> 0"' in refused.stderr
    (run / "names.txt").write_text("room 0 = calm\nroom 2 = calm\nroom 2 -> 0\n")
    assert [row["question"] for row in rows_of(inbedder("show", run))] == ["mood", "mood", "room", "room"]


def test_a_name_that_a_merged_cluster_had_is_that_of_the_cluster_that_has_it_now(inbedder, saved):
    run, rows = saved()
    labels = {row["cluster"]: row["cluster_label"] for row in rows}
    (run / "names.txt").write_text(f"0 -> 1\n2 = {labels['0']}\n")
    shown = {row["id"] for row in rows_of(inbedder("show", run, labels["0"]))}
    assert shown == {row["id"] for row in rows if row["cluster"] == "2"}


def test_show_lists_a_clusters_rows_by_number_or_label(inbedder, saved):
    run, rows = saved()
    label = next(row["cluster_label"] for row in rows if row["cluster"] == "0")
    expected = {row["id"] for row in rows if row["cluster"] == "0"}
    shown = rows_of(inbedder("show", run, "0"))
    assert {row["id"] for row in shown} == expected
    distances = [float(row["cluster_distance"]) for row in shown]
    assert distances == sorted(distances)
    assert rows_of(inbedder("show", run, label)) == shown
    margins = [float(row["margin"]) for row in rows_of(inbedder("show", run, "0", "--borderline"))]
    assert margins == sorted(margins)
    assert len(rows_of(inbedder("show", run, "0", "--limit", "2"))) == 2
    assert "text" in inbedder("show", run, "0", "-f", "table").stdout
    assert [row["id"] for row in json.loads(inbedder("show", run, "0", "-f", "json").stdout)] == [
        row["id"] for row in shown
    ]
    wrong = inbedder("show", run, f"{label}x")
    assert wrong.exit_code == 2
    assert f'did you mean "{label}"? its clusters: 0 ' in wrong.stderr


def test_several_questions_are_saved_and_assigned_together(inbedder, saved, stays):
    run, rows = saved("-k", "2", "-k", "3", questions=("-i", f"mood={QUESTION}", "-i", f"room={OTHER}"))
    again = rows_of(inbedder("assign", run, stays))
    for name in ("mood", "room"):
        assert [row[f"{name}_cluster"] for row in again] == [row[f"{name}_cluster"] for row in rows]
        assert f"{name}_novel" in again[0]
    assert [row["question"] for row in rows_of(inbedder("show", run))] == ["mood"] * 2 + ["room"] * 3
    assert inbedder("show", run, "0").exit_code == 2
    assert rows_of(inbedder("show", run, "0", "--question", "room"))
    verified = inbedder("verify", run).stdout.splitlines()
    assert [line.split(":")[0] for line in verified] == ["mood", "room"]


def test_verify_reads_again_and_fails_where_clusters_are_others(inbedder, saved):
    run, _ = saved()
    fine = inbedder("verify", run)
    assert fine.exit_code == 0, fine.stderr
    assert "30 rows encoded again: 100 % in the same cluster, 100 % with the same answer" in fine.stdout
    import pyarrow.parquet as pq

    table = pq.ParquetFile(run / "rows.parquet").read()
    other = [(number + 1) % 3 for number in table["cluster"].to_pylist()]
    pq.write_table(table.set_column(table.column_names.index("cluster"), "cluster", [other]), run / "rows.parquet")
    tampered = inbedder("verify", run)
    assert tampered.exit_code == 5
    assert "rows.parquet was changed after the run was saved" in tampered.stderr


def test_a_run_is_not_replaced_unasked_and_needs_its_model(inbedder, saved, stays, tiny, tmp_path):
    run, _ = saved()
    again = ("cluster", stays, "-i", QUESTION, "-m", tiny, "-k", "2", "--save", run)
    assert inbedder(*again).exit_code == 2
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["versions"]["inbedder"]
    assert manifest["rows"]["total"] == 30
    manifest["model"]["identity"] = "another"
    (run / "run.json").write_text(json.dumps(manifest))
    other = inbedder("assign", run, stays)
    assert other.exit_code == 3
    assert "is not the model that made" in other.stderr


@pytest.mark.parametrize("command", [("assign", "{run}", "{file}"), ("show", "{run}"), ("verify", "{run}")])
def test_a_folder_that_is_no_run_is_refused(inbedder, tmp_path, stays, command):
    arguments = [part.format(run=tmp_path / "nowhere", file=stays) for part in command]
    missing = inbedder(*arguments)
    assert missing.exit_code == 5
    assert "no saved run here" in missing.stderr
    (tmp_path / "nowhere").mkdir()
    (tmp_path / "nowhere" / "run.json").write_text("{}")
    assert inbedder(*arguments).exit_code == 5


def test_a_run_that_cannot_be_written_leaves_the_old_one_whole(inbedder, saved, stays, monkeypatch, tiny):
    from inbedder_cli.runs import writer

    run, rows = saved()
    whole, calls = writer.file_sha256, []

    def full(path):
        calls.append(path)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return whole(path)

    monkeypatch.setattr(writer, "file_sha256", full)
    arguments = (
        "cluster",
        stays,
        "-i",
        QUESTION,
        "-m",
        tiny,
        "-k",
        "2",
        "--save",
        run,
        "--force",
        "--no-baseline",
    )
    result = inbedder(*arguments)
    assert result.exit_code == 1
    assert "No space left" in result.stderr
    monkeypatch.setattr(writer, "file_sha256", whole)
    assert len(rows_of(inbedder("show", run))) == len({row["cluster"] for row in rows})
    assert [path.name for path in run.parent.iterdir() if path.name.startswith(".run")] == []


def test_names_that_were_set_aside_are_not_overwritten(saved):
    run, _ = saved()
    for k, line in (("2", "2 = third\n"), ("3", "1 = second\n")):
        (run / "names.txt").write_text(line)
        saved("-k", k, "--force")
    assert (run / "names.txt.old").read_text() == "2 = third\n"
    assert (run / "names.txt.old2").read_text() == "1 = second\n"


def test_a_merged_cluster_lists_the_central_rows_of_all_its_parts_first(inbedder, saved):
    run, rows = saved()
    (run / "names.txt").write_text("2 -> 1\n")
    cluster_of = {row["id"]: row["cluster"] for row in rows}
    shown = rows_of(inbedder("show", run, "1"))
    assert {cluster_of[row["id"]] for row in shown[:2]} == {"1", "2"}
    for part in ("1", "2"):
        distances = [float(row["cluster_distance"]) for row in shown if cluster_of[row["id"]] == part]
        assert distances == sorted(distances)
    second_of = {row["id"]: row["second_cluster"] for row in rows}
    for row in rows_of(inbedder("show", run, "1", "--borderline")):
        assert (row["margin"] == "") == (second_of[row["id"]] in ("1", "2"))


@pytest.mark.parametrize(
    ("names", "line", "message", "hint"),
    [
        ("0 = joy\n# mine\n1 = Joy\n", 3, 'clusters 0 and 1 are both named "Joy"', 'merge them: "1 -> 0"'),
        ("0 = noise\n", 1, '"noise" stands for rows in no cluster', "choose another name"),
        ("1 = No-Answer\n", 1, '"No-Answer" stands for rows in no cluster', "choose another name"),
        ("0 = x\n1 = 2\n", 2, '"2" stands for cluster 2', "choose another name"),
    ],
)
def test_a_name_that_stands_for_other_rows_is_refused(inbedder, saved, names, line, message, hint):
    run, _ = saved()
    (run / "names.txt").write_text(names)
    refused = inbedder("show", run)
    assert refused.exit_code == 5
    told = " ".join(refused.stderr.split())
    assert f"names.txt, line {line}: {message}" in told
    assert hint in told
    (run / "names.txt").write_text("0 = joy\n1 = joy\n1 -> 0\n")
    assert [row["label"] for row in rows_of(inbedder("show", run)) if row["cluster"] == "0"] == ["joy"]


def test_show_finds_merged_clusters_and_what_is_in_none(inbedder, saved):
    run, _ = saved()
    (run / "names.txt").write_text("2 -> 1\n")
    noise = inbedder("show", run, "noise")
    assert rows_of(noise) == []
    assert "noise: 0 rows" in noise.stderr
    assert rows_of(inbedder("show", run, "2")) == rows_of(inbedder("show", run, "1"))
    nothing = inbedder("show", run, "no-answer")
    assert nothing.stdout == "id,answer,confidence,cluster_distance,margin,text\n"
    for odd in ("²", "x-1"):
        assert "has no cluster" in inbedder("show", run, odd).stderr
    assert inbedder("show", run, "--", "--1").exit_code == 2


def test_show_takes_a_part_of_a_name_that_only_one_cluster_has(inbedder, saved):
    run, _ = saved()
    (run / "names.txt").write_text("0 = Joy / love\n1 = anger / love\n2 = love / grief\n")
    for part, number in (("joy", "0"), ("JOY / LOVE", "0"), ("Anger", "1"), ("grief", "2")):
        assert rows_of(inbedder("show", run, part)) == rows_of(inbedder("show", run, number))
    for odd in ("love", "jo", "/"):
        found = inbedder("show", run, odd)
        assert found.exit_code == 2
        assert "its clusters: 0 Joy / love, 1 anger / love, 2 love / grief" in found.stderr
    (run / "names.txt").write_text("9 = joy\n")
    assert "there is no cluster 9" in (told := inbedder("show", run).stderr)
    assert "its clusters: 0 " in told


def test_a_run_that_hdbscan_no_longer_finds_is_reported(inbedder, saved, monkeypatch):
    from inbedder_cli.clustering.predictor import ClusterPredictor

    run, _ = saved()

    def cannot(self, vectors):
        raise ValueError("hdbscan finds other clusters than it did")

    monkeypatch.setattr(ClusterPredictor, "predict", cannot)
    result = inbedder("verify", run)
    assert result.exit_code == 5
    assert "hdbscan finds other clusters" in result.stderr


def test_a_run_of_an_older_schema_is_refused_with_the_command_that_makes_it_again(inbedder, saved, stays, tiny):
    run, _ = saved("-a", "hdbscan", "--min-cluster-size", "3")
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["schema"] == 3
    (run / "run.json").write_text(json.dumps(manifest | {"schema": 2}))
    result = inbedder("assign", run, stays)
    assert result.exit_code == 5
    shown = " ".join(result.stderr.split())
    assert "made by another version of inbedder (schema 2, not 3)" in shown
    options = f"-i '{QUESTION}' --algorithm hdbscan --min-cluster-size 3 -m {tiny} --save {run} --force"
    assert f"inbedder cluster {stays} {options}" in shown


def test_new_rows_of_which_none_answers(inbedder, saved, tmp_path):
    run, _ = saved("-k", "3", "--flag-unanswered")
    path = tmp_path / "none.csv"
    path.write_text("id,text\n" + "".join(f"a{i},n/a\n" for i in range(4)))
    result = inbedder("assign", run, path)
    assert {row["status"] for row in rows_of(result)} == {"no-answer"}
    assert "Warning" not in result.stderr


def test_verify_leaves_the_cache_as_it_is(inbedder, saved):
    run, _ = saved()
    before = Path(inbedder("cache", "path").stdout.strip()).read_bytes()
    assert inbedder("verify", run).exit_code == 0
    assert Path(inbedder("cache", "path").stdout.strip()).read_bytes() == before


def two_texts(path, header="id,notes,verbatim", rows=12):
    lines = [
        f"{i},a note of some length number {i},the room was {'cold' if i % 2 else 'loud'} {i}" for i in range(rows)
    ]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


@pytest.fixture
def verbatim_run(inbedder, tiny, tmp_path):
    """Save a run of which the text column was named, with ids."""
    file = two_texts(tmp_path / "week1.csv")
    common = ["-k", "2", "-m", tiny, "--no-flag-unanswered", "--no-baseline"]
    made = inbedder(
        "cluster", file, "-i", QUESTION, "--text", "verbatim", "--id", "id", *common, "--save", tmp_path / "week"
    )
    assert made.exit_code == 0, made.stderr
    return tmp_path / "week"


def test_new_rows_are_read_from_the_column_of_the_run(inbedder, verbatim_run, tmp_path):
    result = inbedder("assign", verbatim_run, two_texts(tmp_path / "week2.csv"), "-f", "jsonl")
    assert result.exit_code == 0, result.stderr
    assert "--text verbatim, --id id" in result.stderr
    assert "guessed" not in result.stderr


def test_a_file_without_the_column_of_the_run_is_refused_with_both_lists(inbedder, verbatim_run, tmp_path):
    file = two_texts(tmp_path / "week2.csv", header="id,notes,comment")
    result = inbedder("assign", verbatim_run, file)
    assert result.exit_code == 5
    assert 'no column "verbatim"' in result.stderr
    for words in ("columns: id, notes, comment", "the run's file had: id, notes, verbatim", "--text"):
        assert words in result.stderr
    chosen = inbedder("assign", verbatim_run, file, "--text", "comment")
    assert chosen.exit_code == 0, chosen.stderr


def test_rows_without_the_ids_of_the_run_are_numbered(inbedder, verbatim_run, tmp_path):
    file = two_texts(tmp_path / "week2.csv", header="number,notes,verbatim")
    result = inbedder("assign", verbatim_run, file, "-f", "jsonl")
    assert result.exit_code == 0, result.stderr
    assert 'no column "id": its rows are numbered' in result.stderr
    assert [json.loads(line)["number"] for line in result.stdout.splitlines()] == [
        line.partition(",")[0] for line in file.read_text().splitlines()[1:]
    ]
    piped = inbedder("assign", verbatim_run, "-", stdin=file.read_bytes())
    assert piped.exit_code == 5
    assert "name another with --id" in piped.stderr


def test_a_template_and_a_missing_header_are_kept_too(inbedder, tiny, tmp_path):
    file = tmp_path / "raw.csv"
    file.write_text("".join(f"{i},room {i},was cold and loud {i}\n" for i in range(8)))
    common = ["-k", "2", "-m", tiny, "--no-flag-unanswered", "--no-baseline", "--save", tmp_path / "raw"]
    template = "{column_2} {column_3}"
    made = inbedder("cluster", file, "-i", QUESTION, "--no-header", "--text-template", template, *common)
    assert made.exit_code == 0, made.stderr
    result = inbedder("assign", tmp_path / "raw", file)
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == 9
    assert result.stdout.startswith("column_1,column_2,column_3,cluster")


def test_an_input_with_columns_of_our_names_gets_a_prefix(inbedder, tiny, tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("answer,status\n" + "".join(f"the room was cold and loud {i},open\n" for i in range(6)))
    result = inbedder("cluster", file, "-i", QUESTION, "-k", "2", "-m", tiny, "--no-baseline")
    assert result.exit_code == 0, result.stderr
    assert 'the input has a column "answer"' in result.stderr
    assert result.stdout.splitlines()[0].startswith("answer,status,inbedder_cluster,inbedder_cluster_label")


def test_an_option_on_the_command_line_beats_the_run_s_also_where_it_is_the_default(inbedder, tiny, tmp_path):
    rows = "".join(f"{i},The room {i} was {'cold' if i % 2 else 'kind'}.\n" for i in range(8))
    before, next_week = tmp_path / "before.csv", tmp_path / "next.csv"
    before.write_text("exported\nby hand\n" + rows)
    next_week.write_text(rows)
    options = ("--no-header", "--skip-rows", 2, "--text", "column_2", "-m", tiny, "-k", 2, "--no-baseline")
    run = tmp_path / "run"
    assert inbedder("cluster", before, "-i", QUESTION, *options, "--save", run, "-f", "csv").exit_code == 0
    again = inbedder("assign", run, next_week, "--skip-rows", 0, "-f", "jsonl")
    assert again.exit_code == 0, again.stderr
    assert len(again.stdout.splitlines()) == 8
    assert len(inbedder("assign", run, next_week, "-f", "jsonl").stdout.splitlines()) == 6
