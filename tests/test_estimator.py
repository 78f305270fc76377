"""InBedder keeps scikit-learn's manners and gives pandas users what they expect."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from inbedder_cli import InBedder, load_encoder
from inbedder_cli.errors import InbedderError, InputError, ModelError, UsageError
from tests.keywords import KeywordEncoder

QUESTION = "What emotion is expressed?"
TEXTS = [f"text {i} {'cold and loud' if i % 2 else 'kind staff'} room {i % 5}" for i in range(24)]


@pytest.fixture
def make(tiny):
    def made(**parameters):
        fixed = {"n_clusters": 3, "model": tiny, "device": "cpu", "dtype": "float32", "min_confidence": 0.0}
        return InBedder(QUESTION, **(fixed | {"baseline": False} | parameters))

    return made


def test_fitted_attributes_and_predictions_of_the_rows_that_were_fitted(make):
    model = make().fit(TEXTS)
    assert model.labels_.dtype == np.int64
    assert model.labels_.shape == (24,)
    assert set(model.labels_) == {0, 1, 2}
    assert set(model.status_) == {"ok"}
    assert sorted(model.cluster_names_) == [0, 1, 2]
    assert list(model.clusters_["cluster"]) == [0, 1, 2]
    np.testing.assert_array_equal(model.predict(TEXTS), model.labels_)
    np.testing.assert_array_equal(make().fit_predict(TEXTS), model.labels_)
    vectors = model.transform(TEXTS)
    assert vectors.shape == (24, 32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(make().fit_transform(TEXTS), vectors)
    assert model.n_clusters_ == 3
    assert model.cluster_centers_.shape == (3, 32)
    np.testing.assert_allclose(np.linalg.norm(model.cluster_centers_, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal((vectors @ model.cluster_centers_.T).argmax(axis=1), model.labels_)
    assert list(model.answers_) == model.result_.embeddings.answers
    assert model.confidence_.dtype == np.float32
    np.testing.assert_array_equal(model.confidence_, model.result_.embeddings.confidences)


def test_centers_are_those_of_kmeans_only(make):
    model = make().fit(TEXTS)
    model.set_params(algorithm="hdbscan", n_clusters="auto", min_cluster_size=3).fit(TEXTS)
    assert not hasattr(model, "cluster_centers_")
    assert model.n_clusters_ == len(model.cluster_names_)


def test_cells_of_several_values_are_lists(make):
    clusters = make().fit(TEXTS).clusters_
    assert all(isinstance(ids, list) and len(ids) == 3 for ids in clusters["exemplar_ids"])
    shares = [share for answers in clusters["answers"] for _, share in answers]
    assert shares
    assert all(0 < share <= 1 for share in shares)


@pytest.mark.parametrize("state", [None, np.int64(3), np.random.RandomState(3)])
def test_random_states_are_those_of_scikit_learn(make, tmp_path, state):
    model = make(random_state=state).fit(TEXTS)
    seed = model.result_.clustering.options.seed
    np.testing.assert_array_equal(make(random_state=seed).fit_predict(TEXTS), model.labels_)
    model.save(tmp_path / "run")
    assert InBedder.load(tmp_path / "run", device="cpu").random_state == seed


def test_a_fresh_random_state_gives_each_fit_a_seed_of_its_own(make):
    model = make(random_state=None, stability=False)
    seeds = {model.fit(TEXTS).result_.clustering.options.seed for _ in range(2)}
    assert len(seeds) == 2
    assert model.random_state is None


def test_rows_with_vectors_can_be_measured_by_scikit_learn(make):
    from sklearn.metrics import silhouette_score

    model, texts = make(), [*TEXTS, None, ""]
    points = model.fit_transform(texts)
    inside = model.labels_ >= 0
    assert inside.sum() == 24
    assert -1 <= silhouette_score(points[inside], model.labels_[inside]) <= 1


def test_progress_and_warnings_are_printed_when_asked(make, capsys):
    make().fit(TEXTS)
    assert capsys.readouterr() == ("", "")
    make(verbose=True).fit(TEXTS)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err


@pytest.mark.parametrize(
    "given",
    [
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS)[:, None],
        pd.Series(TEXTS),
        pd.DataFrame({"text": TEXTS, "n": range(24)}),
        pa.table({"text": TEXTS, "n": range(24)}),
    ],
    ids=["tuple", "array", "column", "Series", "DataFrame", "table"],
)
def test_texts_come_in_many_forms(make, given):
    np.testing.assert_array_equal(np.asarray(make().fit_predict(given)), make().fit_predict(TEXTS))


def test_the_index_of_a_series_is_kept(make):
    series = pd.Series(TEXTS, index=[f"r{i}" for i in range(24)])
    labels = make().fit_predict(series)
    assert isinstance(labels, pd.Series)
    assert list(labels.index) == list(series.index)
    frame = series.to_frame("review")
    model = make(text="review")
    frame["cluster"] = model.fit_predict(frame)
    assert list(frame["cluster"]) == list(labels)
    vectors = model.transform(frame.head(3))
    assert list(vectors.index) == ["r0", "r1", "r2"]
    assert list(model.result_.to_frame().index) == list(series.index)


def test_rows_without_text_are_minus_one_and_the_status_tells(make):
    model = make()
    labels = model.fit_predict([*TEXTS, None, "  "])
    assert list(labels[-2:]) == [-1, -1]
    assert list(model.status_[-2:]) == ["empty", "empty"]
    assert list(model.answers_[-2:]) == [None, None]
    assert np.isnan(model.confidence_[-2:]).all()
    assert model.predict(["", "kind staff room 1"])[0] == -1
    assert np.isnan(model.transform([None, "x"])[0]).all()
    assert list(model.predict(["", None])) == [-1, -1]
    with pytest.raises(InputError, match="all texts are empty"):
        make().fit(["", None])


def test_rows_without_an_answer_are_minus_one_and_the_status_tells(make):
    with pytest.warns(UserWarning, match="no text answers"):
        model = make(n_clusters=2, min_confidence=1.0).fit(TEXTS)  # no answer is that sure
    assert set(model.labels_) == {-1}
    assert set(model.status_) == {"no-answer"}


def test_parameters_are_scikit_learns(make):
    model = make(n_clusters=2)
    assert model.get_params()["n_clusters"] == 2
    assert model.set_params(n_clusters=4).n_clusters == 4
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert "InBedder(" in repr(model)
    with pytest.raises(NotFittedError):
        copy.predict(TEXTS)
    with pytest.raises(UsageError, match="n_clusters"):
        make(n_clusters="many").fit(TEXTS)
    with pytest.raises(UsageError, match="kmean"):
        make(algorithm="kmean").fit(TEXTS)
    assert set(make(n_clusters="auto", k_max=4).fit(TEXTS).labels_) >= {0, 1}
    dense = make(n_clusters="auto", algorithm="hdbscan", min_cluster_size=3).fit(TEXTS)
    np.testing.assert_array_equal(dense.predict(TEXTS), dense.labels_)


def test_a_saved_estimator_predicts_the_same(make, tmp_path, tiny_models):
    model = make().fit(TEXTS)
    model.save(tmp_path / "emotions")
    with pytest.raises(UsageError, match="exists"):
        model.save(tmp_path / "emotions")
    loaded = InBedder.load(tmp_path / "emotions", device="cpu")
    new = [f"another {text}" for text in TEXTS]
    np.testing.assert_array_equal(loaded.predict(new), model.predict(new))
    np.testing.assert_allclose(loaded.transform(new), model.transform(new))
    np.testing.assert_array_equal(loaded.labels_, model.labels_)
    np.testing.assert_array_equal(loaded.status_, model.status_)
    assert list(loaded.answers_) == list(model.answers_)
    np.testing.assert_allclose(loaded.confidence_, model.confidence_, atol=1e-6)
    np.testing.assert_allclose(loaded.cluster_centers_, model.cluster_centers_)
    assert loaded.n_clusters_ == 3
    assert loaded.cluster_names_ == model.cluster_names_
    assert loaded.clusters_.drop(columns="stability").equals(model.clusters_.drop(columns="stability"))
    assert loaded.get_params()["n_clusters"] == 3
    assert loaded.instruction == QUESTION
    with pytest.raises(UsageError, match="loaded from a saved run"):
        loaded.save(tmp_path / "copy")
    with pytest.raises(InputError):
        InBedder.load(tmp_path / "nothing")
    with pytest.raises(UsageError, match='"mood"'):
        InBedder.load(tmp_path / "emotions", question="mood")


def test_a_loaded_estimator_reads_the_column_that_it_was_fitted_on(make, tmp_path):
    frame = pd.DataFrame({"title": [f"title {i} {'a b c' * (i % 3)}" for i in range(24)], "body": TEXTS})
    model = make(text="title").fit(frame)
    model.save(tmp_path / "run")
    loaded = InBedder.load(tmp_path / "run", device="cpu")
    assert loaded.text == "title"
    np.testing.assert_array_equal(loaded.predict(frame), model.labels_)


def test_another_model_than_that_of_the_run_is_refused(make, tmp_path, tiny_models, tiny):
    make().fit(TEXTS).save(tmp_path / "emotions")
    manifest = tmp_path / "emotions" / "run.json"
    told = json.loads(manifest.read_text(encoding="utf-8"))
    told["model"]["reference"] = str(tiny_models["opt"])
    manifest.write_text(json.dumps(told), encoding="utf-8")
    loaded = InBedder.load(tmp_path / "emotions", device="cpu")
    with pytest.raises(ModelError, match="is not the model"):
        loaded.predict(TEXTS)
    assert len(loaded.fit_predict(TEXTS)) == 24


def test_new_rows_are_encoded_as_the_fitted_ones_were(make, tiny_models):
    model = make().fit(TEXTS)
    model.set_params(model=str(tiny_models["opt"]), pooling="prompt-mean", min_confidence=1.0, instruction="Why?")
    np.testing.assert_array_equal(model.predict(TEXTS), model.labels_)


def test_an_encoder_may_be_given_and_cloned_and_pickled(make, tiny):
    model = clone(make(model=load_encoder(tiny, device="cpu", dtype="float32"))).fit(TEXTS)
    np.testing.assert_array_equal(model.labels_, make().fit(TEXTS).labels_)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(TEXTS), model.labels_)


def test_it_is_a_transformer_with_names_of_features(make):
    frame = make().set_output(transform="pandas").fit_transform(pd.Series(TEXTS, index=range(5, 29)))
    assert list(frame.columns[:2]) == ["inbedder0", "inbedder1"]
    assert list(frame.index) == list(range(5, 29))


@pytest.mark.parametrize(
    ("parameters", "given", "message"),
    [
        ({"min_confidence": 5}, TEXTS, "min_confidence must be between 0 and 1"),
        ({"max_tokens": -1}, TEXTS, "max_tokens must be at least 1"),
        ({"exemplars": -1}, TEXTS, "exemplars must be at least 0"),
        ({"algorithm": "hdbscan"}, TEXTS, "n_clusters is for kmeans, and has no effect with algorithm=.hdbscan"),
        ({"k_max": 9}, TEXTS, "k_max has no effect with n_clusters=3"),
        ({"min_cluster_size": 9}, TEXTS, "min_cluster_size is for hdbscan"),
        ({"n_clusters": 1}, TEXTS, "n_clusters must be at least 2, not 1"),
        ({"random_state": "x"}, TEXTS, "random_state must be an integer, a numpy.random.RandomState or None"),
        ({"random_state": -1}, TEXTS, "random_state must be between"),
        ({}, "I am happy", "there is no file"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_way_out(make, parameters, given, message):
    with pytest.raises(InbedderError, match=message):
        make(**parameters).fit(given)


def test_errors_name_parameters(make):
    with pytest.raises(UsageError) as bad:
        make(n_clusters=1).fit(TEXTS)
    assert bad.value.hint == 'use 2 or more, or n_clusters="auto"'
    with pytest.raises(InputError) as few:
        make(n_clusters=30).fit(TEXTS)
    assert few.value.hint == "lower n_clusters or give more rows"
    assert few.value.__notes__ == [few.value.hint]


@pytest.mark.parametrize("instruction", [["a?", "b?"], None, "", 3])
def test_an_instruction_is_one_question(tiny, instruction):
    with pytest.raises(UsageError, match="must be a question") as refused:
        InBedder(instruction, model=tiny).fit(TEXTS)
    assert refused.value.__notes__ == [refused.value.hint]


def test_a_fitted_estimator_can_be_pickled_without_its_encoder(make):
    model = make().fit(TEXTS)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(TEXTS), model.labels_)


def test_the_command_line_and_the_estimator_find_the_same_clusters(make, tiny, tmp_path, inbedder):
    frame = pd.DataFrame({"text": TEXTS})
    frame.to_csv(tmp_path / "x.csv", index=False)
    fixed = ["-m", tiny, "--device", "cpu", "--dtype", "float32", "--min-confidence", "0", "--no-baseline"]
    result = inbedder("cluster", tmp_path / "x.csv", "-i", QUESTION, "-k", "3", *fixed, "-o", tmp_path / "y.csv")
    assert result.exit_code == 0, result.stderr
    written = pd.read_csv(tmp_path / "y.csv")
    model = make().fit(frame)
    assert list(written["cluster"]) == list(model.labels_)
    ours = model.result_.to_frame()
    assert list(ours.columns) == list(written.columns)
    assert list(ours["cluster_label"]) == list(written["cluster_label"])


def test_results_are_short_in_a_console_and_escaped_in_a_notebook(make):
    model = make().fit([*TEXTS, "<script>alert(1)</script> cold & loud"])
    assert len(repr(model.result_).splitlines()) < 17
    page = model.result_._repr_html_()
    assert "<script>" not in page
    assert "<table" in page


def test_a_loaded_estimator_has_the_merges_and_settings_of_its_run(make, tmp_path):
    make(consensus=False).fit(TEXTS).save(tmp_path / "run")
    (tmp_path / "run" / "names.txt").write_text("2 -> 0\n")
    loaded = InBedder.load(tmp_path / "run", device="cpu")
    assert set(loaded.labels_) == set(loaded.cluster_names_) == {0, 1}
    np.testing.assert_array_equal(loaded.labels_, loaded.predict(TEXTS))
    assert loaded.consensus is False


def test_numbers_of_numpy_can_be_saved(make, tmp_path):
    model = make(n_clusters=np.int64(2), random_state=np.int64(3), min_confidence=np.float64(0), multi=np.False_)
    model.fit(TEXTS).save(tmp_path / "run")
    assert InBedder.load(tmp_path / "run").random_state == 3


def test_doubts_are_pythons_warnings(make):
    with pytest.warns(UserWarning, match=r"truncated to fit 40 tokens \(max_tokens\)"):
        make(max_tokens=40).fit([*TEXTS, "word " * 100])
    with pytest.warns(UserWarning, match="no text answers the question"):
        make(min_confidence=1).fit(TEXTS)


def test_messages_name_parameters(make, capsys):
    make(verbose=True, baseline=True).fit(TEXTS)
    printed = capsys.readouterr().err
    assert "baseline=False" in printed
    assert "--no-baseline" not in printed


def test_a_loaded_estimator_reads_files_as_those_of_its_run(make, tmp_path):
    import pandas as pd

    frame = pd.DataFrame({"title": TEXTS, "review": TEXTS[::-1]})
    made = make(text_template="{title}, {review}", empty="keep").fit(frame)
    frame.to_csv(tmp_path / "reviews.csv", index=False)
    made.save(tmp_path / "run")
    loaded = InBedder.load(tmp_path / "run", device="cpu")
    assert (loaded.text_template, loaded.empty) == ("{title}, {review}", "keep")
    for rows in (frame, tmp_path / "reviews.csv"):
        np.testing.assert_array_equal(loaded.predict(rows), made.labels_)


def test_rows_without_a_finite_vector_are_told():
    class Overflowing(KeywordEncoder):
        def encode_batches(self, texts, *arguments, **options):
            for batch in super().encode_batches(texts, *arguments, **options):
                yield {
                    text: row._replace(vector=row.vector * np.nan) if "cold" in text else row
                    for text, row in batch.items()
                }

    texts = [f"The room {i} was {('cold', 'kind', 'loud')[i % 3]}." for i in range(12)]
    model = InBedder("Why?", n_clusters=2, model=Overflowing(), baseline=False)
    with pytest.warns(UserWarning, match="4 rows without a finite vector"):
        model.fit(texts)
    with pytest.warns(UserWarning, match="1 row without a finite vector"):
        model.predict(["It was cold.", "It was kind."])


def test_a_long_text_is_no_file():
    with pytest.raises(InputError, match="there is no file") as raised:
        InBedder("Why?").fit("The hotel was fine. " * 30)
    assert "pass a list" in raised.value.hint
