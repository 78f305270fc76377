from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

from sklearn.metrics import adjusted_mutual_info_score

from inbedder_cli import read_corpus

SAMPLES = Path(__file__).parent.parent / "sample_data"


def test_the_reviews_are_what_their_readme_says():
    corpus = read_corpus(str(SAMPLES / "reviews.csv"), id_column="id")
    columns = {name: corpus.table[name].to_pylist() for name in corpus.table.column_names}
    assert corpus.text_columns == ("text",)
    assert len(corpus) == len(set(corpus.ids)) == 356
    assert corpus.texts.count("") == 4
    assert sum(text.lower() == "n/a" for text in corpus.texts) == 3
    assert len(set(corpus.texts)) < len(corpus) - 4
    emotions = Counter(columns["emotion"])
    assert {"mixed", "neutral"} < set(emotions)
    assert emotions["no-answer"] == 17
    assert emotions[""] == 4
    answered = [i for i, e in enumerate(columns["emotion"]) if e not in ("", "no-answer")]
    gold = [[columns[name][i] for i in answered] for name in ("emotion", "product")]
    assert adjusted_mutual_info_score(*gold) < 0.1


def test_the_tickets_are_what_their_readme_says():
    corpus = read_corpus(str(SAMPLES / "tickets.parquet"))
    assert len(set(corpus.texts)) == 216
    intents, feelings = (corpus.table[name].to_pylist() for name in ("intent", "feeling"))
    assert len(set(intents)) == 8
    assert len(set(feelings)) == 7
    assert adjusted_mutual_info_score(intents, feelings) < 0.1


def test_the_remarks_are_what_their_readme_says():
    corpus = read_corpus(str(SAMPLES / "remarks_multilingual.csv"), id_column="id")
    columns = {name: corpus.table[name].to_pylist() for name in corpus.table.column_names}
    assert list(columns) == ["id", "language", "feeling", "matter", "text"]
    assert corpus.text_columns == ("text",)
    assert columns["id"] == [f"M{number:03}" for number in range(1, 181)]
    assert len({text.strip() for text in corpus.texts}) == 180
    assert all(cell.strip() == cell != "" for column in columns.values() for cell in column)
    languages, feelings, matters = (columns[name] for name in ("language", "feeling", "matter"))
    assert set(languages) == {"English", "German", "Spanish", "French", "Arabic", "Japanese"}
    assert set(feelings) == {"joy", "anger", "disappointment", "worry", "gratitude", "neutral"}
    assert set(matters) == {"delivery", "price", "quality", "service", "app", "returns"}
    for pair in ((languages, feelings), (languages, matters), (feelings, matters)):
        counts = Counter(zip(*pair, strict=True))
        assert len(counts) == 36
        assert set(counts.values()) == {5}
    assert len(set(zip(languages, feelings, matters, strict=True))) == 180
    assert sum(a != b for a, b in pairwise(languages)) > 120, "the rows are shuffled"
