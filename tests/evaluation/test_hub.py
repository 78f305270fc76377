"""The hub's sets from folders laid out as the hub's own cache lays them out."""

from __future__ import annotations

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inbedder_cli.errors import InputError, ModelError
from inbedder_cli.evaluation.hub import GENERIC_SETS, PAPER_SETS, SETS, hub_suite, is_hub_name

TEXTS = [{"text": f"text {i}", "cluster": f"class {i % 2}"} for i in range(6)]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Put files into an empty cache, as a download of a set at its pinned revision would."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    def put(name, files, revision=None):
        known = SETS[name]
        revision = revision or known.revision
        repository = tmp_path / f"datasets--{known.repository.replace('/', '--')}"
        commit = "0" * 40 if revision == "main" else revision
        if revision == "main":
            (repository / "refs").mkdir(parents=True)
            (repository / "refs" / "main").write_text(commit)
        snapshot = repository / "snapshots" / commit
        for path, rows in files.items():
            file = snapshot / path
            file.parent.mkdir(parents=True, exist_ok=True)
            write(file, rows)

    return put


def write(file, rows):
    lines = rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows)
    if file.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    elif file.suffix == ".gz":
        file.write_bytes(gzip.compress(lines.encode()))
    elif file.suffix == ".csv":
        cells = [",".join(rows[0])] + [",".join(str(v) for v in row.values()) for row in rows]
        file.write_text("\n".join(cells) + "\n")
    else:
        file.write_text(lines)


def test_intent_emotion_is_one_set_with_two_goals(hub):
    rows = [{"anchor": f"a{i}", "positive": f"p{i}", "negative": f"n{i}"} for i in range(3)]
    swapped = [r | {"positive": r["negative"], "negative": r["positive"]} for r in rows]
    hub(
        "IntentEmotion",
        {"emotion/test-00000-of-00001.parquet": rows, "intent/test-00000-of-00001.parquet": swapped},
    )
    (task,) = hub_suite("IntentEmotion").triplets
    assert [(g.name, g.instruction) for g in task.goals] == [
        ("emotion", "How does the customer feel?"),
        ("intent", "What does the customer need?"),
    ]
    assert task.goals[0].triplets[1] == ("1", "a1", "p1", "n1")
    assert task.goals[1].triplets[1] == ("1", "a1", "n1", "p1")


def test_instruct_stsb(hub):
    rows = [{"sentence1": "x", "sentence2": "y", "instruction": "Alike?", "score": i % 2} for i in range(4)]
    hub("InstructSTSB", {"data/test-00000-of-00001.parquet": rows, "data/train-00000-of-00001.parquet": rows[:1]})
    (task,) = hub_suite("InstructSTSB", offline=True).pairs
    assert task.pairs[1] == ("x", "y", "Alike?", 1.0)
    assert len(task.pairs) == 4


def test_nyt_is_two_views_of_one_corpus(hub):
    hub("NYTClustering", {"topic/test.jsonl": TEXTS, "location/test.jsonl": TEXTS[::-1], "topic/train.jsonl": "{"})
    topic, location = hub_suite("NYTClustering").clusterings
    assert topic.corpus == location.corpus
    assert (topic.name, topic.instruction) == ("NYTClustering/topic", "What is the topic of news?")
    assert location.texts[0] == "text 5"


@pytest.mark.parametrize(
    "name", [n for n, s in PAPER_SETS.items() if s.layout == "clustering" and "" in s.questions]
)
@pytest.mark.parametrize("file", ["data/test-00000-of-00001.parquet", "test.jsonl", "test.csv", "test.jsonl.gz"])
def test_the_other_clustering_sets_in_each_format(hub, name, file):
    hub(name, {file: TEXTS})
    (task,) = hub_suite(name).clusterings
    assert task.labels == ("class 0", "class 1") * 3
    assert task.instruction == SETS[name].questions[""]


def test_the_datasets_card_says_where_its_files_lie(hub):
    card = (
        "---\nconfigs:\n- config_name: topic\n  data_files:\n  - split: test\n    path: one/*.jsonl\n"
        "- config_name: location\n  data_files:\n  - split: test\n    path: two/b.jsonl\n---\n# NYT\n"
    )
    hub("NYTClustering", {"README.md": card, "one/a.jsonl": TEXTS, "two/b.jsonl": TEXTS[:4]})
    assert [len(t.texts) for t in hub_suite("NYTClustering").clusterings] == [6, 4]


@pytest.mark.parametrize("name", [n for n, s in GENERIC_SETS.items() if s.layout == "reranking"])
def test_the_generic_reranking_sets(hub, name):
    rows = [
        {"query": "q", "positive": ["a", "b"], "negative": ["c"]},
        {"query": "r", "positive": [], "negative": []},
    ]
    hub(name, {"test.jsonl.gz": rows})
    (task,) = hub_suite(name).rerankings
    assert task.queries[0] == ("q", ("a", "b"), ("c",))


def test_twenty_newsgroups_is_one_task_a_fold(hub):
    rows = [{"sentences": ["a", "b", ""], "labels": [1, 2, 1]}, {"sentences": ["c"], "labels": [3]}]
    hub("mteb/twentynewsgroups-clustering", {"test.jsonl.gz": rows})
    one, two = hub_suite("mteb/twentynewsgroups-clustering").clusterings
    assert (one.texts, one.labels) == (("a", "b"), ("1", "2"))
    assert one.corpus != two.corpus


def test_another_revision_can_be_asked_for(hub):
    hub("FewRelClustering", {"test.jsonl": TEXTS}, revision="f" * 40)
    assert len(hub_suite(f"FewRelClustering@{'f' * 40}").clusterings[0].texts) == 6
    with pytest.raises(ModelError, match=r"FewRelClustering: it is not in the local cache"):
        hub_suite("FewRelClustering")


def test_a_group_names_all_its_sets(hub):
    for name, known in PAPER_SETS.items():
        rows = {
            "triplets": [{"anchor": "a", "positive": "p", "negative": "n"}],
            "pairs": [{"sentence1": "x", "sentence2": "y", "instruction": "?", "score": 1}],
        }.get(known.layout, TEXTS)
        hub(name, {f"{config}/test.jsonl" if config else "test.jsonl": rows for config in known.questions})
    suite = hub_suite("paper")
    assert (suite.name, len(suite.clusterings), len(suite.triplets), len(suite.pairs)) == ("paper", 7, 1, 1)


def test_questions_for_robustness_come_from_a_file(hub, tmp_path):
    hub("NYTClustering", {"topic/test.jsonl": TEXTS, "location/test.jsonl": TEXTS})
    path = tmp_path / "wordings.json"
    entry = {"correct_instructions": ["a"], "implicit_instructions": ["b"], "incorrect_instructions": ["c"]}
    path.write_text(json.dumps({"NYTTopicClustering": entry}))
    topic, location = hub_suite("NYTClustering", wordings=path).clusterings
    assert (topic.paraphrases, topic.implicit, topic.incorrect) == (("a",), ("b",), ("c",))
    assert location.paraphrases == ()
    path.write_text("[]")
    with pytest.raises(InputError, match=r"wordings\.json: is not a JSON object"):
        hub_suite("NYTClustering", wordings=path)


BAD = [
    ({"notes.jsonl": TEXTS}, 'no Parquet, JSON-lines or CSV file of split "test"'),
    ({"test.jsonl": [{"text": "x", "label": "y"}]}, 'line 1: no key "cluster"'),
    ({"test.jsonl": '{"text": "x", "cluster": "y"}\n{"te'}, "line 2: bad JSON"),
    ({"test.jsonl": [{"text": 3, "cluster": "y"}]}, 'line 1, column "text": is not a text'),
]


@pytest.mark.parametrize(("files", "message"), BAD)
def test_files_that_do_not_hold_what_they_should_are_named(hub, files, message):
    hub("FewRelClustering", files)
    with pytest.raises(InputError) as error:
        hub_suite("FewRelClustering")
    assert message in str(error.value)


def test_a_damaged_parquet_file_is_named(hub, tmp_path):
    hub("FewRelClustering", {"test.parquet": TEXTS})
    (file,) = tmp_path.rglob("*.parquet")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match=r"test\.parquet: cannot be read"):
        hub_suite("FewRelClustering")


def test_names():
    assert is_hub_name("IntentEmotion@main")
    assert is_hub_name("generic")
    assert not is_hub_name("nothing")
