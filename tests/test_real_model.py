"""The bundled encoder, fetched and converted for real, on the sample data."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
SAMPLES = Path(__file__).parent.parent / "sample_data"


@pytest.fixture(scope="module")
def encoder():
    from inbedder_cli import load_encoder

    return load_encoder(device="cpu", cache=False)


def test_answers_are_short_and_name_feelings(encoder):
    texts = ["I am so happy with this, thank you!", "I'm furious. What a rip-off.", "I'm scared it will break."]
    answers = encoder.encode(texts, "What emotion is expressed?").answers
    assert len(set(answers)) == 3
    assert all(1 <= len(answer.split()) <= 2 for answer in answers), answers


def test_number_formats_and_batch_sizes_agree(encoder):
    import numpy as np

    from inbedder_cli import EncodeOptions, load_encoder, read_corpus
    from inbedder_cli.clustering import center_and_normalize
    from inbedder_cli.options import Dtype

    corpus = read_corpus(str(SAMPLES / "reviews.csv"), limit=48)
    texts = [t for t in corpus.texts if t]
    question = "What emotion is expressed?"
    plain = load_encoder(device="cpu", dtype=Dtype.float32, cache=False)
    exact = plain.encode(texts, question, EncodeOptions(answers=False)).vectors
    rebatched = plain.encode(texts, question, EncodeOptions(answers=False, batch_tokens=300)).vectors
    np.testing.assert_allclose(rebatched, exact, atol=1e-3, rtol=1e-4)
    fast = load_encoder(device="cpu", dtype=Dtype.bfloat16, cache=False)
    rounded = fast.encode(texts, question, EncodeOptions(answers=False)).vectors
    cosines = (center_and_normalize(exact)[0] * center_and_normalize(rounded)[0]).sum(axis=1)
    assert np.median(cosines) > 0.99


def test_the_sample_reviews_are_clustered_by_emotion_rather_than_by_product(inbedder):
    from sklearn.metrics import v_measure_score

    question = "What emotion is expressed?"
    result = inbedder("cluster", SAMPLES / "reviews.csv", "-i", question, "-k", "8", "--id", "id", "-q")
    assert result.exit_code == 0, result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout, newline="")))
    assert len(rows) == 356
    answered = [row for row in rows if row["emotion"] not in ("", "no-answer")]
    clusters = [row["cluster"] for row in answered]
    by_emotion = v_measure_score([row["emotion"] for row in answered], clusters)
    by_product = v_measure_score([row["product"] for row in answered], clusters)
    assert by_emotion > 0.3
    assert by_emotion > by_product + 0.2


def test_the_sample_tickets_are_read_and_clustered(inbedder):
    result = inbedder(
        "cluster", SAMPLES / "tickets.parquet", "-i", "What does the customer want?", "-f", "table", "-q"
    )
    assert result.exit_code == 0, result.stderr
    assert "216 rows" in result.stdout
