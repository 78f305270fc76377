from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

FIRST, SECOND = "What emotion is expressed?", "How does the customer feel?"


@pytest.fixture
def compare(inbedder, tiny, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("text\n" + "".join(f"text {i} {'cold' if i % 2 else 'kind'} {i % 5}\n" for i in range(30)))

    def run(*arguments):
        fixed = ["-m", tiny, "--device", "cpu", "--dtype", "float32", "--no-flag-unanswered", "-k", "3"]
        return inbedder("compare", path, *fixed, *arguments)

    return run


def test_wordings_stand_side_by_side(compare):
    result = compare("-i", FIRST, "-i", f"feel={SECOND}")
    assert result.exit_code == 0, result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["name"] for row in rows] == ["q1", "feel"]
    assert [row["instruction"] for row in rows] == [FIRST, SECOND]
    assert {row["k"] for row in rows} == {"3"}
    assert float(rows[0]["agreement_feel"]) == float(rows[1]["agreement_q1"])
    document = json.loads(compare("-i", FIRST, "-i", SECOND, "-f", "json").stdout)
    assert document["agreement"][0][0] == 1
    assert document["wordings"][0]["answered"] == 1
    table = compare("-i", FIRST, "-i", SECOND, "-f", "table").stdout
    assert "q1 and q2 agree to" in table
    assert "too close to say" in table


def test_the_same_wording_twice_is_refused(compare):
    refused = compare("-i", FIRST, "-i", f"again={FIRST} ")
    assert refused.exit_code == 2
    assert "two wordings are the same" in refused.stderr


def test_one_wording_is_refused(compare):
    assert compare("-i", FIRST).exit_code == 2


def test_options_without_sense_are_refused_before_anything_is_read(compare):
    result = compare("-i", "What emotion?", "-i", "Which mood?", "-k", "1")
    assert result.exit_code == 2
    assert "model:" not in result.stderr


def test_rows_without_vectors_are_reported(compare, monkeypatch):
    from inbedder_cli.encoders.transformers.causal import CausalEncoder

    whole = CausalEncoder.encode_batches

    def broken(self, texts, *arguments):
        for rows in whole(self, texts, *arguments):
            for text, row in rows.items():
                row.vector[:] = np.nan if text == texts[1] else row.vector
            yield rows

    monkeypatch.setattr(CausalEncoder, "encode_batches", broken)
    result = compare("-i", "What emotion?", "-i", "Which mood?", "-k", "2")
    assert result.exit_code == 4
    assert "without a finite vector" in result.stderr
    assert "What emotion?" in result.stdout
