"""What encoders return: collected in any order, joined from shards."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbedder_cli.corpus import read_corpus
from inbedder_cli.encoders.encoded import Encoded, ResultBuffer
from inbedder_cli.errors import InbedderError
from inbedder_cli.options import ClusterOptions, EncodeOptions
from inbedder_cli.pipeline import analyze
from tests.encoders.toy import ToyEncoder

texts = st.lists(st.text(st.sampled_from("ab c"), max_size=5), max_size=8)
TOY = ToyEncoder("any")


@given(st.lists(texts, min_size=1, max_size=5), st.booleans())
def test_joined_shards_are_what_encoding_all_texts_at_once_gives(shards, answers):
    options = EncodeOptions(answers=answers)
    joined = Encoded.concat([TOY.encode(shard, "What?", options) for shard in shards])
    expected = TOY.encode([text for shard in shards for text in shard], "What?", options)
    np.testing.assert_array_equal(joined.vectors, expected.vectors)
    assert joined.answers == expected.answers
    assert joined.n_unique == sum(len(set(shard)) for shard in shards) >= expected.n_unique
    assert joined.n_truncated >= expected.n_truncated
    if not answers:
        assert joined.confidences is None
        assert joined.next_words is None
        return
    np.testing.assert_array_equal(joined.confidences, expected.confidences)
    assert joined.next_words.words == expected.next_words.words
    np.testing.assert_array_equal(joined.next_words.ids, expected.next_words.ids)
    np.testing.assert_array_equal(joined.next_words.probabilities, expected.next_words.probabilities)


def test_shards_that_do_not_fit_together_are_refused():
    one = TOY.encode(["a b"], "What?")
    without = TOY.encode(["a b"], "What?", EncodeOptions(answers=False))
    wider = Encoded(np.zeros((1, 99), np.float32), one.answers, one.confidences, 1, 0, one.next_words)
    wrong = {"no shards": [], "have answers": [one, without], "different sizes": [one, wider]}
    for message, shards in wrong.items():
        with pytest.raises(ValueError, match=message):
            Encoded.concat(shards)


def test_a_text_without_a_row_is_an_error_and_not_a_random_vector():
    buffer = ResultBuffer(["a", "b", "a"], EncodeOptions())
    for rows in TOY.encode_batches(["a"], "What?"):
        buffer.add(rows)
    with pytest.raises(InbedderError, match="nothing for 1 of 2 texts"):
        buffer.encoded()


def test_an_encoder_without_answers_gives_none_and_flags_nothing():
    class Silent(ToyEncoder):
        def encode_batches(self, *arguments, **settings):
            for rows in super().encode_batches(*arguments, **settings):
                yield {text: row._replace(answer=None) for text, row in rows.items()}

    encoded = Silent("x").encode(["a b", "c d"], "Why?")
    assert encoded.answers is None
    assert encoded.confidences is None
    assert Silent("x").encode([], "Why?").answers == []
    corpus = read_corpus(["a b", "c d", "a c", "b d"])
    result = analyze(corpus, "Why?", Silent("x"), cluster_options=ClusterOptions(k=2), baseline=False).result
    assert set(result.status) == {"ok"}
