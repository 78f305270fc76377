"""Runs that somebody else made, or a disk damaged: one line, exit code 5, at once, and nothing else is opened."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from inbedder_cli.errors import InputError
from inbedder_cli.runs.schema import read_manifest

QUESTION = "What emotion is expressed?"
RUN = ("run.json", "run.safetensors", "rows.parquet")


@pytest.fixture(scope="module")
def original(tiny_models, tmp_path_factory):
    from typer.testing import CliRunner

    from inbedder_cli.cli import app

    folder = tmp_path_factory.mktemp("runs")
    texts = folder / "stays.csv"
    texts.write_text("text\n" + "".join(f"text {i} {'cold' if i % 2 else 'kind'} room\n" for i in range(12)))
    fixed = ["-m", tiny_models["llama"], "--no-baseline", "--no-stability", "--no-flag-unanswered", "--no-cache"]
    arguments = ["cluster", texts, "-i", QUESTION, "-k", "3", *fixed, "--save", folder / "run"]
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 0, result.stderr
    return folder / "run"


@pytest.fixture
def run(original, tmp_path):
    return shutil.copytree(original, tmp_path / "run")


@pytest.fixture
def refused(inbedder, run):
    """Check that each command refuses the run with one line and a hint at most, in time, and return the line."""

    def check(*commands):
        lines = set()
        for command in commands or (("show", run),):
            started = time.monotonic()
            result = inbedder(*command)
            assert time.monotonic() - started < 10
            assert result.exit_code == 5, (result.stderr, result.stdout)
            assert result.stdout == ""
            first, *hint = result.stderr.splitlines()
            assert first.startswith("inbedder: ")
            assert len(first) < 700
            assert len(hint) <= 1
            lines.add(first)
        assert len(lines) == 1
        return lines.pop()

    return check


def change(run, **changed):
    """Replace keys of run.json; a value None removes the key."""
    manifest = json.loads((run / "run.json").read_text()) | changed
    (run / "run.json").write_text(json.dumps({key: value for key, value in manifest.items() if value is not None}))


def sign(run):
    """Give run.json the hashes of the other files, as one who can write them all would."""
    names = RUN[1:]
    change(run, files={name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in names})


def test_a_source_of_any_length_fills_no_terminal(run, inbedder):
    change(run, source="x" * 1_000_000, schema=2)
    assert len(inbedder("show", run).stderr) < 1000


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("schema", "3", "Expected `int`, got `str` - at `$.schema`"),
        ("schema", True, "$.schema"),
        ("schema", [], "$.schema"),
        ("schema", 10**400, "$.schema"),
        ("schema", 4, "made by another version of inbedder"),
        ("source", 3, "$.source"),
        ("versions", ["torch"], "$.versions"),
        ("versions", {"torch": {}}, "$.versions"),
        ("model", None, "missing required field `model`"),
        ("model", "sst", "$.model"),
        ("model", {"reference": "x"}, "$.model"),
        ("encoding", {"pooling": "no-such"}, "$.encoding"),
        ("settings", {}, "other questions"),
        ("settings", {"": 3}, "$.settings"),
        ("settings", {"a b": {}}, "$.settings"),
        ("unanswered_options", {"flag": True, "min_confidence": 2.0}, "$.unanswered_options.min_confidence"),
        ("instruction", "x" * 10**6, "$.instruction"),
        ("model", {"reference": "x" * 10**6}, "$.model.reference"),
        ("files", {}, "$.files"),
        ("files", {"../../etc/passwd": "0" * 64}, "$.files"),
        ("files", {"run.safetensors": "0" * 64, "rows.parquet": "x"}, "$.files"),
        ("instruction", "", "$.instruction"),
        ("instruction", {"a": 1}, "$.instruction"),
        ("rows", {"total": -1}, "$.rows.total"),
        ("rows", {"total": 1e300}, "$.rows.total"),
        ("clusters", {}, "$.clusters"),
        ("clusters", [], "run.safetensors: does not fit the run"),
        ("clusters", [[]] * 1000, "$.clusters[0]"),
        ("questions", {"": {}}, "$.questions"),
        ("questions", 7, "$.questions"),
    ],
)
def test_run_json_is_checked_as_a_whole(run, refused, key, value, said):
    change(run, **{key: value})
    assert said in refused(("show", run), ("assign", run, run.parent / "none.csv"), ("verify", run))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("settings", "", "k"), -1),
        (("settings", "", "k"), 10**30),
        (("settings", "", "seed"), 2**32),
        (("settings", "", "seed"), 1.5),
        (("settings", "", "algorithm"), "no-such"),
        (("settings", "", "algorithm"), "hdbscan"),
        (("encoding", "max_answer_tokens"), 10**9),
        (("encoding", "max_tokens"), 0),
        (("encoding", "layer"), 10**9),
        (("encoding", "pooling"), "x" * 100_000),
        (("encoding", "batch_tokens"), "many"),
        (("model", "dtype"), "int3"),
        (("model", "template"), 3),
        (("clusters", 0, "cluster"), 5),
        (("clusters", 0, "cluster"), 1),
        (("clusters", 0, "cluster"), 2**63),
        (("clusters", 0, "label"), None),
        (("clusters", 0, "size"), -3),
        (("clusters", 0, "answers"), [{"text": "x"}]),
        (("clusters", 0, "likely_next_words"), "joy"),
        (("rows", "total"), 13),
    ],
)
def test_what_is_nested_is_checked_too(run, refused, inbedder, path, value):
    manifest = json.loads((run / "run.json").read_text())
    *above, last = path
    place = manifest
    for key in above:
        place = place[key]
    place[last] = value
    (run / "run.json").write_text(json.dumps(manifest))
    refused(("show", run, "0"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"\xff\xfe\x00",
        b"[" * 1_000_000,
        b'{"schema":' * 100_000,
        b'{"schema": 3, "x": ' + b"9" * 1_000_000 + b"}",
        b'{"schema": 3, "x": ' + b"[{}," * 100_000 + b"0" + b"]" * 100_000 + b"}",
        b'{"schema": 3, "clusters": NaN}',
        b'{"schema": 3, "source": "\\ud800"}',
        b'{"schema": 3',
        b"[]",
        b"null",
    ],
)
def test_text_that_is_not_the_json_of_a_run(run, refused, content):
    (run / "run.json").write_bytes(content)
    assert "run.json: not a saved run" in refused()


def test_a_run_json_of_any_size_takes_little_memory(run, refused):
    change(run, x=[{}] * 8_000_000)
    with (run / "run.json").open("r+b") as stream:
        stream.truncate(31_999_999)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KB
    with (run / "run.json").open("r+b") as stream:
        stream.truncate(10**12)  # sparse
    assert "is larger than 32 MB" in refused()


@pytest.mark.parametrize("name", [*RUN, "names.txt"])
def test_no_file_is_a_link_a_pipe_a_device_or_a_folder(run, refused, name, tmp_path):
    outside = tmp_path / "outside"
    if (run / name).exists():
        (run / name).rename(outside)
    else:
        outside.write_text("")
    for target in (outside, "../outside", "/dev/zero", "/dev/stdin", "loop"):
        (run / name).unlink(missing_ok=True)
        (run / "loop").unlink(missing_ok=True)
        (run / "loop").symlink_to("loop")
        (run / name).symlink_to(target)
        assert f"{name}: is a link" in refused()
    (run / name).unlink()
    os.mkfifo(run / name)
    assert f"{name}: is not a regular file" in refused()
    (run / name).unlink()
    (run / name).mkdir()
    assert f"{name}: is not a regular file" in refused()


def test_the_folder_itself_may_be_anything(run, refused, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for odd in ("/dev/zero", "/dev/null", tmp_path / "pipe", "x" * 300, run / "run.json", "/", ""):
        refused(("show", odd))
    (tmp_path / "loop").symlink_to("loop")
    refused(("show", tmp_path / "loop"))


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("mean", None, "has no 'mean'"),
        ("mean", np.zeros((2, 16), np.float32), "does not fit the run"),
        ("mean", np.zeros(33, np.float32), "does not fit the run"),
        ("mean", np.zeros(32, np.float64), "does not fit the run"),
        ("mean", np.full(32, np.nan, np.float32), "is not finite"),
        ("centroids", np.zeros((2, 32), np.float32), "does not fit the run"),
        ("centroids", np.zeros((0, 32), np.float32), "does not fit the run"),
        ("novelty_thresholds", np.zeros(2, np.float32), "does not fit the run"),
        ("numbers", np.array([0, 1, 7]), "names clusters that the run has not"),
        ("numbers", np.array([0, 1, 2], np.int8), "does not fit the run"),
        ("algorithm/cluster_centers", None, "has no 'cluster_centers'"),
        ("algorithm/cluster_centers", np.zeros(32, np.float32), "does not fit the run"),
        ("algorithm/cluster_centers", np.zeros((3, 8), np.float32), "takes vectors of 8 numbers, not 32"),
    ],
)
def test_tensors_fit_the_run(run, refused, name, array, said):
    arrays = load_file(run / "run.safetensors")
    del arrays[f"/{name}"]
    save_file(arrays | ({} if array is None else {f"/{name}": array}), run / "run.safetensors")
    sign(run)
    assert said in refused()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04\x95" * 10,  # a pickle
        b"\xff" * 100,
        (2**40).to_bytes(8, "little") + b"{}",
        b'\x50\0\0\0\0\0\0\0{"/mean":{"dtype":"F32","shape":[1000000000,1000000],"data_offsets":[0,8]}}   '
        + b"\0" * 9,
    ],
)
def test_tensors_that_are_none(run, refused, content):
    (run / "run.safetensors").write_bytes(content)
    sign(run)
    refused()


def test_tensors_of_another_size_are_not_read(run, refused):
    os.truncate(run / "run.safetensors", 10**12)
    assert "is larger than 256 MB" in refused()


def test_a_model_with_vectors_of_another_size(run, inbedder, tiny_models, tmp_path):
    from tests.conftest import make_tokenizer

    transformers = pytest.importorskip("transformers")
    tokenizer = make_tokenizer()
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": len(tokenizer)}
    config = transformers.LlamaConfig(
        **shape, intermediate_size=32, bos_token_id=1, eos_token_id=2, pad_token_id=0
    )
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path / "other")
    tokenizer.save_pretrained(tmp_path / "other")
    from inbedder_cli.encoders import load_encoder

    record = load_encoder(str(tmp_path / "other")).record
    manifest = json.loads((run / "run.json").read_text())
    change(run, model=manifest["model"] | {"reference": str(tmp_path / "other"), "identity": record.identity})
    result = inbedder("verify", run)
    assert result.exit_code == 5
    assert "vectors of 32 numbers, not 16" in result.stderr


def rows_with(table, **columns):
    for name, column in columns.items():
        place = table.column_names.index(name)
        table = table.remove_column(place) if column is None else table.set_column(place, name, column)
    return table


@pytest.mark.parametrize(
    "columns",
    [
        {"text": None},
        {"text": pa.array(range(12))},
        {"cluster": pa.array(["0"] * 12)},
        {"cluster": pa.array([7] * 12)},
        {"cluster": pa.array([None] * 12, pa.int64())},
        {"status": pa.array(["fine"] * 12)},
        {"status": pa.array([None] * 12, pa.string())},
        {"margin": pa.array([["x"]] * 12)},
    ],
)
def test_rows_fit_the_run(run, refused, columns):
    pq.write_table(rows_with(pq.read_table(run / "rows.parquet"), **columns), run / "rows.parquet")
    sign(run)
    assert "rows.parquet" in refused(("show", run, "0"))


def test_other_rows_and_no_rows(run, refused):
    table = pq.read_table(run / "rows.parquet")
    for other in (table.slice(0, 3), pa.concat_tables([table, table])):
        pq.write_table(other, run / "rows.parquet")
        sign(run)
        assert "rows, not 12" in refused(("show", run, "0"))
    for content in (b"", b"PAR1", b"PAR1" + b"\xff" * 100 + b"PAR1", b"\x80\x04." * 9):
        (run / "rows.parquet").write_bytes(content)
        sign(run)
        assert "rows.parquet: cannot be read" in refused()


def test_rows_larger_than_their_contents_are_not_read(run, refused):
    whole = (run / "rows.parquet").read_bytes()
    with (run / "rows.parquet").open("r+b") as stream:
        stream.truncate(10**12)
        stream.seek(10**12 - 8)
        stream.write(whole[-8:])
    refused()
    length = int.from_bytes(whole[-8:-4], "little") + 8
    with (run / "rows.parquet").open("r+b") as stream:
        stream.seek(10**12 - length)
        stream.write(whole[-length:])
    assert "is larger than its contents" in refused()


def test_rows_that_become_gigabytes_are_not_read(run, refused):
    n = 4096
    text = pa.array(["x" * 1_000_000], pa.string())
    table = pq.read_table(run / "rows.parquet")
    columns = {name: table.column(name).combine_chunks().take(pa.array([0] * n)) for name in table.column_names}
    columns["text"] = pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int32()), text)
    bomb = pa.table(columns)
    pq.write_table(bomb, run / "rows.parquet", compression="zstd", store_schema=False)
    assert (run / "rows.parquet").stat().st_size < 20_000
    sign(run)
    change(run, rows={"total": n})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "becomes more than 64 MB" in refused(("show", run, "0"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 800_000


@pytest.mark.parametrize(
    "content",
    [b"1 = x\n" * 3_000_000, b"9" * 100_000 + b" = x", b"1 -> " + b"9" * 5000, b"\xff", b"1 -> 2\n2 -> 1"],
    ids=["long", "number", "target", "bytes", "circle"],
)
def test_names_that_are_none(run, refused, content):
    (run / "names.txt").write_bytes(content)
    assert "names.txt" in refused()


def test_a_run_whose_replacement_was_killed_is_read_and_replaced(run, inbedder):
    expected = inbedder("show", run).stdout
    run.rename(run.with_name(".run.old"))
    assert inbedder("show", run).stdout == expected
    assert not run.exists()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=10), values, max_size=3),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_run_json_is_valid_or_refused(original, tmp_path, data):
    document = json.loads((original / "run.json").read_text())
    place, above = document, None
    while isinstance(place, (dict, list)) and place:
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        above, key = place, data.draw(st.sampled_from(list(keys)))
        place = place[key]
        if data.draw(st.booleans()):
            break
    above[key] = data.draw(json_values)
    (tmp_path / "run.json").write_text(json.dumps(document))
    try:
        manifest = read_manifest(tmp_path, shown=Path("run"))
    except InputError as error:
        assert str(error).startswith("run")
        assert "\n" not in str(error)
    else:
        assert set(manifest.questions) == set(manifest.settings)
        assert manifest.model_record
        assert manifest.encode_options
        assert manifest.flag_options


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1), byte=st.integers(0, 255), cut=st.booleans())
def test_any_changed_byte_of_run_json_is_valid_or_refused(original, tmp_path, place, byte, cut):
    content = bytearray((original / "run.json").read_bytes())
    at = int(place * (len(content) - 1))
    content[at] = byte
    (tmp_path / "run.json").write_bytes(content[:at] if cut else content)
    try:
        read_manifest(tmp_path, shown=Path("run"))
    except InputError as error:
        assert str(error).startswith("run")
