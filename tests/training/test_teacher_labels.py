from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.encoders.encoded import Answer
from inbedder_cli.encoders.transformers.pooling import word_roots
from inbedder_cli.errors import InputError
from inbedder_cli.training.examples import Example
from inbedder_cli.training.teacher_labels import (
    METADATA,
    Teacher,
    TeacherLabels,
    label_key,
    labels_table,
    read_labels,
    write_labels,
)

TEACHER = Teacher("gold", "gold 1", None, "float32", 512, 8)
WORDS = st.lists(
    st.tuples(st.text("abcdé", min_size=1, max_size=4), st.floats(0, 1, width=32)),
    max_size=16,
    unique_by=lambda pair: pair[0],
)
ANSWERS = st.builds(Answer, st.text("ab é", max_size=5), st.floats(0, 1, width=32), WORDS.map(tuple))


def label(answer, confidence=0.9, *words):
    return Answer(answer, confidence, words)


def written(path, answers, question="Why?"):
    rows = [(label_key(text, question), answer) for text, answer in answers.items()]
    write_labels(labels_table(rows), TEACHER, path)
    return path


def test_first_words_that_say_nothing_are_not_learned(tmp_path):
    answers = {
        "a": label("to complain", 0.9, ("to", 0.5), ("complain", 0.3), ("ask", 0.1)),
        "b": label("because", 0.9, ("because", 0.9), ("late", 0.05)),
        "c": label("late", 0.9, ("late", 0.1)),
    }
    path = written(tmp_path / "labels.parquet", answers)
    labels = TeacherLabels.read([path], frozenset({"to", "because"}))
    first = labels.first_words(Example("a", "Why?", ""))
    assert first == [("complain", pytest.approx(0.75)), ("ask", pytest.approx(0.25))]
    assert [labels.has_words(Example(text, "Why?", "")) for text in "abc"] == [True, False, True]
    assert TeacherLabels.read([path]).first_words(Example("b", "Why?", ""))[0][0] == "because"
    assert labels.first_words(Example("unknown", "Why?", "")) == []


@settings(deadline=None, max_examples=30)
@given(st.dictionaries(st.text(max_size=5).map(str.strip), ANSWERS, max_size=8))
def test_labels_are_read_as_they_were_written(tmp_path_factory, answers):
    path = written(tmp_path_factory.mktemp("labels") / "labels.parquet", answers)
    labels = TeacherLabels.read([path])
    assert labels.teachers == [TEACHER]
    assert len(labels.rows) == len(answers)
    for text, answer in answers.items():
        row = labels.row(Example(text, "Why?", ""))
        assert labels.answers[row] == answer.text
        assert labels.confidences[row] == answer.confidence
        found = zip(labels.words.ids[row], labels.words.probabilities[row], strict=True)
        assert [(labels.words.words[i], p) for i, p in found if p] == [
            pair for pair in answer.next_words if pair[1]
        ]
    assert labels.row(Example("no such text", "Why?", "")) is None


def test_a_file_holds_no_texts_and_is_small(tmp_path):
    rng = np.random.default_rng(0)
    vocabulary = [f"word{i}" for i in range(5000)]
    answers = {}
    for i in range(2000):
        words = [vocabulary[j] for j in rng.choice(5000, 16, replace=False)]
        shares = np.sort(rng.dirichlet(np.full(16, 0.1)))[::-1].round(5).tolist()
        answers[f"secret text {i}"] = label(" ".join(words[:2]), 0.5, *zip(words, shares, strict=True))
    path = written(tmp_path / "labels.parquet", answers, "secret question")
    assert b"secret" not in path.read_bytes()
    assert path.stat().st_size < 2000 * 150  # 15 MB for 100,000 rows


def test_the_first_of_several_files_counts(tmp_path):
    one = written(tmp_path / "one.parquet", {"a": label("anger"), "b": label("joy", 0.5, ("joy", 0.5))})
    two = written(tmp_path / "two.parquet", {"b": label("love"), "c": label("fear", 0.5, ("fear", 0.25))})
    labels = TeacherLabels.read([one, two])
    examples = [Example(text, "Why?", "") for text in "abc"]
    assert [labels.answers[labels.row(e)] for e in examples] == ["anger", "joy", "fear"]
    assert [labels.has_words(e) for e in examples] == [False, True, True]
    assert len(set(labels.files)) == len(labels.teachers) == 2


def test_cosines_are_those_of_the_pooling_where_all_words_are_known(tmp_path):
    logits = torch.randn(5, 12, generator=torch.Generator().manual_seed(0))
    names = [f"w{i}" for i in range(12)]
    answers = {
        f"text {i}": label("x", 0.9, *zip(names, probabilities, strict=True))
        for i, probabilities in enumerate(logits.softmax(-1).tolist())
    }
    labels = TeacherLabels.read([written(tmp_path / "labels.parquet", answers)])
    found = labels.cosines([*(Example(text, "Why?", "") for text in answers), Example("other", "Why?", "")])
    roots = word_roots(logits)
    wanted = torch.nn.functional.normalize(roots - roots.mean(0), dim=-1)
    np.testing.assert_allclose(found[:5, :5], wanted @ wanted.T, atol=1e-5)
    assert np.isnan(found[5]).all() and np.isnan(found[:, 5]).all()


@settings(deadline=None, max_examples=30)
@given(st.lists(WORDS, min_size=1, max_size=6), st.randoms())
def test_cosines_do_not_depend_on_order(tmp_path_factory, words, random):
    answers = {f"text {i}": Answer("x", 0.9, tuple(pairs)) for i, pairs in enumerate(words)}
    labels = TeacherLabels.read([written(tmp_path_factory.mktemp("labels") / "labels.parquet", answers)])
    examples = [Example(text, "Why?", "") for text in answers]
    order = random.sample(range(len(words)), len(words))
    shuffled = labels.cosines([examples[i] for i in order])
    np.testing.assert_allclose(shuffled, labels.cosines(examples)[np.ix_(order, order)], atol=1e-6)


GOOD = {"a": label("anger", 0.5, ("anger", 0.5))}


def change_metadata(path, content=None, **values):
    table = pq.read_table(path)
    metadata = json.dumps(json.loads(table.schema.metadata[METADATA]) | values)
    pq.write_table(table.replace_schema_metadata({METADATA: content or metadata}), path)


def change_column(path, name, values):
    table = pq.read_table(path)
    column = table.schema.get_field_index(name)
    field = table.schema.field(name)
    pq.write_table(table.set_column(column, field, pa.array(values, field.type)), path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_text("key,answer\n"), "cannot be read as labels"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "cannot be read as labels"),
        (
            lambda path: pq.write_table(pq.read_table(path).replace_schema_metadata(None), path),
            "not a file of labels",
        ),
        (lambda path: change_metadata(path, schema=2), "another version of inbedder"),
        (lambda path: change_metadata(path, colour="red"), "do not name a teacher"),
        (lambda path: change_metadata(path, name=["a"]), "do not name a teacher"),
        (lambda path: change_metadata(path, name="half of a pair: \ud800"), "do not name a teacher"),
        (lambda path: change_metadata(path, content=b"[" * 100_000), "do not name a teacher"),
        (lambda path: pq.write_table(pq.read_table(path).drop(["words"]), path), "its columns"),
        (lambda path: change_column(path, "confidence", [float("nan")]), "no probabilities"),
        (lambda path: change_column(path, "confidence", [None]), "gaps"),
        (lambda path: change_column(path, "probabilities", [[0.5, 0.25]]), "do not match"),
        (lambda path: change_column(path, "words", [[None]]), "gaps"),
        (lambda path: (path.unlink(), path.mkdir()), "not a regular file"),
    ],
)
def test_what_is_not_a_file_of_labels_is_refused(tmp_path, damage, words):
    path = written(tmp_path / "labels.parquet", GOOD)
    damage(path)
    with pytest.raises(InputError, match=words) as error:
        read_labels(path)
    assert str(path) in str(error.value)


def test_a_flipped_bit_is_noticed(tmp_path):
    path = written(tmp_path / "labels.parquet", {f"text {i}": GOOD["a"] for i in range(200)})
    whole, content = read_labels(path)[0], path.read_bytes()
    for place in range(4, len(content) - 8, 29):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        try:
            table = read_labels(path)[0]
        except InputError:
            continue
        assert table.equals(whole) or place > content.index(b"inbedder.teacher") - 1000  # only statistics differ
