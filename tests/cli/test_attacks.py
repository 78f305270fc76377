"""What somebody may lay into a folder, a cache, a terminal or a path to make the program do what it should not."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inbedder_cli.encoders import encoder_backends
from tests.encoders.toy import ToyEncoder
from tests.models.poison import write_gguf

posix = pytest.mark.skipif(os.name == "nt", reason="owners, modes and signals are of POSIX")
QUESTION = ("-i", "What is it about?")
PLANTED = ("struct", "pickle", "multiprocessing", "socket", "numpy", "torch", "sitecustomize", "matplotlib")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with rows and their vectors."""
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"a{i},text {i} {'cold' if i % 2 else 'kind'} room,{i % 3}\n" for i in range(12))
    Path("rows.csv").write_text("id,text,stars\n" + rows)
    np.save("v.npy", np.random.default_rng(0).normal(size=(12, 8)).astype(np.float32))
    return tmp_path


@pytest.fixture
def cluster(inbedder, folder):
    return lambda *more: inbedder("cluster", "rows.csv", "--vectors", "v.npy", "-k", 2, "--no-stability", *more)


@pytest.fixture
def toy(folder, monkeypatch):
    monkeypatch.setenv("INBEDDER_CACHE", str(folder / "cache"))
    encoder_backends.register("toy", ToyEncoder)
    yield ("-m", "toy:x", *QUESTION)
    encoder_backends.unregister("toy")


def test_processes_that_are_started_import_nothing_from_the_current_folder(folder):
    """As with --devices 2: Python looks for the modules of a new process in the current folder first."""
    for name in PLANTED:
        Path(f"{name}.py").write_text(f"open('ran', 'a').write('{name} ')\n")
    code = (
        "import sys; sys.path = [p for p in sys.path if p]; sys.argv = ['inbedder', '--version']\n"
        "from inbedder_cli.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "import subprocess; subprocess.run([sys.executable, '-c', 'import struct, pickle, multiprocessing'])\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert not Path("ran").exists()


def test_settings_of_other_programs_in_the_current_folder_do_not_count(cluster):
    pytest.importorskip("matplotlib")
    assert cluster("--plot", "plain.svg", "-o", "a.csv").exit_code == 0
    Path("matplotlibrc").write_text("text.usetex: True\naxes.titlesize: 9000\nbackend: module://evil\n")
    code = "import matplotlib; from inbedder_cli.cli import main; main()"
    arguments = [
        "rows.csv",
        "--vectors",
        "v.npy",
        "-k",
        "2",
        "--no-stability",
        "--plot",
        "other.svg",
        "-o",
        "b.csv",
    ]
    command = [sys.executable, "-P", "-c", code, "cluster", *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert Path("other.svg").read_bytes() == Path("plain.svg").read_bytes()


@pytest.mark.parametrize("key", ["eps", "rope"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_numbers_of_a_gguf_header_that_make_no_sense_are_errors_of_the_model(
    inbedder, folder, tiny_models, key, value
):
    write_gguf(folder / "x.gguf", tiny_models["llama"], **{key: value})
    result = inbedder("embed", "rows.csv", "-m", "x.gguf", *QUESTION, "--offline")
    assert result.exit_code == 3
    assert "x.gguf is damaged: llama." in result.stderr
    assert "fetch it again" in result.stderr


def test_a_model_that_gives_no_numbers_is_to_blame_and_not_the_rows(inbedder, folder, tiny_models):
    import shutil

    shutil.copytree(tiny_models["llama"], "model")
    settings = json.loads(Path("model/config.json").read_text())
    Path("model/config.json").write_text(json.dumps(settings | {"rms_norm_eps": -1e30}))
    result = inbedder("cluster", "rows.csv", "-k", 2, "-m", "model", *QUESTION, "--device", "cpu", "-o", "o.csv")
    assert result.exit_code == 3, result.stderr
    assert "gives no finite vector for any of the 12 texts" in result.stderr
    assert "--dtype float32" in result.stderr
    assert not Path("o.csv").exists()


@pytest.mark.parametrize(
    "reference",
    [
        "toy:../../x",
        "transformers:/dev/zero",
        "file:///etc/passwd",
        "git+https://127.0.0.1:9/x",
        "--help",
        "x\n-m y",
    ],
)
def test_a_run_can_name_no_model_that_is_fetched_or_run(inbedder, toy, reference):
    assert inbedder("cluster", "rows.csv", "-k", 2, *toy, "--save", "run", "--no-baseline").exit_code == 0
    encoder_backends.unregister("toy")
    manifest = json.loads(Path("run/run.json").read_text())
    text = json.dumps(manifest).replace("toy:x", json.dumps(reference)[1:-1])
    Path("run/run.json").write_text(text)
    result = inbedder("assign", "run", "rows.csv", "--offline")
    encoder_backends.register("toy", ToyEncoder)
    assert result.exit_code in (1, 2, 3), result.stderr
    assert result.stderr.startswith("inbedder: ") or "\ninbedder: " in result.stderr


VIEW = "CREATE VIEW {} AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT * FROM n"


@pytest.mark.parametrize(
    "sql",
    [
        "view",
        "CREATE TRIGGER t BEFORE INSERT ON {0} BEGIN DELETE FROM {0}; END",
        "CREATE TRIGGER t AFTER INSERT ON {0} BEGIN SELECT load_extension('/tmp/evil'); END",
        "PRAGMA user_version = 2147483647",
        "PRAGMA application_id = -1",
    ],
)
def test_what_a_cache_could_do_by_itself_it_does_not(inbedder, toy, sql):
    arguments = ("answer", "rows.csv", *toy)
    expected = inbedder(*arguments, "--no-cache").stdout
    assert inbedder(*arguments).stdout == expected
    file = Path("cache/rows.sqlite")
    with sqlite3.connect(file) as connection:
        (table, *_) = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        if sql == "view":
            connection.execute(f"DROP TABLE {table}")
            connection.execute(VIEW.format(table))
        else:
            connection.execute(sql.format(table))
    connection.close()
    for _ in range(2):
        result = inbedder(*arguments)
        assert (result.exit_code, result.stdout) == (0, expected), result.stderr
    assert inbedder("cache", "info").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("cluster", "", *QUESTION), 5, "the name of the input is empty"),
        (("cluster", "rows.csv", "-i", ""), 2, "question"),
        (("cluster", "/dev/zero", *QUESTION), 5, "/dev/zero"),
        (("cluster", "/dev/urandom", *QUESTION), 5, "binary data"),
        (("cluster", "/proc/self/mem", *QUESTION), 5, "/proc/self/mem"),
        (("cluster", "x" * 5000, *QUESTION), 5, "x"),
        (("show", ""), 5, ""),
        (("report", "", "-o", "r.html"), 5, ""),
    ],
)
def test_names_and_devices_that_are_no_tables(inbedder, folder, arguments, code, said):
    result = inbedder(*arguments)
    assert result.exit_code == code, result.stderr
    assert said in result.stderr
    assert result.stdout == ""


@posix
def test_a_current_folder_that_was_removed_is_told(folder):
    Path("gone").mkdir()
    command = f'cd gone && rmdir ../gone && "{sys.executable}" -m inbedder_cli cluster ../rows.csv -i x'
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "inbedder: the current folder has been removed" in done.stderr


@pytest.mark.parametrize(
    "name", ["__proto__", "constructor", "toString", "</script><script>x", "\u2028", "'; drop"]
)
def test_columns_of_odd_names_and_values_reach_every_output(cluster, name):
    rows = "".join(f"{i},text {i},{name}\n" for i in range(12))
    Path("rows.csv").write_text(f"id,text,{name}\n{rows}", encoding="utf-8")
    for suffix in ("csv", "jsonl", "parquet", "xlsx"):
        result = cluster("--text", "text", "-o", f"o.{suffix}", "--report", f"{suffix}.html", "--by", name)
        assert result.exit_code == 0, result.stderr
    assert "</script><script>x" not in Path("csv.html").read_text(encoding="utf-8")


@posix
@pytest.mark.parametrize("limit", ["-n 12", "-s 400", "-u 1", "-f 1"])
def test_a_system_that_gives_little_ends_in_one_line_or_whole_files(folder, limit):
    if limit == "-u 1" and os.geteuid() != 0:
        pytest.skip("a user who has processes cannot start this one")
    command = (
        f'ulimit {limit}; "{sys.executable}" -m inbedder_cli cluster rows.csv --vectors v.npy -k 2 -q -o o.jsonl'
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    if done.returncode == 0:
        assert len(Path("o.jsonl").read_text().splitlines()) == 12
    else:
        assert done.stderr.startswith("inbedder: "), done.stderr
        assert not Path("o.jsonl").exists()


def test_a_wheel_or_weights_under_the_name_of_a_table_are_refused(inbedder, folder):
    Path("a.csv").write_bytes(struct.pack("<Q", 2) + b"{}")
    Path("b.csv").write_bytes(b"GGUF\3\0\0\0" + bytes(40))
    for name in ("a.csv", "b.csv"):
        result = inbedder("cluster", name, *QUESTION)
        assert result.exit_code == 5, result.stderr
