from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli import ClusterOptions, InBedder, analyze, read_corpus
from inbedder_cli.embeddings import Embeddings, RowStatus
from inbedder_cli.encoders import encoder_backends
from inbedder_cli.encoders.encoded import Encoded
from inbedder_cli.encoders.next_words import next_words
from inbedder_cli.errors import UsageError
from inbedder_cli.options import EncodeOptions
from inbedder_cli.pipeline import embed
from inbedder_cli.units import answer_words, embed_units, share_of_several, suggest_multi
from tests.keywords import KEYWORDS, KeywordEncoder

QUESTION = "Which features are mentioned?"
ROWS = [
    ("We came for the dark mode and the export.", {"dark mode", "export"}),
    ("I like sync, search and turtles.", {"sync", "search"}),
    ("Dark modes, dark mode; more dark mode!", {"dark mode"}),
    ("Please keep sync.", {"sync"}),
    ("Export is slow.", {"export"}),
    ("Search works. Never again a wedding!", {"search"}),
    ("", set()),
    ("dark mode", {"dark mode"}),
    ("Apples and pears.", {"pears"}),  # neither begins the answer to a whole text but this one
]
TEXTS = [text for text, _ in ROWS]
OPTIONS = ClusterOptions(k=4, stability=False)


@pytest.fixture(autouse=True)
def backend():
    encoder_backends.register("keywords", KeywordEncoder)
    yield
    encoder_backends.unregister("keywords")


def units_of(texts, encoder=None, **settings):
    encoder = encoder or KeywordEncoder()
    corpus = read_corpus(texts)
    return embed_units(corpus, embed(corpus, QUESTION, encoder), encoder, **settings)


def told(embeddings):
    rows = embeddings.units.by_row([(a or "").strip(".!").lower() for a in embeddings.answers])
    return [{"dark mode" if a == "dark modes" else a for a in row} - {""} for row in rows]


@pytest.mark.parametrize("reference", ["", "plain"])
def test_each_answer_that_whole_texts_have_too_becomes_a_unit(reference):
    embeddings = units_of(TEXTS, KeywordEncoder(reference))
    assert told(embeddings) == [answers for _, answers in ROWS]
    assert embeddings.units.row_of == sorted(embeddings.units.row_of)
    assert set(embeddings.units.row_of) == set(range(len(TEXTS)))
    assert {"turtles", "wedding", "apples"}.isdisjoint(word.strip(".!") for word in embeddings.units.words)


def test_words_that_answers_to_whole_texts_hardly_ever_begin_with_are_left_out():
    n = 1000
    of_texts = [[("sync", 0.5), ("best", 0.04), ("rare", 0.001)]] * n
    of_parts = [[("sync", 0.9), ("best", 0.5), ("rare", 0.001), ("turtles", 0.2)]] * n
    vectors, none = np.zeros((n, 2), np.float32), np.zeros(n, np.float32)
    whole = Embeddings(vectors, ["x"] * n, [RowStatus.ok] * n, next_words=next_words(of_texts))
    parts = Encoded(vectors, ["x"] * n, none, n, 0, next_words(of_parts))
    assert answer_words(whole, parts, range(n), []) == {"sync"}  # 0.04 is less than a tenth of 0.5
    assert answer_words(whole, parts, range(n), range(n)) == {"sync", "best"}  # half of the parts are whole texts
    rows = range(0, n, 2)
    assert answer_words(whole, parts, rows, rows) == {"sync", "best"}


def test_a_row_has_the_status_of_its_answers():
    texts = ["dark mode, export", "export", "dark mode", "n/a", "sync", ""]
    options = ClusterOptions(k=3, stability=False)
    result = analyze(read_corpus(texts), QUESTION, KeywordEncoder(), cluster_options=options, multi=True).result
    assert [str(status) for status in result.row_status] == ["ok", "ok", "ok", "no-answer", "ok", "empty"]
    assert result.unanswered.size == 1
    names = result.to_frame()["cluster_label"].tolist()
    assert names == [["dark mode", "export"], ["export"], ["dark mode"], ["(no clear answer)"], ["sync"], None]
    assert "4 of 6 rows are in clusters; 1 empty, 1 no-answer" in repr(result)
    half = replace(result, status=[RowStatus.noise, *result.status[1:-2], RowStatus.noise, RowStatus.empty])
    assert [str(status) for status in half.row_status] == ["ok", "ok", "ok", "no-answer", "noise", "empty"]


def test_a_unit_has_the_cells_of_its_row_and_the_part_that_answers():
    embeddings = units_of(TEXTS)
    own = embeddings.units.corpus
    assert own.texts[:2] == ["We came for the dark mode", "the export."]
    assert own.ids[:2] == ["1", "1"]
    assert own.texts[embeddings.units.row_of.index(2)] == "more dark mode!"  # the most confident of the three
    assert own.table.column("text").to_pylist()[:2] == [TEXTS[0]] * 2
    assert embeddings.vectors.shape == (len(own), 32)
    assert embeddings.status[embeddings.units.row_of.index(6)] is RowStatus.empty


def test_units_of_a_row_do_not_depend_on_the_order_of_the_rows():
    order = np.random.default_rng(0).permutation(len(TEXTS))
    assert told(units_of([TEXTS[i] for i in order])) == [ROWS[i][1] for i in order]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from([*KEYWORDS, "x", ",", " and ", ". ", "n/a", "\n", "é", ""])), min_size=1))
def test_every_row_has_a_unit_and_units_hold_a_part_or_the_whole_text(pieces):
    texts = ["".join(row) for row in pieces]
    corpus, encoder = read_corpus([*texts, "sync"]), KeywordEncoder()
    whole = embed(corpus, QUESTION, encoder)
    found = embed_units(corpus, whole, encoder)
    own = found.units
    assert all(own.by_row(range(len(own.row_of))))
    for unit, row in enumerate(own.row_of):
        text, answer = own.corpus.texts[unit], found.answers[unit]
        assert " ".join(text.split()) in " ".join(corpus.texts[row].split())
        assert answer == (encoder.answer(text) if text else None)
        assert found.status[unit] is whole.status[row]
    assert len(found.vectors) == len(found.status) == len(found.confidences) == len(own.corpus)


def test_words_of_a_saved_run_decide_for_new_rows():
    assert told(units_of(["turtles, sync and ponies"], words=frozenset(["sync", "turtles"]))) == [
        {"turtles", "sync"}
    ]
    assert told(units_of(["apples and pears"], words=frozenset())) == [{"pears"}]


def test_parts_that_say_nothing_are_no_units():
    assert told(units_of(["sync, n/a", "n/a", "sync"])) == [{"sync"}, {"n/a"}, {"sync"}]


def test_without_answers_there_are_no_units():
    with pytest.raises(UsageError, match="needs answers"):
        units_of(TEXTS, KeywordEncoder("mute"))
    corpus, encoder = read_corpus(TEXTS), KeywordEncoder()
    with pytest.raises(UsageError, match="needs answers"):
        analyze(corpus, QUESTION, encoder, multi=True, encode_options=EncodeOptions(answers=False))


def test_many_parts_are_said_not_to_be_asked():
    said = []

    class Loud:
        def info(self, message): ...
        def warn(self, message):
            said.append(message)

    corpus, encoder = read_corpus(["cold, " * 200, "cold"]), KeywordEncoder()
    embed_units(corpus, embed(corpus, QUESTION, encoder), encoder, reporter=Loud())
    assert said == ["1 texts have 64 parts or more: what follows these is not asked for answers"]


def test_clusters_are_counted_by_rows_and_shares_add_up_to_more_than_one():
    texts = [*TEXTS[:8], "Sync is fine, and I love that sync thing of yours, dark mode too."]
    result = analyze(read_corpus(texts), QUESTION, KeywordEncoder(), cluster_options=OPTIONS, multi=True).result
    sizes = {summary.label: summary.size for summary in result.summaries}
    assert sizes == {"dark mode": 4, "sync": 3, "export": 2, "search": 2}
    assert sum(summary.share for summary in result.summaries) == pytest.approx(11 / 8)
    assert result.row_status == [*[RowStatus.ok] * 6, RowStatus.empty, *[RowStatus.ok] * 2]
    assert result.baseline is not None
    assert "11 answers in 8 rows; a row counts in each of its clusters: the shares add up to 138%" in repr(result)


def test_two_answers_of_a_row_in_one_cluster_count_as_one_row():
    texts = ["dark mode, sync, export, search", "dark mode", "sync", "export", "search"]
    options = ClusterOptions(k=2, stability=False)
    result = analyze(read_corpus(texts), QUESTION, KeywordEncoder(), cluster_options=options, multi=True).result
    labels = result.units.by_row(result.labels)
    assert len(labels[0]) == 4  # in two clusters
    for summary in result.summaries:
        assert summary.size == sum(summary.cluster in row for row in labels)


def test_several_answers_do_not_go_with_columns_to_cross_or_given_vectors():
    corpus, encoder = read_corpus(TEXTS), KeywordEncoder()
    with pytest.raises(UsageError, match="a row may be in several"):
        analyze(corpus, QUESTION, encoder, multi=True, by="text")
    embeddings = embed(corpus, QUESTION, encoder)
    with pytest.raises(UsageError, match="one answer a row"):
        analyze(corpus, QUESTION, embeddings=embeddings, multi=True)


def test_several_questions_each_have_units_of_their_own():
    analysis = analyze(
        read_corpus(TEXTS),
        {"a": QUESTION, "b": "What else?"},
        KeywordEncoder(),
        multi=True,
        cluster_options=OPTIONS,
    )
    frame = analysis.to_frame()
    assert len(frame) == len(TEXTS)
    assert frame["a_answer"][0] == frame["b_answer"][0] == ["dark mode", "export"]
    assert not analysis.crosstabs
    with pytest.raises(UsageError, match="one question"):
        analysis.to_frame(explode=True)


def test_texts_of_several_answers_are_noticed():
    class Unsure(KeywordEncoder):
        def encode_batches(self, texts, *rest, **options):
            for batch in super().encode_batches(texts, *rest, **options):
                for text, row in batch.items():
                    words = tuple(
                        (w.split()[0], 0.3) for w in ("dark mode", "export", "sync") if w in text.lower()
                    )
                    yield {text: row._replace(answer=row.answer._replace(next_words=words))}

    encoder = Unsure()
    both = ["dark mode and export", "export, dark mode", "sync with the dark mode of my phone"]
    alone = ["dark mode", "dark mode!", "export", "export is slow"]
    for texts, share in ((both + alone, 2 / 7), (both, 0), (alone, 0), (["dark mode in sync with sync"], 0)):
        corpus = read_corpus(texts)
        assert share_of_several(corpus, embed(corpus, QUESTION, encoder)) == share
    said = []

    class Listener:
        def info(self, message):
            said.append(message)

    for texts in (both + alone, alone):
        corpus = read_corpus(texts)
        suggest_multi(corpus, embed(corpus, QUESTION, encoder), Listener())
    assert said == ["at least 29 % of the texts seem to hold several answers: see cluster --multi"]


def test_the_estimator_gives_a_multilabel_indicator(tmp_path):
    model = InBedder(QUESTION, model="keywords:", n_clusters=4, multi=True, baseline=False, cache=False)
    labels = model.fit_predict(TEXTS[:8])
    names = [model.cluster_names_[number] for number in sorted(model.cluster_names_)]
    expected = [[int(name in answers) for name in names] for _, answers in ROWS[:8]]
    assert labels.tolist() == expected
    assert list(model.status_) == ["ok"] * 6 + ["empty", "ok"]
    np.testing.assert_array_equal(model.predict(TEXTS[:8]), labels)
    with pytest.raises(UsageError, match="no single vector"):
        model.transform(TEXTS)
    with pytest.raises(UsageError, match="no single vector"):
        InBedder(QUESTION, model="keywords:", multi=True).fit_transform(TEXTS)
    model.save(tmp_path / "run")
    loaded = InBedder.load(tmp_path / "run")
    assert loaded.multi
    assert not hasattr(loaded, "labels_")
    np.testing.assert_array_equal(loaded.predict(TEXTS[:8]), labels)


def test_pandas_objects_get_a_frame_with_the_names_of_the_clusters():
    import pandas as pd

    series = pd.Series(TEXTS[:8], index=list("abcdefgh"))
    model = InBedder(QUESTION, model="keywords:", n_clusters=4, multi=True, baseline=False, cache=False)
    labels = model.fit_predict(series)
    assert list(labels.index) == list("abcdefgh")
    assert set(labels.columns) == {"dark mode", "export", "sync", "search"}
    assert labels.loc["a", ["dark mode", "export"]].tolist() == [1, 1]
    with pytest.raises(UsageError, match='"part"'):
        model.fit(pd.DataFrame({"part": TEXTS[:8]})).result_.to_frame(explode=True)
    frame = model.fit(series).result_.to_frame(explode=True)
    assert list(frame.index)[:4] == ["a", "a", "b", "b"]
    assert frame["part"].tolist()[:2] == ["We came for the dark mode", "the export."]


@pytest.mark.filterwarnings("ignore:.*does the question fit")  # random models may say one thing of all texts
@pytest.mark.parametrize("kind", ["llama", "bert", "t5"])
def test_every_architecture_can_have_several_answers(tiny_models, kind):
    model = InBedder(
        QUESTION,
        model=str(tiny_models[kind]),
        n_clusters=2,
        multi=True,
        min_confidence=0.0,
        flag_unanswered=False,
        device="cpu",
        dtype="float32",
    )
    texts = [f"text {i}, {'cold' if i % 2 else 'kind'} and room {i}" for i in range(8)]
    labels = model.fit_predict(texts)
    assert labels.shape == (8, 2)
    assert (labels.sum(axis=1) >= 1).all()
    np.testing.assert_array_equal(model.predict(texts), labels)
