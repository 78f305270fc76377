"""Frames, series, arrays, lists and Arrow tables become the same corpus as a file with their rows."""

from __future__ import annotations

import datetime
import decimal
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli import read_corpus
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import EmptyTexts
from inbedder_cli.output.cells import rows_as_json, rows_as_text, with_typed_columns

TEXTS = ["The room was cold.", " Lovely breakfast! ", "5"]
STRIPPED = ["The room was cold.", "Lovely breakfast!", "5"]
CELLS = st.one_of(
    st.text(max_size=8), st.sampled_from([None, float("nan"), pd.NA, pd.NaT, np.float32("nan"), "42"])
)
LABELS = st.lists(st.integers(-9, 9) | st.text(max_size=2), min_size=1, max_size=8)
QUICK = settings(deadline=None, max_examples=60)


def expected(cell: object) -> str:
    return cell.encode("utf-8", "replace").decode().strip() if isinstance(cell, str) else ""


def series(values=TEXTS, **options):
    return pd.Series(values, dtype=options.pop("dtype", "str"), **options)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (TEXTS, "list"),
        (tuple(TEXTS), "tuple"),
        (np.array(TEXTS), "ndarray"),
        (np.array(TEXTS, object), "ndarray"),
        (series(), "Series"),
        (series(dtype=object), "Series"),
        (series(dtype="string"), "Series"),
        (series(dtype="category"), "Series"),
        (series(name=7), "Series"),
        (pd.Index(TEXTS), "Index"),
        (series().array, None),
        (pa.array(TEXTS), "StringArray"),
        (pa.chunked_array([TEXTS[:1], TEXTS[1:]]), "ChunkedArray"),
        (pd.DataFrame({"text": TEXTS}), "DataFrame"),
        (pa.table({"text": TEXTS}), "Arrow table"),
        (pa.record_batch({"text": TEXTS}), "Arrow table"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_texts_are_taken_from_every_kind_of_object(source, name):
    corpus = read_corpus(source)
    assert corpus.texts == STRIPPED
    assert name in (corpus.source, None)
    assert corpus.table.num_columns == 1
    assert corpus.table.column(0).to_pylist() == TEXTS


def test_a_path_object_is_a_path(reviews):
    assert read_corpus(reviews).texts == read_corpus(str(reviews)).texts
    assert read_corpus(reviews).source == str(reviews)


@QUICK
@given(st.lists(CELLS, min_size=1, max_size=8).filter(lambda cells: any(map(expected, cells))))
def test_texts_come_out_as_they_went_in_stripped_and_in_order(cells):
    texts = [expected(cell) for cell in cells]
    for source in (cells, tuple(cells), np.array(cells, object), pd.Series(cells, dtype=object)):
        corpus = read_corpus(source)
        assert corpus.texts == texts
        assert corpus.readable == [i for i, text in enumerate(texts) if text]
    frame = pd.DataFrame({"n": range(len(cells)), "body": pd.Series(cells, dtype=object)})
    corpus = read_corpus(frame, text="body")
    assert corpus.texts == texts
    assert corpus.table.column("n").to_pylist() == list(range(len(cells)))


@QUICK
@given(LABELS, st.randoms(use_true_random=False))
def test_the_index_is_kept_and_names_the_rows(labels, random):
    texts = [f"text {i}" for i in range(len(labels))]
    index = pd.Index(labels, dtype=object, name="key")
    limit = random.randint(1, len(labels))
    for source in (pd.Series(texts, index=index), pd.DataFrame({"text": texts}, index=index)):
        corpus = read_corpus(source)
        assert corpus.index.equals(index)
        assert corpus.index.name == "key"
        assert corpus.ids == [str(label) for label in labels]
        assert read_corpus(source, limit=limit).index.equals(index[:limit])
        sample = read_corpus(source, sample=limit, seed=3)
        kept = [int(text.removeprefix("text ")) for text in sample.texts]
        assert sample.index.equals(index[kept])
        assert sample.ids == [str(labels[i]) for i in kept]


def test_a_list_or_a_file_has_no_index_and_an_id_column_goes_before_one(reviews):
    assert read_corpus(TEXTS).index is None
    assert read_corpus(TEXTS).ids == ["1", "2", "3"]
    assert read_corpus(reviews).index is None
    frame = pd.DataFrame({"key": ["a", "b"], "text": ["good day", "bad day"]}, index=[7, 8])
    assert read_corpus(frame, id_column="key").ids == ["a", "b"]
    assert read_corpus(frame.set_index("key"), id_column="key").ids == ["a", "b"]
    with pytest.raises(InputError, match='no column "0"'):
        read_corpus(frame, id_column=0)
    frame.index = pd.MultiIndex.from_tuples([("x", 1), ("y", 2)])
    assert read_corpus(frame).ids == ["('x', 1)", "('y', 2)"]


def test_columns_of_a_frame_stay_in_order_and_of_their_types():
    frame = pd.DataFrame(
        {
            "stars": [5, 1],
            "price": [1.5, float("nan")],
            "when": pd.to_datetime(["2024-01-05", None]),
            "sure": [True, False],
            "kind": pd.Categorical(["a", None]),
            "cost": [decimal.Decimal("1.50"), None],
            "tags": [["x"], []],
            "text": ["good day", "bad day"],
        }
    )
    corpus = read_corpus(frame)
    assert corpus.text_columns == ("text",)
    assert corpus.table.column_names == list(frame.columns)
    assert corpus.table.to_pylist() == [
        {
            "stars": 5,
            "price": 1.5,
            "when": datetime.datetime(2024, 1, 5),
            "sure": True,
            "kind": "a",
            "cost": decimal.Decimal("1.50"),
            "tags": ["x"],
            "text": "good day",
        },
        {
            "stars": 1,
            "price": None,
            "when": None,
            "sure": False,
            "kind": None,
            "cost": None,
            "tags": [],
            "text": "bad day",
        },
    ]


def test_columns_without_an_arrow_type_are_kept_and_can_be_written(tmp_path):
    loop: list[object] = []
    loop.append(loop)
    frame = pd.DataFrame(
        {
            "text": ["good day", "bad day", "no day"],
            "mixed": [1, "x", None],
            "huge": [2**70, 1, float("nan")],
            "numpy": [np.int64(7), "x", np.array([1.0, np.nan])],
            "month": pd.period_range("2024-01", periods=3, freq="M"),
            "span": pd.interval_range(0, 3),
            "complex": [1j, 2j, 3j],
            "bins": pd.cut([1, 2, 3], 3, labels=None),
            "class": [int, {("a", 1): 2}, loop],
            "half": pd.Series(["\ud800", "a", pd.NA], dtype=object),
        }
    )
    corpus = read_corpus(frame)
    cells = list(zip(*rows_as_text(corpus.table), strict=True))
    assert cells[1] == ("1", "x", "")
    assert cells[2] == (str(2**70), "1", "")
    assert cells[3] == ("7", "x", "[1.0, null]")
    assert cells[4] == ("2024-01", "2024-02", "2024-03")
    assert cells[5][0] == "(0, 1]"
    assert cells[6][0] == "1j"
    assert cells[7] == ("(0.998, 1.667]", "(1.667, 2.333]", "(2.333, 3.0]")
    assert cells[8] == ("<class 'int'>", "{('a', 1): 2}", "[[...]]")
    assert '"mixed": null' in list(rows_as_json(corpus.table))[2]
    pq.write_table(with_typed_columns(corpus.table), tmp_path / "x.parquet")
    again = read_corpus(tmp_path / "x.parquet").table
    assert again.column_names == list(frame.columns)
    assert again.column("month").to_pylist() == ["2024-01", "2024-02", "2024-03"]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (5, r"a number \(5\)"),
        (np.int64(5), r"a number \(5\)"),
        (1.5, r"a number \(1\.5\)"),
        (decimal.Decimal("1.50"), r"a number \(1\.50\)"),
        (True, r"a truth value \(True\)"),
        (np.True_, r"a truth value \(True\)"),
        (datetime.date(2024, 1, 5), r"a date or time \(2024-01-05\)"),
        (pd.Timestamp("2024-01-05"), r"a date or time \(2024-01-05 00:00:00\)"),
        (["good", "day"], "a list or object"),
        ({"text": "good"}, "a list or object"),
        (np.array(["good", "day"]), "a ndarray"),
        (b"good day", "bytes"),
        (int, "a type"),
    ],
    ids=str,
)
def test_a_value_that_is_no_text_is_refused_with_its_row(value, kind):
    values = ["good day", None, value, "bad day"]
    with pytest.raises(InputError, match=f"^list, row 3: holds {kind}, not text") as caught:
        read_corpus(values)
    assert ("decode()" if isinstance(value, bytes) else "str()") in caught.value.hint
    column = pd.Series([*values], dtype=object, index=[4, 5, 6, 7])
    with pytest.raises(InputError, match=f"^Series, row 3: holds {kind}, not text"):
        read_corpus(column)
    with pytest.raises(InputError, match=f'^DataFrame, row 3, column "body": holds {kind}, not text') as caught:
        read_corpus(pd.DataFrame({"body": column, "n": 1}), text="body")
    assert caught.value.hint == "name a column of texts with text=; columns: body, n"
    assert len(read_corpus(pd.DataFrame({"body": column}), text="body", limit=2)) == 2


@pytest.mark.parametrize("column", [[5, 1], [1.5, np.nan], [True, False], pd.to_datetime(["2024-01-05"] * 2)])
def test_a_column_of_numbers_or_dates_is_no_text(column):
    with pytest.raises(InputError, match=r"row 1: holds a (number|truth value|date or time) \("):
        read_corpus(pd.Series(column))
    frame = pd.DataFrame({"stars": column, "review": ["good day", "bad day"]})
    with pytest.raises(InputError, match=r'row 1, column "stars": holds a'):
        read_corpus(frame, text="stars")
    with pytest.raises(InputError, match=r'row 1, column "stars": holds a'):
        read_corpus(frame, text=["review", "stars"])
    assert read_corpus(frame).text_columns == ("review",)
    assert read_corpus(frame, text_template="{stars}: {review}").texts[0].endswith(": good day")


def test_texts_that_look_like_numbers_are_texts_where_they_were_chosen():
    assert read_corpus(["42"]).texts == ["42"]
    assert read_corpus(pd.Series(["true"])).texts == ["true"]
    assert read_corpus(pd.DataFrame({"n": ["42"]}), text="n").texts == ["42"]
    with pytest.raises(InputError, match="no text column found"):
        read_corpus(pd.DataFrame({"n": ["42"]}))


def test_column_names_become_strings():
    frame = pd.DataFrame([["good day", 1, 3], ["bad day", 2, 4]], columns=pd.Index([0, 1.5, None], dtype=object))
    assert read_corpus(frame, text="0").table.column_names == ["0", "1.5", "None"]
    assert read_corpus(frame, text=0).texts == ["good day", "bad day"]
    assert read_corpus(frame, text=[0]).text_columns == ("0",)


def test_several_columns_or_a_template_make_the_texts_of_a_frame():
    frame = pd.DataFrame({"title": ["Cold", None], "body": ["room", "Good day"], "stars": [1, 5]})
    assert read_corpus(frame, text=["title", "body"]).texts == ["Cold\nroom", "Good day"]
    assert read_corpus(frame, text_template="{title}: {body} ({stars})").texts[0] == "Cold: room (1)"
    table = pa.Table.from_pandas(frame, preserve_index=False)
    assert read_corpus(table, text=["title", "body"]).texts == ["Cold\nroom", "Good day"]
    assert read_corpus(table, text="body", limit=1).texts == ["room"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (pd.DataFrame([["a b", "c d"]], columns=["text", "text"]), 'the header has "text" more than once'),
        (pd.DataFrame([["a b", "c d"]], columns=["1", 1]), 'the header has "1" more than once'),
        (pa.table([["a b"], ["c d"]], names=["text", "text"]), 'the header has "text" more than once'),
        (pd.DataFrame([["a b"]], columns=pd.MultiIndex.from_tuples([("x", "text")])), "several levels"),
        (pd.DataFrame(), "has no columns"),
        (pd.DataFrame(index=[1, 2]), "has no columns"),
        (pd.DataFrame({"text": []}), "has columns but no rows"),
        (pa.table({"text": pa.array([], pa.string())}), "has columns but no rows"),
        ([], "has no rows"),
        (pd.Series([], dtype=str), "has no rows"),
        ([None, "", " \n"], "all texts are empty"),
        (pd.Series([np.nan, np.nan]), "all texts are empty"),
        (np.array([["a", "b"], ["c", "d"]]), "has 2 dimensions instead of one"),
        (np.array("a"), "has 0 dimensions instead of one"),
        (pd.DataFrame({"left": ["a b"], "right": ["c d"]}), "more than one column could be the text"),
    ],
)
def test_what_holds_no_clear_texts_is_refused(source, message):
    with pytest.raises(InputError, match=message) as caught:
        read_corpus(source)
    assert caught.value.hint
    assert "--" not in caught.value.hint


@pytest.mark.parametrize(
    "source", [b"good day", {"a": 1}, {"a", "b"}, 5, None, iter(["a"]), (x for x in "ab"), object()]
)
def test_other_objects_are_refused_with_what_is_taken(source):
    with pytest.raises(UsageError, match="cannot take texts from an object of type") as caught:
        read_corpus(source)
    assert "DataFrame" in caught.value.hint


def test_an_unknown_column_of_a_frame_is_named_with_the_nearest():
    with pytest.raises(InputError, match=r'^DataFrame: no column "txt"') as caught:
        read_corpus(pd.DataFrame({"text": TEXTS, "n": 1}), text="txt")
    assert caught.value.hint == 'did you mean "text"? columns: text, n'


@pytest.mark.parametrize("options", [{"text": "body"}, {"text_template": "{text}"}, {"id_column": "id"}])
def test_a_list_has_no_columns(options):
    for source in (TEXTS, series(), np.array(TEXTS)):
        with pytest.raises(UsageError, match="has no columns to choose from"):
            read_corpus(source, **options)
    assert read_corpus(series(name="body"), text="body").text_columns == ("body",)


@pytest.mark.parametrize("options", [{"input_format": "csv"}, {"delimiter": ";"}, {"encoding": "utf-8"}])
def test_options_of_files_are_refused_for_objects(options):
    with pytest.raises(UsageError, match=f"{next(iter(options))} is for files, not for a list"):
        read_corpus(TEXTS, **options)


def test_rows_without_text_are_treated_as_those_of_files():
    assert read_corpus(["a", None]).readable == [0]
    assert read_corpus(["a", None], empty="keep").readable == [0, 1]
    with pytest.raises(InputError, match="row 2") as caught:
        read_corpus(["a", None], empty=EmptyTexts.fail)
    assert caught.value.hint == 'leave out empty="fail" to skip such rows'
    with pytest.raises(UsageError, match='unknown treatment of empty texts "drop"'):
        read_corpus(["a"], empty="drop")


def test_a_corpus_shows_itself_in_one_line_and_can_be_compared():
    frame = pd.DataFrame({"text": ["good day", None], "n": [1, 2]}, index=[3, 4])
    assert repr(read_corpus(frame)) == "<Corpus DataFrame: 2 rows, 1 with text in text>"
    assert read_corpus(frame) == read_corpus(frame)
    assert read_corpus(frame) != read_corpus(frame, text="text", limit=1)


def test_the_object_that_came_in_is_not_changed():
    frame = pd.DataFrame({0: [" a ", " b "], "mixed": [1, "x"]}, index=[3, 4])
    before = frame.copy()
    read_corpus(frame, text="0", sample=1)
    pd.testing.assert_frame_equal(frame, before)


def test_the_reader_imports_no_library_before_it_needs_it():
    code = (
        "import sys, inbedder_cli.corpus, inbedder_cli.corpus.in_memory; "
        "sys.exit(len({'pandas', 'numpy', 'pyarrow', 'sklearn', 'torch'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
