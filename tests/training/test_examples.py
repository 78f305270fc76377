from __future__ import annotations

import json
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbedder_cli.errors import InputError, ModelError
from inbedder_cli.explanation.stop_words import load_stop_words
from inbedder_cli.training.examples import (
    NOT_MENTIONED,
    Example,
    add_unanswerable,
    hold_out,
    read_examples,
    shorten_answer,
)

STOP = load_stop_words()


@pytest.mark.parametrize(
    ("answer", "learned"),
    [
        ("in the garden of the king", "garden king"),
        ("because he was not happy", "not happy"),
        ("never", "never"),
        ("to be", "to be"),
        ("the  Wi-Fi,  of course", "Wi-Fi, course"),
        ("It’s the bill", "bill"),
        ("38", "38"),
    ],
)
def test_stop_words_leave_answers_but_negations_and_content_stay(answer, learned):
    assert shorten_answer(answer, STOP) == learned


@given(st.text(min_size=1))
def test_shortening_twice_is_shortening_once_and_never_empties(answer):
    once = shorten_answer(answer, STOP)
    assert shorten_answer(once, STOP) == once
    assert bool(once) == bool(answer.split())


def test_jsonl_and_parquet_give_the_same_examples(tmp_path, rows, data):
    table = tmp_path / "zoo.parquet"
    pq.write_table(pa.Table.from_pylist(rows), table)
    from_lines, from_table = (read_examples([str(path)], STOP) for path in (data, table))
    assert from_lines.rows == from_table.rows
    assert len(from_lines.rows) == len(rows)
    assert from_lines.sources == {"zoo": len(rows)}
    assert {row.answer for row in from_lines.rows} == {"red", "green", "blue", "cat", "dog", "cow"}


def test_stop_words_can_stay(data):
    assert "the cat" in {row.answer for row in read_examples([str(data)], frozenset()).rows}


def test_broken_rows_are_left_out_and_named_by_line(tmp_path):
    good = {"input": "a text", "instruction": "What?", "output": "that"}
    lines = [json.dumps(good), "{broken", json.dumps(good | {"output": None}), "[1]", json.dumps({"input": "x"})]
    path = tmp_path / "qa.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    examples = read_examples([str(path)], STOP)
    assert examples.rows == [Example("a text", "What?", "that", "qa")]
    for line in (2, 3, 4, 5):
        assert any(f"line {line}" in problem for problem in examples.broken)
    assert "4 rows left out" in examples.warning()


def test_a_file_without_examples_is_refused(tmp_path):
    path = tmp_path / "qa.jsonl"
    path.write_text('{"question": "x"}\n', encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_examples([str(path)], STOP)
    assert "line 1" in str(error.value)
    assert "instruction" in error.value.hint


def test_an_unknown_name_suggests_the_paper_s_set():
    with pytest.raises(InputError) as error:
        read_examples(["KomeijiForce/Inbedder-Pretrain"], STOP)
    assert "Inbedder-Pretrain-Data" in error.value.hint


def test_the_hub_s_set_is_read_from_a_folder_laid_out_as_its_cache(tmp_path, monkeypatch, rows):
    import huggingface_hub.constants

    snapshot = tmp_path / "datasets--KomeijiForce--Inbedder-Pretrain-Data" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("abc")
    (snapshot / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    name = "KomeijiForce/Inbedder-Pretrain-Data"
    assert len(read_examples([name], STOP, offline=True).rows) == len(rows)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "empty"))
    with pytest.raises(ModelError, match="out of reach"):
        read_examples([name], STOP, offline=True)


@given(st.lists(st.text(min_size=1), min_size=1), st.integers(0, 300))
def test_no_text_is_both_learned_and_held_out(texts, wanted):
    rows = [Example(text, "What?", "x") for text in texts]
    learn, dev = hold_out(rows, wanted)
    assert sorted(e.text for e in [*learn, *dev]) == sorted(texts)
    assert not {e.text for e in learn} & {e.text for e in dev}


def test_only_particular_questions_are_put_to_other_texts():
    rows = [Example(f"text {i}", f"What of {i}?", "x", "s") for i in range(50)]
    rows += [Example(f"note {i}", "What emotion?", "joy", "s") for i in range(50)]
    swapped = add_unanswerable(rows, 0.2, seed=1)
    changed = [(a, b) for a, b in zip(rows, swapped, strict=True) if a != b]
    assert 10 < len(changed) <= 20
    for before, after in changed:
        assert after.answer == NOT_MENTIONED
        assert after.text == before.text
        assert after.instruction != before.instruction
        assert before.instruction != "What emotion?"
    assert add_unanswerable(rows, 0.0, seed=1) == rows


def test_files_of_one_name_are_distinguished_without_their_paths(tmp_path, data):
    (tmp_path / "more").mkdir()
    other = tmp_path / "more" / data.name
    other.write_bytes(data.read_bytes())
    assert list(read_examples([str(data), str(other)], STOP).files) == ["zoo.jsonl", "zoo.jsonl (2)"]


def test_a_very_long_answer_takes_no_longer_than_reading_it():
    answer = "a" + "!" * 1_000_000 + "a the"
    started = time.process_time()
    assert shorten_answer(answer, frozenset(["the"])) == answer.removesuffix(" the")
    assert time.process_time() - started < 2


def test_cells_of_csv_stay_texts(tmp_path):
    path = tmp_path / "qa.csv"
    path.write_text("input,instruction,output\n12,How many stars?,5\n34,Is it good?,true\n")
    assert [(row.text, row.answer) for row in read_examples([str(path)], STOP).rows] == [
        ("12", "5"),
        ("34", "true"),
    ]


def test_halves_of_surrogate_pairs_are_replaced(tmp_path):
    path = tmp_path / "qa.jsonl"
    path.write_text('{"input": "x", "instruction": "Which \\ud83d?", "output": "red\\ud83dx"}\n')
    (row,) = read_examples([str(path)], STOP).rows
    assert (row.instruction + row.answer).isascii()
