"""What only a real process shows: imports, pipes, signals."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

INBEDDER = [sys.executable, "-m", "inbedder_cli"]
HEAVY = ["torch", "transformers", "sklearn", "pandas", "hdbscan", "pyarrow", "numpy", "huggingface_hub"]


def imported_after(code: str) -> list[str]:
    script = f"import sys\n{code}\nprint(*[m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stderr.split()


@pytest.mark.parametrize("arguments", [["--help"], ["cluster", "--help"], ["--version"], ["models", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    code = f"""
from inbedder_cli.cli import app
try:
    app({arguments!r})
except SystemExit as end:
    assert end.code == 0
"""
    assert imported_after(code) == []


def test_importing_the_package_imports_nothing_heavy():
    assert imported_after("import inbedder_cli; dir(inbedder_cli)") == []


def test_clustering_saved_vectors_does_not_import_torch(tmp_path):
    import numpy as np

    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32))
    (tmp_path / "x.csv").write_text("text\n" + "".join(f"row {i}\n" for i in range(30)))
    arguments = ["cluster", str(tmp_path / "x.csv"), "--vectors", str(tmp_path / "v.npy"), "-q"]
    code = f"""
from inbedder_cli.cli import app
try:
    app({arguments!r})
except SystemExit as end:
    assert end.code == 0
"""
    assert not {"torch", "transformers"} & set(imported_after(code))


def test_a_closed_pipe_is_silent(tmp_path):
    (tmp_path / "x.csv").write_text(
        "text\n" + "".join(f"a rather long row {i} {'x' * 200}\n" for i in range(3000))
    )
    import numpy as np

    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32))
    command = [*INBEDDER, "cluster", "x.csv", "--vectors", "v.npy", "-k", "2", "-q"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, text=True, **pipes) as process:
        assert process.stdout.readline().startswith("text,cluster")
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0


def test_ctrl_c_exits_130_and_leaves_no_file(tmp_path, tiny):
    (tmp_path / "x.csv").write_text("text\n" + "".join(f"row {i} {'word ' * 60}\n" for i in range(20_000)))
    before = set(tmp_path.iterdir())
    command = [*INBEDDER, "embed", "x.csv", "-i", "What?", "-m", tiny, "-o", "v.npy"]
    heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731  (a shell's background job ignores it)
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=heed) as process:
        assert "rows" in process.stderr.readline()
        assert "model" in process.stderr.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait() == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert set(tmp_path.iterdir()) == before


def test_debug_shows_the_traceback(tmp_path):
    command = [*INBEDDER, "--debug", "cluster", "nothing.csv", "-i", "What?"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "InputError" in done.stderr
    assert done.returncode != 0
