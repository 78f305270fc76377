from __future__ import annotations

import csv
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

QUESTION = "What emotion is expressed?"
ADDED = [
    "cluster",
    "cluster_label",
    "label_is_weak",
    "answer",
    "confidence",
    "cluster_distance",
    "second_cluster",
    "margin",
    "stability",
    "status",
]


@pytest.fixture
def cluster(inbedder, tiny):
    """Run `inbedder cluster` with the tiny model; it must succeed."""

    def run(file, *arguments, **options):
        result = inbedder(
            "cluster",
            file,
            "-i",
            QUESTION,
            "-m",
            tiny,
            "-k",
            "2",
            "--device",
            "cpu",
            "--dtype",
            "float32",
            "--min-confidence",  # a random model is sure of nothing
            "0",
            *arguments,
            **options,
        )
        assert result.exit_code == 0, result.stderr
        return result

    return run


def read_csv(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def test_in_a_pipe_every_row_comes_out_in_order_with_all_its_cells(cluster, reviews):
    rows = read_csv(cluster(reviews).stdout)
    given = read_csv(reviews.read_text(encoding="utf-8"))
    assert [{k: row[k] for k in given[0]} for row in rows] == given
    assert list(rows[0]) == [*given[0], *ADDED]
    assert [row["status"] for row in rows] == ["ok", "ok", "empty", "ok", "ok", "ok"]
    assert {row["cluster"] for row in rows} == {"0", "1", ""}
    assert rows[0]["cluster"] == rows[4]["cluster"]
    assert rows[2]["cluster"] == rows[2]["cluster_label"] == rows[2]["answer"] == rows[2]["cluster_distance"] == ""


def test_messages_go_to_stderr_alone(cluster, reviews):
    result = cluster(reviews)
    assert "6 rows, 1 without text (skipped), 4 different texts" in result.stderr
    assert "(guessed; --text to change)" in result.stderr
    assert "model:" not in result.stdout
    assert cluster(reviews, "--quiet").stderr == ""


def test_jsonl_comes_out_as_jsonl_with_every_value_as_it_was(cluster):
    lines = ['{"text": "cold", "n": 12345678901234567890, "x": [1, {"é": null}]}', '{"text": "kind", "y": 1.5}']
    out = cluster("-", stdin="\n".join([*lines, '{"text": null}'])).stdout.splitlines()
    for line, given in zip(out, lines, strict=False):
        assert line.startswith(given[:-1] + ', "cluster": ')
    last = json.loads(out[2])
    assert last["status"] == "empty"
    assert last["cluster"] is None
    assert "n" not in last


def test_tsv_comes_out_as_tsv_and_a_semicolon_stays(cluster, tmp_path):
    tsv = tmp_path / "x.tsv"
    tsv.write_text("id\ttext\n1\tcold room\n2\tkind staff\n3\tloud\n")
    assert [r["id"] for r in read_csv(cluster(tsv).stdout, "\t")] == ["1", "2", "3"]
    semicolons = tmp_path / "x.csv"
    semicolons.write_text("id;text\n1;cold, loud room\n2;kind staff\n3;loud\n")
    result = cluster(semicolons)
    assert 'delimiter ";" (guessed; --delimiter to change)' in result.stderr
    assert [r["text"] for r in read_csv(result.stdout, ";")] == ["cold, loud room", "kind staff", "loud"]
    assert [r["text"] for r in read_csv(cluster(semicolons, "-f", "csv", "-o", tmp_path / "y.csv").stdout)] == []
    assert "cold, loud room" in [r["text"] for r in read_csv((tmp_path / "y.csv").read_text(), ";")]


def test_parquet_keeps_its_types_and_clusters_are_integers(cluster, tmp_path, reviews):
    path = tmp_path / "x.parquet"
    table = pa.table(
        {"n": [2**60, None, 3], "when": pa.array([0, 1, 2], pa.timestamp("us")), "text": ["a", "b", "c"]}
    )
    pq.write_table(table, path)
    cluster(path, "-o", tmp_path / "y.parquet")
    result = pq.ParquetFile(tmp_path / "y.parquet").read()
    assert result.select(["n", "when", "text"]).equals(table)
    assert result.schema.field("cluster").type == pa.int64()
    rows = read_csv(cluster(path).stdout)
    assert rows[0]["n"] == str(2**60)
    cluster(reviews, "-o", tmp_path / "z.parquet")
    assert pq.ParquetFile(tmp_path / "z.parquet").read()["cluster"].to_pylist()[2] is None


def test_the_table_names_every_cluster_at_80_and_at_200_columns(cluster, reviews, monkeypatch):
    summaries = json.loads(cluster(reviews, "-f", "json").stdout)["clusters"]
    for width in (80, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        out = cluster(reviews, "-f", "table", "--id", "id").stdout
        assert max(map(len, out.splitlines())) <= width
        assert "\x1b" not in out
        assert QUESTION in out
        assert "5 of 6 rows are in clusters; 1 empty" in out
        for summary in summaries:
            assert summary["label"].split()[0][:8] in out


@pytest.mark.parametrize("name", ["rows.csv", "rows.json"])
def test_a_table_can_be_printed_beside_a_file_of_rows(cluster, reviews, tmp_path, name):
    path = tmp_path / name
    printed = cluster(reviews, "-f", "table", "-o", path)
    assert printed.stdout == cluster(reviews, "-f", "table").stdout
    alone = tmp_path / f"alone-{name}"
    assert cluster(reviews, "-o", alone).stdout == ""
    assert path.read_text(encoding="utf-8") == alone.read_text(encoding="utf-8")


def test_the_json_document_holds_settings_clusters_and_rows(cluster, reviews):
    document = json.loads(cluster(reviews, "-f", "json", "--id", "id").stdout)
    assert document["schema"] == 2
    assert document["instruction"] == QUESTION
    assert document["rows"] == {"total": 6, "empty": 1, "ok": 5}
    assert sum(c["size"] for c in document["clusters"]) == 5
    assert document["clusters"][0]["exemplars"][0]["id"].startswith("a")
    assert len(document["data"]) == 6


@pytest.mark.parametrize("suffix", ["json", "csv", "tsv", "jsonl", "md", "parquet"])
def test_the_clusters_can_be_written_too(cluster, reviews, tmp_path, suffix):
    path = tmp_path / f"clusters.{suffix}"
    cluster(reviews, "--clusters", path)
    assert path.stat().st_size > 0
    if suffix == "csv":
        assert [row["cluster"] for row in read_csv(path.read_text())] == ["0", "1"]


def test_the_same_clusters_from_saved_vectors(cluster, inbedder, reviews, tmp_path, tiny):
    direct = read_csv(cluster(reviews).stdout)
    vectors = tmp_path / "v.parquet"
    made = inbedder("embed", reviews, "-i", QUESTION, "-m", tiny, "--dtype", "float32", "-o", vectors)
    assert made.exit_code == 0
    again = inbedder("cluster", reviews, "-i", QUESTION, "--vectors", vectors, "-k", "2", "--min-confidence", "0")
    found = read_csv(again.stdout)
    for one, other in zip(found, direct, strict=True):
        if one["label_is_weak"] == "true":  # likely words, which may name a cluster, are not in the file
            one["cluster_label"] = other["cluster_label"]
    assert found == direct


@pytest.mark.parametrize("suffix", [".npy", ".safetensors"])
def test_vectors_without_answers_are_explained_by_the_texts(inbedder, reviews, tmp_path, tiny, suffix):
    vectors = tmp_path / f"v{suffix}"
    assert inbedder("embed", reviews, "-i", QUESTION, "-m", tiny, "-o", vectors).exit_code == 0
    result = inbedder("cluster", reviews, "--vectors", vectors, "-k", "2")
    assert result.exit_code == 0
    assert "explained by words of the texts" in result.stderr
    assert {row["answer"] for row in read_csv(result.stdout)} == {""}


@pytest.mark.parametrize("suffix", [".parquet", ".safetensors"])
def test_vectors_of_other_texts_or_another_question_are_refused(inbedder, reviews, tmp_path, tiny, suffix):
    vectors = tmp_path / f"v{suffix}"
    assert inbedder("embed", reviews, "-i", QUESTION, "-m", tiny, "-o", vectors).exit_code == 0
    other = inbedder("cluster", reviews, "--vectors", vectors, "-k", "2", "-i", "Which room is it?")
    assert other.exit_code == 2
    assert f'was made with "{QUESTION}"' in other.stderr
    document = json.loads(inbedder("cluster", reviews, "--vectors", vectors, "-k", "2", "-f", "json").stdout)
    assert document["instruction"] == QUESTION
    assert "on cpu" in document["model"]
    text = reviews.read_text(encoding="utf-8")
    swapped = tmp_path / "swapped.csv"
    swapped.write_text(text.replace("was broken", "WAS BROKEN"), encoding="utf-8")
    refused = inbedder("cluster", swapped, "--vectors", vectors, "-k", "2")
    assert refused.exit_code == 5
    assert "other texts, or another order" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "same.csv", "--clusters", "same.csv"], "both name"),
        (["-o", "x.what", "-f", "table"], 'the suffix ".what"'),
        (["--stop-words", "nowhere.txt"], "cannot read the stop words"),
        (["-a", "hdbscan", "-k", "3"], "-k is for kmeans"),
        (["-a", "hdbscan", "--k-max", "3"], "--k-max is for kmeans"),
        (["-k", "6", "--k-max", "3"], "--k-max has no effect with -k 6"),
        (["--min-cluster-size", "4"], "--min-cluster-size is for hdbscan"),
    ],
)
def test_what_cannot_work_is_refused_before_a_model_is_loaded(
    inbedder, reviews, tmp_path, monkeypatch, arguments, said
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("inbedder_cli.encoders.load_encoder", None)
    result = inbedder("cluster", reviews, "-i", QUESTION, *arguments)
    assert result.exit_code in (2, 5)
    assert said in result.stderr


def test_answers_that_are_nearly_all_the_same_are_pointed_out(cluster, reviews, monkeypatch):
    monkeypatch.setattr(
        "inbedder_cli.encoders.transformers.model_encoder.ModelEncoder.clean", lambda self, ids: "anger"
    )
    told = cluster(reviews).stderr
    assert '100 % of the answers to "What emotion is expressed?" are "anger": does the question fit' in told
    asked = cluster(reviews, "-i", "Is the customer angry?").stderr  # beside the first question
    assert asked.count("does the question fit") == 1


def test_where_no_row_answers_there_are_no_clusters_and_nothing_is_lost(cluster, reviews, monkeypatch):
    monkeypatch.setattr(
        "inbedder_cli.encoders.transformers.model_encoder.ModelEncoder.clean", lambda self, ids: "Not mentioned"
    )
    rows = read_csv(cluster(reviews).stdout)
    assert [row["status"] for row in rows] == ["no-answer"] * 2 + ["empty"] + ["no-answer"] * 3
    assert {row["cluster"] for row in rows} == {""}
    assert [row["cluster_label"] for row in rows] == ["(no clear answer)"] * 2 + [""] + ["(no clear answer)"] * 3
    assert [row["id"] for row in rows] == ["a1", "a2", "a3", "a4", "a5", "a6"]
    table = cluster(reviews, "-f", "table").stdout
    assert "no row answers the question" in table
    assert "(no clear" in table
    assert "100%" in table
    document = json.loads(cluster(reviews, "-f", "json").stdout)
    assert document["clusters"] == []
    assert document["unanswered"]["size"] == 5
    assert document["unanswered"]["answers"] == [{"text": "not mentioned", "share": 1.0}]
    assert {row["status"] for row in read_csv(cluster(reviews, "--no-flag-unanswered").stdout)} == {"ok", "empty"}


def test_row_order_does_not_change_the_clusters(cluster, tmp_path):
    texts = [f"text number {i} {'cold' if i % 2 else 'kind'}" for i in range(12)]
    memberships = []
    for order in (range(12), reversed(range(12))):
        path = tmp_path / "x.csv"
        path.write_text("text\n" + "".join(f"{texts[i]}\n" for i in order))
        rows = read_csv(cluster(path).stdout)
        memberships.append({row["text"]: (row["cluster"], row["cluster_label"]) for row in rows})
    assert memberships[0] == memberships[1]


def test_empty_texts_can_be_kept(cluster, reviews):
    rows = read_csv(cluster(reviews, "--empty", "keep").stdout)
    assert [row["status"] for row in rows] == ["ok"] * 6


def test_hdbscan_shows_its_noise(inbedder, tmp_path):
    rng = np.random.default_rng(0)
    centroids = np.eye(3, 16) * 10
    vectors = np.concatenate([c + rng.normal(0, 0.1, (20, 16)) for c in centroids] + [rng.normal(0, 6, (6, 16))])
    np.save(tmp_path / "v.npy", vectors.astype(np.float32))
    path = tmp_path / "x.csv"
    path.write_text("text\n" + "".join(f"row {i}\n" for i in range(66)))
    arguments = ["cluster", path, "--vectors", tmp_path / "v.npy", "-a", "hdbscan", "--min-cluster-size", "8"]
    rows = read_csv(inbedder(*arguments).stdout)
    noise = [row for row in rows if row["status"] == "noise"]
    assert noise
    assert {row["cluster"] for row in noise} == {"-1"}
    assert {row["cluster_distance"] for row in noise} == {""}
    table = inbedder(*arguments, "-f", "table").stdout
    assert "noise" in table
    assert f"rows are in clusters; {len(noise)} noise" in table


def test_k_auto_tells_its_choice(inbedder, tmp_path):
    rng = np.random.default_rng(0)
    vectors = np.concatenate([c + rng.normal(0, 0.1, (20, 16)) for c in np.eye(4, 16) * 10])
    np.save(tmp_path / "v.npy", vectors.astype(np.float32))
    path = tmp_path / "x.csv"
    path.write_text("text\n" + "".join(f"row {i}\n" for i in range(80)))
    arguments = ("cluster", path, "--vectors", tmp_path / "v.npy")
    assert "k = 4 chosen from 2 to 20: the best score; silhouette" in inbedder(*arguments, "-f", "table").stdout
    assert "k = 3 is the largest that was tried" in inbedder(*arguments, "--k-max", "3", "-f", "table").stdout
    choice = json.loads(inbedder(*arguments, "--k-max", "3", "-f", "json").stdout)["clustering"]
    assert (choice["k_bound"], choice["k_close"], choice["k_before_merging"]) == (3, None, 3)


def test_a_prefix_keeps_new_columns_apart(cluster, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("text,cluster\ncold,9\nkind,8\nloud,7\n")
    rows = read_csv(cluster(path, "--prefix", "q_").stdout)
    assert [row["cluster"] for row in rows] == ["9", "8", "7"]
    assert {row["q_cluster"] for row in rows} == {"0", "1"}


def test_rows_without_a_finite_vector_are_marked_and_exit_4(inbedder, reviews, tiny, tmp_path, monkeypatch):
    from inbedder_cli.encoders.transformers.causal import CausalEncoder

    whole = CausalEncoder.encode_batches

    def broken(self, texts, *arguments):
        for rows in whole(self, texts, *arguments):
            for text, row in rows.items():
                row.vector[:] = np.nan if text == texts[1] else row.vector
            yield rows

    monkeypatch.setattr(CausalEncoder, "encode_batches", broken)
    out = tmp_path / "y.csv"
    result = inbedder("cluster", reviews, "-i", QUESTION, "-m", tiny, "-k", "2", "-o", out)
    assert result.exit_code == 4
    assert "1 row without a finite vector" in result.stderr
    assert [row["status"] for row in read_csv(out.read_text())][1] == "failed"


def test_dry_run_shows_a_prompt_and_counts_and_clusters_nothing(cluster, reviews):
    out = cluster(reviews, "--dry-run").stdout
    assert "### Instruction:\n" + QUESTION in out
    assert "rows: 6, with text: 5, different: 4" in out
    assert "estimated time:" in out
    assert "cluster" not in out


def test_control_characters_in_texts_do_not_reach_the_terminal(cluster, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("text\n\x1b[31mred [bold]alert[/bold]\nkind\nloud\n")
    for out in (cluster(path, "-f", "table").stdout, cluster(path, "--dry-run").stdout):
        assert "\x1b" not in out
        assert "[bold]alert[/bold]" in out


def test_a_file_is_replaced_only_when_forced(cluster, inbedder, reviews, tmp_path, tiny):
    out = tmp_path / "y.csv"
    out.write_text("precious")
    refused = inbedder("cluster", reviews, "-i", QUESTION, "-m", tiny, "-o", out)
    assert refused.exit_code == 2
    assert out.read_text() == "precious"
    cluster(reviews, "-o", out, "--force")
    assert out.read_text().startswith("id,text")


def test_the_input_itself_is_never_replaced(inbedder, reviews):
    before = reviews.read_bytes()
    result = inbedder("cluster", reviews, "-i", "What?", "-o", reviews, "--force")
    assert result.exit_code == 2
    assert "-o names the input" in result.stderr
    assert reviews.read_bytes() == before
