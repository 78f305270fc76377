"""Feedback with dates, ratings and regions, some of it hostile, and an encoder without weights for its mood."""

from __future__ import annotations

import numpy as np
import pandas as pd

from inbedder_cli import ClusterOptions, analyze, read_corpus
from inbedder_cli.encoders import BaseEncoder, EncodedText
from inbedder_cli.encoders.base import ModelRecord
from inbedder_cli.encoders.encoded import Answer

MOODS = {"lovely": "joy", "broken": "anger", "scary": "fear"}
PLACES = {"room": "hotel", "train": "travel"}
HOSTILE = [
    "</script><script>window.hacked = 1</script> lovely room",
    "<img src=x onerror=window.hacked=1> lovely room",
    '"><svg onload=window.hacked=1> broken train',
    "{{7*7}} ${7*7} {% raw %} broken room",
    "line\u2028separator\u2029and nul \0 and lovely <!-- room",
    "\u202eright to left\u202c عيد سعيد lovely train",
    '=HYPERLINK("http://example.invalid","click") broken room',
    "👩‍👩‍👧‍👦 emoji café naïve scary train 🚂",
    "half a pair \ud83d scary room".encode("utf-8", "replace").decode(),
    "日本語のとても楽しい lovely 部屋 room",
    "scary " + "very long text " * 7000 + "room",
]
QUESTIONS = {"mood": "What is the <b>mood</b>?", "place": "Where was it?"}


class MoodEncoder(BaseEncoder):
    """Answers with the mood, or the place, that a word of the text stands for."""

    name = identity = "moods"
    hidden_size = 8
    record = ModelRecord("moods:", "moods, float32 on cpu", "moods", None, "float32")

    def encode_batches(self, texts, instruction, options=None, reporter=None, known=()):
        known_words = MOODS if "mood" in instruction else PLACES
        for text in texts:
            place = next((i for i, word in enumerate(known_words) if word in text), len(known_words))
            answer = [*known_words.values(), ""][place]
            vector = np.random.default_rng(len(text) % 997 + sum(text[:40].encode("utf-8", "replace"))).normal(
                size=8
            )
            vector[place] += 9
            yield {
                text: EncodedText(
                    vector.astype(np.float32), Answer(answer, 0.9, ((answer, 0.9),)), truncated=False
                )
            }


def feedback(n_rows: int = 120) -> pd.DataFrame:
    """Return rows: the hostile ones first, one without a text, and one that does not answer."""
    rng = np.random.default_rng(0)
    texts = [*HOSTILE, "", "n/a"]
    while len(texts) < n_rows:
        mood, place = rng.choice(list(MOODS)), rng.choice(list(PLACES))
        texts.append(f"The {place} number {len(texts)} was {mood}, and I paid by card.")
    moods = [next((i for i, word in enumerate(MOODS) if word in text), 2) for text in texts]
    return pd.DataFrame(
        {
            "id": [f"r{i}" for i in range(len(texts))],
            "text": texts,
            "rating": [5 - 2 * mood + i % 2 for i, mood in enumerate(moods)],
            "region": ["north", "south", "east"] * (len(texts) // 3) + ["west"] * (len(texts) % 3),
            "day": [f"2025-{1 + i % 6:02}-{1 + i % 28:02}" for i in range(len(texts))],
        }
    )


def feedback_analysis(n_rows: int = 120, questions=QUESTIONS):
    corpus = read_corpus(feedback(n_rows), text="text", id_column="id")
    options = [ClusterOptions(k=k) for k in (3, 2)][: len(questions)]
    return analyze(
        corpus, questions, MoodEncoder(), cluster_options=options, by=["rating", "region", "day"], baseline=False
    )
