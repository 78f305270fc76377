"""Vectors on disk: what was written is read again, and nothing else is."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors import safe_open
from safetensors.numpy import save_file

from inbedder_cli.corpus import Corpus
from inbedder_cli.embeddings import Embeddings, RowStatus
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.output.vectors import (
    VECTOR_FORMATS,
    StoredVectors,
    VectorFormat,
    read_vectors,
    vector_format,
    write_vectors,
)

few_examples = settings(deadline=None, max_examples=30)
READABLE = [".parquet", ".npy", ".safetensors"]
NAN = float("nan")
VECTORS = np.array([[1, -2.5, 3e-7], [NAN, NAN, NAN], [0.1, 1e20, -0.0], [NAN, NAN, NAN]], np.float32)
ANSWERS = ["joy ☺", None, "", None]


def corpus_of(texts, *, keep_empty=False):
    ids = [f"r{i}" for i in range(len(texts))]
    table = pa.table({"id": ids, "text": texts})
    return Corpus("reviews.csv", table, list(texts), ids, ("text",), keep_empty=keep_empty)


CONFIDENCES = np.array([0.5, NAN, 0.125, NAN], np.float32)


def embedding_of(vectors, answers=None):
    status = [RowStatus.ok if np.isfinite(v).all() else RowStatus.empty for v in vectors]
    return Embeddings(vectors, answers, status, confidences=CONFIDENCES if len(vectors) == 4 and answers else None)


def written(suffix, corpus, embedding):
    stream = io.BytesIO()
    vector_format(suffix).write(corpus, embedding, stream)
    return stream.getvalue()


@pytest.fixture
def corpus():
    return corpus_of(["Lovely.", "", "Cold room.", ""])


@pytest.fixture
def saved(tmp_path, corpus):
    """Save the sample vectors under a suffix and return the path."""

    def save(suffix, vectors=VECTORS, answers=ANSWERS):
        path = tmp_path / f"vectors{suffix}"
        path.write_bytes(written(suffix, corpus, embedding_of(vectors, answers)))
        return str(path)

    return save


@pytest.mark.parametrize("suffix", READABLE)
def test_vectors_come_back_as_they_were_with_empty_rows(saved, corpus, suffix):
    found = read_vectors(saved(suffix), corpus)
    assert found.vectors.dtype == np.float32
    np.testing.assert_array_equal(found.vectors, VECTORS)
    assert found.status == [RowStatus.ok, RowStatus.empty, RowStatus.ok, RowStatus.empty]
    assert found.answers == (ANSWERS if suffix == ".parquet" else None)
    if suffix == ".parquet":
        np.testing.assert_array_equal(found.confidences, CONFIDENCES)


def test_an_upper_case_suffix_is_read_too(saved, corpus, tmp_path):
    path = tmp_path / "V.NPY"
    Path(saved(".npy")).rename(path)
    np.testing.assert_array_equal(read_vectors(str(path), corpus).vectors, VECTORS)


@few_examples
@given(
    vectors=arrays(np.float32, (3, 4), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)),
    suffix=st.sampled_from(READABLE),
)
def test_every_number_comes_back_exactly(tmp_path_factory, vectors, suffix):
    corpus = corpus_of(["a", "b", "c"])
    path = tmp_path_factory.mktemp("vectors") / f"v{suffix}"
    path.write_bytes(written(suffix, corpus, embedding_of(vectors)))
    assert read_vectors(str(path), corpus).vectors.tobytes() == vectors.tobytes()


def test_json_lines_hold_one_record_a_row_and_null_for_empty_rows(corpus):
    lines = written(".jsonl", corpus, embedding_of(VECTORS, ANSWERS)).decode().splitlines()
    records = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert [list(r) for r in records] == [["schema", "id", "status", "answer", "confidence", "vector"]] * 4
    assert [r["schema"] for r in records] == [1] * 4
    assert [r["id"] for r in records] == corpus.ids
    assert [r["status"] for r in records] == ["ok", "empty", "ok", "empty"]
    assert [r["answer"] for r in records] == ANSWERS
    assert [r["confidence"] for r in records] == [0.5, None, 0.125, None]
    assert records[1]["vector"] is records[3]["vector"] is None
    np.testing.assert_allclose(records[0]["vector"], VECTORS[0])
    np.testing.assert_allclose(records[2]["vector"], VECTORS[2])


def test_json_lines_hold_every_number_exactly():
    """A float32 needs up to nine digits."""
    vectors = np.random.default_rng(0).normal(size=(20, 100)).astype(np.float32)
    lines = written(".jsonl", corpus_of(["x"] * 20), embedding_of(vectors)).splitlines()
    read = np.array([json.loads(line)["vector"] for line in lines], np.float32)
    np.testing.assert_array_equal(read, vectors)


def test_a_parquet_file_names_its_rows_and_its_schema(saved, corpus):
    table = pq.read_table(saved(".parquet"))
    assert table.column_names == ["id", "status", "answer", "confidence", "vector"]
    assert table.column("id").to_pylist() == corpus.ids
    assert table.column("answer").to_pylist() == ANSWERS
    assert table.column("vector").null_count == 2
    assert table.schema.metadata[b"inbedder.schema"] == b"1"


def test_npy_and_safetensors_mark_empty_rows_by_nan_alone(saved):
    assert np.isnan(np.load(saved(".npy"), allow_pickle=False)[[1, 3]]).all()
    with safe_open(saved(".safetensors"), "np") as file:
        assert list(file.keys()) == ["vectors"]
        assert file.metadata()["inbedder.schema"] == "1"
        assert np.isnan(file.get_tensor("vectors")[[1, 3]]).all()


def test_a_failed_row_is_null_too():
    corpus = corpus_of(["a", "b"])
    vectors = np.array([[1, 2], [3, np.inf]], np.float32)
    embedding = Embeddings(vectors, None, [RowStatus.ok, RowStatus.failed])
    table = pq.read_table(io.BytesIO(written(".parquet", corpus, embedding)))
    assert table.column("vector").to_pylist() == [[1, 2], None]
    record = json.loads(written(".jsonl", corpus, embedding).splitlines()[1])
    assert (record["status"], record["vector"]) == ("failed", None)


def test_parquet_without_answers_has_none(saved, corpus):
    assert read_vectors(saved(".parquet", answers=None), corpus).answers is None


@pytest.mark.parametrize("suffix", [".csv", "", ".pkl", ".npz"])
def test_no_other_format_is_written_or_read(tmp_path, corpus, suffix):
    with pytest.raises(UsageError, match="suffix"):
        write_vectors(tmp_path / f"new{suffix}", corpus, embedding_of(VECTORS))
    path = tmp_path / f"vectors{suffix}"
    path.write_bytes(b"1,2")
    with pytest.raises(InputError, match="suffix") as caught:
        read_vectors(str(path), corpus)
    assert ".parquet, .npy or .safetensors" in caught.value.hint


def test_a_missing_file_is_an_input_error(tmp_path, corpus):
    with pytest.raises(InputError, match=r"gone\.npy: no such file") as caught:
        read_vectors(str(tmp_path / "gone.npy"), corpus)
    assert "inbedder embed" in caught.value.hint


@pytest.mark.parametrize("suffix", READABLE)
def test_another_number_of_rows_is_an_input_error(saved, suffix):
    path = saved(suffix)
    with pytest.raises(InputError, match=r"4 vectors for 5 rows of reviews\.csv"):
        read_vectors(path, corpus_of(["a", "", "c", "", "e"]))
    with pytest.raises(InputError, match="4 vectors for 3 rows"):
        read_vectors(path, corpus_of(["a", "", "c"]))


@pytest.mark.parametrize("suffix", READABLE)
@pytest.mark.parametrize("bad", [NAN, np.inf, -np.inf])
def test_a_row_with_text_needs_a_finite_vector(saved, corpus, suffix, bad):
    vectors = VECTORS.copy()
    vectors[2, 1] = bad
    with pytest.raises(InputError, match="row 3: not a finite vector, but the row has a text"):
        read_vectors(saved(suffix, vectors), corpus)


@pytest.mark.parametrize("suffix", READABLE)
def test_a_file_without_any_vector_is_an_input_error(saved, corpus, suffix):
    with pytest.raises(InputError):
        read_vectors(saved(suffix, np.full((4, 3), np.nan, np.float32)), corpus)


def test_a_row_without_text_is_empty_whatever_its_vector(saved, corpus):
    found = read_vectors(saved(".npy", np.ones((4, 3), np.float32)), corpus)
    assert found.status == [RowStatus.ok, RowStatus.empty, RowStatus.ok, RowStatus.empty]


def test_rows_without_text_need_a_vector_where_they_are_kept(saved):
    kept = corpus_of(["a", "", "c", ""], keep_empty=True)
    assert read_vectors(saved(".npy", np.ones((4, 3), np.float32)), kept).status == [RowStatus.ok] * 4
    with pytest.raises(InputError, match="row 2"):
        read_vectors(saved(".npy"), kept)


@pytest.mark.parametrize("suffix", READABLE)
@pytest.mark.parametrize("damage", ["garbage", "empty", "cut"])
def test_a_damaged_file_is_an_input_error(saved, corpus, suffix, damage):
    path = Path(saved(suffix))
    whole = path.read_bytes()
    path.write_bytes({"garbage": b"what is this", "empty": b"", "cut": whole[:-9]}[damage])
    with pytest.raises(InputError, match=f"vectors{suffix}: cannot be read as vectors"):
        read_vectors(str(path), corpus)


def test_a_file_of_another_kind_under_a_known_suffix_is_an_input_error(tmp_path, corpus):
    for suffix in READABLE:
        pq.write_table(pa.table({"other": [1, 2, 3, 4]}), tmp_path / f"x{suffix}")
        with pytest.raises(InputError, match="cannot be read as vectors"):
            read_vectors(str(tmp_path / f"x{suffix}"), corpus)


def test_an_archive_of_arrays_under_the_suffix_npy_is_an_input_error(tmp_path, corpus):
    path = tmp_path / "vectors.npy"
    with path.open("wb") as stream:
        np.savez(stream, vectors=VECTORS)
    with pytest.raises(InputError):
        read_vectors(str(path), corpus)


def test_tensors_of_another_name_are_an_input_error(tmp_path, corpus):
    save_file({"weights": VECTORS}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match="cannot be read as vectors"):
        read_vectors(str(tmp_path / "x.safetensors"), corpus)


@pytest.mark.parametrize("third", [[1.0], [1.0, 2.0, 3.0], []])
def test_vectors_of_different_lengths_are_an_input_error(tmp_path, corpus, third):
    """Also where one holds a single number, which numpy would repeat."""
    pq.write_table(pa.table({"vector": [[1.0, 2.0], None, third, None]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match="cannot be read as vectors"):
        read_vectors(str(tmp_path / "x.parquet"), corpus)


@pytest.mark.parametrize(
    "array", [np.ones(4, np.float32), np.ones((4, 2), int), np.ones((4, 2, 2)), np.float32(1)]
)
def test_anything_but_rows_of_numbers_is_an_input_error(tmp_path, corpus, array):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(InputError, match="not rows of numbers"):
        read_vectors(str(tmp_path / "x.npy"), corpus)


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_other_floats_are_read_as_float32(tmp_path, corpus, kind):
    np.save(tmp_path / "x.npy", np.array([[0.5], [np.nan], [-2], [np.nan]], kind))
    found = read_vectors(str(tmp_path / "x.npy"), corpus).vectors
    assert found.dtype == np.float32
    assert found[[0, 2], 0].tolist() == [0.5, -2]


def touching(path):
    """Return an object whose unpickling makes the file."""

    class Touch:
        def __reduce__(self):
            return Path.touch, (path,)

    return Touch()


def test_no_pickle_is_ever_loaded(tmp_path, corpus):
    trace = tmp_path / "executed"
    objects, plain = tmp_path / "objects.npy", tmp_path / "plain.npy"
    np.save(objects, np.array([touching(trace)], dtype=object), allow_pickle=True)
    plain.write_bytes(pickle.dumps(touching(trace)))
    for path in (objects, plain):
        with pytest.raises(InputError, match="cannot be read as vectors"):
            read_vectors(str(path), corpus)
    assert not trace.exists()


def test_no_pickle_is_ever_written(tmp_path, corpus):
    vectors = np.array([[object()]] * 4, dtype=object)
    with pytest.raises(ValueError, match="pickle"):
        write_vectors(tmp_path / "v.npy", corpus, Embeddings(vectors, None, [RowStatus.ok] * 4))
    assert not list(tmp_path.iterdir())


def test_a_registered_format_is_written_and_read(tmp_path, corpus):
    def write(corpus, embedding, stream):
        np.savetxt(stream, embedding.vectors)

    VECTOR_FORMATS.register(".txt", VectorFormat(write, lambda file: StoredVectors(np.loadtxt(file))))
    try:
        path = tmp_path / "x.txt"
        path.write_bytes(written(".TXT", corpus, embedding_of(VECTORS)))
        np.testing.assert_array_equal(read_vectors(str(path), corpus).vectors, VECTORS)
        path.write_text("no numbers")
        with pytest.raises(InputError, match="cannot be read as vectors"):
            read_vectors(str(path), corpus)
    finally:
        VECTOR_FORMATS.unregister(".txt")


def test_a_row_that_failed_is_still_failed(tmp_path, corpus):
    vectors = VECTORS.copy()
    vectors[2] = np.nan
    statuses = [RowStatus.ok, RowStatus.empty, RowStatus.failed, RowStatus.empty]
    write_vectors(tmp_path / "v.parquet", corpus, Embeddings(vectors, ANSWERS, statuses))
    assert read_vectors(tmp_path / "v.parquet", corpus).status == statuses
    write_vectors(tmp_path / "v.npy", corpus, Embeddings(vectors, ANSWERS, statuses))
    with pytest.raises(InputError, match="row 3: not a finite vector"):
        read_vectors(tmp_path / "v.npy", corpus)
