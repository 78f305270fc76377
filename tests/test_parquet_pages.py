"""The headers of pages say how large these are, whatever the footer says."""

from __future__ import annotations

import io
from itertools import product

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli import read_corpus
from inbedder_cli.errors import InputError
from inbedder_cli.parquet_pages import unpacked_bytes
from inbedder_cli.untrusted import parquet_batches

ROWS = 900
TABLE = pa.table(
    {
        "text": [None if i % 7 == 0 else "word " * (i % 40) for i in range(ROWS)],
        "number": range(ROWS),
        "list": [[1] * (i % 4) for i in range(ROWS)],
        "nested": [{"x": float(i), "y": None} for i in range(ROWS)],
        "is_even": [i % 2 == 0 for i in range(ROWS)],
    }
)


def written(**options):
    stream = io.BytesIO()
    pq.write_table(TABLE, stream, row_group_size=250, data_page_size=1000, **options)
    return stream


def declared(metadata):
    chunks = product(range(metadata.num_row_groups), range(metadata.num_columns))
    return [metadata.row_group(group).column(column) for group, column in chunks]


@pytest.mark.parametrize("codec", ["none", "snappy", "zstd", "gzip", "brotli", "lz4"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("flag", [True, False])
def test_headers_and_an_honest_footer_say_the_same(codec, version, flag):
    stream = written(
        compression=codec,
        data_page_version=version,
        use_dictionary=flag,
        write_statistics=flag,
        write_page_checksum=not flag,
        write_page_index=flag,
    )
    metadata = pq.ParquetFile(stream).metadata
    chunks = declared(metadata)
    found, said = unpacked_bytes(stream, metadata), sum(chunk.total_uncompressed_size for chunk in chunks)
    assert said - 100 * 60 * len(chunks) < found <= said  # the footer counts the headers, too
    assert found > said / 2


def test_a_header_with_long_statistics_is_read_whole():
    stream = io.BytesIO()
    pq.write_table(pa.table({"text": ["a" * 5000, "b" * 5000]}), stream, compression="none", use_dictionary=False)
    metadata = pq.ParquetFile(stream).metadata
    found = unpacked_bytes(stream, metadata)
    assert 10_000 <= found <= declared(metadata)[0].total_uncompressed_size


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_damaged_headers_are_an_error_of_arrow_or_sizes(data):
    stream = written()
    metadata = pq.ParquetFile(stream).metadata
    content = bytearray(stream.getvalue())
    start = data.draw(st.sampled_from([chunk.data_page_offset for chunk in declared(metadata)]))
    new = data.draw(st.binary(min_size=1, max_size=40))
    content[start : start + len(new)] = new
    try:
        assert unpacked_bytes(io.BytesIO(content), metadata) >= 0
    except pa.ArrowInvalid:
        pass


def test_a_page_of_much_more_than_the_file_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "bomb.parquet"
    size = 110_000_000
    table = pa.table({"text": ["a" * size]})
    pq.write_table(table, path, compression="zstd", use_dictionary=False, write_statistics=False)
    content = path.read_bytes()
    (said,) = (chunk.total_uncompressed_size for chunk in declared(pq.ParquetFile(path).metadata))
    honest, small = encode(2 * said), encode(2 * 1000)
    small = small[:-1] + bytes([small[-1] | 128]) + b"\x80" * (len(honest) - len(small) - 1) + b"\x00"
    assert content.count(honest) == 2  # of the column and of its group
    lie = content.replace(honest, small)
    path.write_bytes(lie)
    assert [chunk.total_uncompressed_size for chunk in declared(pq.ParquetFile(path).metadata)] == [1000]
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", None)
    with pytest.raises(InputError, match="unpacks from"):
        read_corpus(path, text="text")
    with pytest.raises(InputError, match="becomes more than"):
        list(parquet_batches(path, ["text"]))


def encode(number):
    """Thrift's variable length: seven bits a byte, the least first."""
    digits = []
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])
