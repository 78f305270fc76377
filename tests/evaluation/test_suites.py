from __future__ import annotations

import json

import pytest

from inbedder_cli.corpus import read_corpus
from inbedder_cli.errors import InputError
from inbedder_cli.evaluation.suites import read_folder, table_suite
from tests.evaluation.conftest import ANIMAL, COLOUR, write_lines


def test_every_part_of_a_folder_is_read(suite_folder):
    suite = read_folder(suite_folder)
    colour, animal = suite.clusterings
    assert (colour.name, colour.corpus, colour.instruction) == ("colour", "pets", COLOUR)
    assert (colour.paraphrases, colour.incorrect) == (("What colour is it?",), (ANIMAL,))
    assert colour.texts == animal.texts
    assert colour.labels[:4] == ("red", "red", "green", "green")
    assert [goal.name for goal in suite.triplets[0].goals] == ["colour", "animal"]
    assert suite.triplets[0].goals[1].triplets[2] == ("pets-2", "green dog 2", "red dog 2", "green cat 2")
    assert len(suite.pairs[0].pairs) == 24
    assert suite.similarities[0].pairs[1].score == 2.5


@pytest.mark.parametrize("kept", ["tasks.json", "triplets.jsonl", "instruct_sts.jsonl", "stsb_dev.jsonl"])
def test_each_part_may_stand_alone(suite_folder, kept):
    for path in suite_folder.iterdir():
        if path.name not in (kept, "pets.jsonl"):
            path.unlink()
    suite = read_folder(suite_folder)
    parts = (suite.clusterings, suite.triplets, suite.pairs, suite.similarities)
    assert [bool(part) for part in parts].count(True) == 1


def test_rows_without_text_or_label_are_left_out_and_reported(suite_folder):
    rows = [{"text": f"t{i}", "colour": str(i % 2), "animal": i % 3} for i in range(9)]
    rows += [{"text": " ", "colour": "0", "animal": 1}, {"text": "x", "colour": None, "animal": 2}]
    rows += [{"text": "y", "colour": "1", "animal": ""}, {"text": "z", "animal": 0}]
    write_lines(suite_folder / "pets.jsonl", rows)
    suite = read_folder(suite_folder)
    assert [len(t.texts) for t in suite.clusterings] == [10, 11]
    assert suite.clusterings[1].labels[:3] == ("0", "1", "2")
    assert suite.notes[0] == "colour: 3 of 13 rows have no text or no label, left out"


def test_a_label_that_no_row_has_is_an_error(suite_folder):
    write_lines(suite_folder / "pets.jsonl", [{"text": "x", "color": "red", "animal": "cat"}] * 2)
    with pytest.raises(InputError, match='line 1: no key "colour"'):
        read_folder(suite_folder)


BAD_LINES = [
    ("pets.jsonl", '{"text": "x", "colour": "red"', "pets.jsonl, line 2: bad JSON"),
    ("pets.jsonl", '["red"]', "pets.jsonl, line 2: is not a JSON object"),
    ("pets.jsonl", '{"colour": "red", "animal": "cat"}', 'pets.jsonl, line 2: no key "text"'),
    (
        "pets.jsonl",
        '{"text": 7, "colour": "red", "animal": "cat"}',
        'pets.jsonl, line 2, column "text": is not a text',
    ),
    ("triplets.jsonl", '{"set": "pets"}', 'triplets.jsonl, line 2: no key "instruction"'),
    ("instruct_sts.jsonl", '{"sentence1": "x"}', 'instruct_sts.jsonl, line 2: no key "sentence2"'),
    (
        "stsb_dev.jsonl",
        '{"sentence1": "a", "sentence2": "b", "score": "1"}',
        'line 2, column "score": is not a number',
    ),
    ("stsb_dev.jsonl", '{"sentence1": "a", "sentence2": null, "score": 1}', 'column "sentence2": is null'),
]


@pytest.mark.parametrize(("file", "line", "message"), BAD_LINES)
def test_a_bad_line_is_named(suite_folder, file, line, message):
    path = suite_folder / file
    first, *rest = path.read_text().splitlines(keepends=True)
    path.write_text(first + line + "\n" + "".join(rest))
    with pytest.raises(InputError) as error:
        read_folder(suite_folder)
    assert message in str(error.value)
    assert str(suite_folder) in str(error.value)


def test_a_goal_asks_one_question(suite_folder):
    path = suite_folder / "triplets.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], json.dumps(json.loads(lines[1]) | {"instruction": "Why?"})]))
    with pytest.raises(
        InputError, match='line 2, column "instruction": differs from the question of this goal above'
    ):
        read_folder(suite_folder)


BAD_TASKS = [
    ("{", "tasks.json: bad JSON"),
    ("{}", "tasks.json: is not a list of tasks"),
    ("[3]", "task 1: is not an object"),
    ('[{"task": "x"}]', 'task 1: "file" is missing'),
    ('[{"task": "x", "file": "no.jsonl"}]', 'task 1: there is no file "no.jsonl" beside it'),
    ('[{"task": "x", "file": "pets.jsonl", "label_column": "colour"}]', 'task 1: "instruction" is missing'),
    (
        '[{"task": "x", "file": "pets.jsonl", "label_column": "colour", "instruction": "?", "paraphrases": "y"}]',
        'task 1: "paraphrases" is not a list of texts',
    ),
]


@pytest.mark.parametrize(("content", "message"), BAD_TASKS)
def test_a_bad_task_is_named(suite_folder, content, message):
    (suite_folder / "tasks.json").write_text(content)
    with pytest.raises(InputError) as error:
        read_folder(suite_folder)
    assert message in str(error.value)


def test_a_task_needs_two_classes(suite_folder):
    write_lines(suite_folder / "pets.jsonl", [{"text": "x", "colour": "red", "animal": str(i)} for i in range(3)])
    with pytest.raises(InputError, match="fewer than two classes"):
        read_folder(suite_folder)


def test_a_folder_without_a_suite(tmp_path):
    with pytest.raises(InputError, match=r"holds none of tasks\.json"):
        read_folder(tmp_path)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("text,mood,stars\ngood,joy,5\nbad,anger,1\nfine,,4\n,joy,3\nnice,joy,5\n")
    return read_corpus(str(path), text=["text"])


def test_the_users_table_is_one_task_a_gold_column(table):
    suite = table_suite(table, ["mood", "stars"], ["Which mood?", "How many stars?"])
    mood, stars = suite.clusterings
    assert (mood.texts, mood.labels) == (("good", "bad", "nice"), ("joy", "anger", "joy"))
    assert stars.labels == ("5", "1", "4", "5")
    assert mood.corpus == stars.corpus
    assert suite.notes[0] == "mood: 2 of 5 rows have no text or no label, left out"


def test_json_cells_of_any_type_are_classes(tmp_path):
    path = tmp_path / "own.jsonl"
    write_lines(path, [{"text": "a", "ok": True}, {"text": "b", "ok": False}, {"text": "c"}])
    suite = table_suite(read_corpus(str(path), text=["text"]), ["ok"], ["Is it?"])
    assert suite.clusterings[0].labels == ("true", "false")


def test_a_missing_or_useless_gold_column_is_named(table):
    with pytest.raises(InputError, match='no column "moods"') as error:
        table_suite(table, ["moods"], ["Which?"])
    assert "mood" in error.value.hint
    one = read_corpus(table.source, text=["text"], limit=1)
    with pytest.raises(InputError, match='column "mood": holds fewer than two classes'):
        table_suite(one, ["mood"], ["Which?"])
