"""Files of vectors that somebody else made, or a disk damaged: one line, exit code 5, at once."""

from __future__ import annotations

import io
import os
import pickle
import resource
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

N = 4


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("text\n" + "".join(f"text {i} room\n" for i in range(N)))
    return path


@pytest.fixture
def refused(inbedder, texts):
    """Check that a file of vectors is refused with one line and little memory, and return the line."""

    def check(path):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        result = inbedder("cluster", texts, "--vectors", path, "-k", "2", "--quiet")
        assert result.exit_code == 5, (result.stderr, result.stdout)
        assert result.stdout == ""
        assert len(result.stderr.splitlines()) <= 2
        assert len(result.stderr) < 1500
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000  # KB
        return result.stderr.splitlines()[0]

    return check


def header(shape, dtype="'<f4'"):
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + b"\0" * 64


def npz():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("vectors.npy", header((N, 4)))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".npy", b""),
        (".npy", pickle.dumps([1.0])),
        (".npy", header((N, 4), "'|O'") + pickle.dumps([1.0])),
        (".npy", header((N, 10**12))),
        (".npy", header((10**18, 10**18))),
        (".npy", header((-1, 4))),
        (".npy", header((N,))),
        (".npy", header((N, 4), "'<U16'")),
        (".npy", header((N, 4), "'<i4'")),
        (".npy", header((N, 4), "[('a', '<f4')]")),
        (".npy", header((N + 1, 2))),
        (".npy", header("__import__('os')")),
        (".npy", header("(" * 100)),
        (".npy", b"\x93NUMPY\x02\x00" + b"\xff" * 100),
        (".npy", npz()),
        (".safetensors", b""),
        (".safetensors", b"\xff" * 50),
        (".safetensors", save({"other": np.zeros((N, 4), np.float32)})),
        (".safetensors", save({"vectors": np.zeros((N, 4), np.int8)})),
        (".safetensors", save({"vectors": np.zeros(N, np.float32)})),
        (".safetensors", save({"vectors": np.ones((N, 4), np.float32)}, {"inbedder.schema": "2"})),
        (".safetensors", save({"vectors": np.ones((N, 4), np.float32)}, {"inbedder.texts_sha256": "../../etc"})),
        (".parquet", b"PAR1" + b"\xff" * 50 + b"PAR1"),
        (".parquet", pickle.dumps([1.0])),
    ],
)
def test_what_is_no_file_of_vectors(refused, tmp_path, suffix, content):
    path = tmp_path / f"vectors{suffix}"
    path.write_bytes(content)
    assert str(path) in refused(path)


@pytest.mark.parametrize(
    "columns",
    [
        {"other": [1.0] * N},
        {"vector": [1.0] * N},
        {"vector": [["a"]] * N},
        {"vector": [[1.0], [1.0, 2.0], [1.0], [1.0]]},
        {"vector": [[1.0, None]] * N},
        {"vector": [None] * N},
        {"vector": [[1.0]] * N, "answer": [1] * N},
        {"vector": [[1.0]] * N, "answer": ["a"] * N, "confidence": ["high"] * N},
        {"vector": [[1.0]] * (N + 1)},
    ],
)
def test_parquet_of_another_kind(refused, tmp_path, columns):
    pq.write_table(pa.table(columns), tmp_path / "vectors.parquet")
    refused(tmp_path / "vectors.parquet")


def test_parquet_that_becomes_gigabytes(refused, tmp_path):
    values = pa.array(np.zeros(500_000, np.float32))
    vectors = pa.FixedSizeListArray.from_arrays(values, 500_000).take(pa.array([0] * 40))
    pq.write_table(pa.table({"vector": vectors}), tmp_path / "vectors.parquet", compression="zstd")
    assert (tmp_path / "vectors.parquet").stat().st_size < 100_000
    assert "becomes more than" in refused(tmp_path / "vectors.parquet")


def test_what_is_no_file(refused, tmp_path):
    os.mkfifo(tmp_path / "pipe.npy")
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "zero.npy").symlink_to("/dev/zero")
    (tmp_path / "loop.npy").symlink_to("loop.npy")
    for name in ("pipe.npy", "folder.npy", "zero.npy"):
        assert "is not a regular file" in refused(tmp_path / name)
    for path in (tmp_path / "loop.npy", tmp_path / ("x" * 300 + ".npy"), tmp_path / "none.npy", "/dev/zero"):
        refused(path)
    with (tmp_path / "sparse.npy").open("wb") as stream:
        stream.write(header((N, 2**36)))
        stream.truncate(N * 2**38)
    assert "is larger than vectors of 4 rows can be" in refused(tmp_path / "sparse.npy")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suffix=st.sampled_from([".npy", ".safetensors", ".parquet"]), data=st.data())
def test_any_changed_bytes_are_read_or_refused(inbedder, texts, tmp_path, suffix, data):
    vectors = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
    stream = io.BytesIO()
    if suffix == ".npy":
        np.save(stream, vectors)
    elif suffix == ".safetensors":
        stream.write(save({"vectors": vectors}))
    else:
        pq.write_table(pa.table({"vector": vectors.tolist(), "answer": ["a"] * N}), stream)
    content = bytearray(stream.getvalue())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    path = tmp_path / f"vectors{suffix}"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    result = inbedder("cluster", texts, "--vectors", path, "-k", "2", "--quiet", "-f", "csv", "--no-stability")
    assert result.exit_code in (0, 5), result.stderr
