"""What only a real process shows: imports, standard streams, signals."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from inbedder_cli.cli.streams import bound_terminal_size

INBEDDER = [sys.executable, "-m", "inbedder_cli"]
HEAVY = ["torch", "transformers", "sklearn", "pandas", "hdbscan", "pyarrow", "numpy", "huggingface_hub"]


def np_save(path, n_rows):
    import numpy as np

    np.save(path, np.random.default_rng(0).normal(size=(n_rows, 8)).astype(np.float32))


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
    np_save(tmp_path / "v.npy", 30)
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
        assert process.wait() == 141


def test_pipes_that_a_parent_made_non_blocking_lose_nothing(tmp_path):
    """Node and others do so; a full pipe then refuses to be written, and an empty one seems to be at its end."""
    import numpy as np

    rows = "text\n" + "".join(f"a rather long row {i} {'x' * 200}\n" for i in range(3000))
    (tmp_path / "x.csv").write_text(rows)
    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32))
    command = [*INBEDDER, "cluster", "-", "--vectors", "v.npy", "-k", "2"]
    unblock = (
        "import os, sys; [os.set_blocking(n, False) for n in (0, 1, 2)]; os.execv(sys.executable, sys.argv[1:])"
    )
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    expected = subprocess.run([*command, "-q"], cwd=tmp_path, input=rows.encode(), capture_output=True, check=True)
    with subprocess.Popen([sys.executable, "-c", unblock, *command], cwd=tmp_path, **pipes) as process:
        for part in (rows[:100_000], rows[100_000:]):
            time.sleep(1)
            process.stdin.write(part.encode())
            process.stdin.flush()
        process.stdin.close()
        time.sleep(3)  # the pipe is full meanwhile
        output, messages = process.stdout.read(), process.stderr.read().decode()
        assert process.wait() == 0, messages
    assert output == expected.stdout
    assert "Traceback" not in messages


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_exits_with_its_code_and_leaves_no_file(tmp_path, tiny, number):
    # Each signal has rows of its own: those of another may be cached.
    rows = (f"row {i} of {number} {'word ' * 60}\n" for i in range(20_000))
    (tmp_path / "x.csv").write_text("text\n" + "".join(rows))
    before = set(tmp_path.iterdir())
    command = [*INBEDDER, "embed", "x.csv", "-i", "What?", "-m", tiny, "-o", "v.npy"]
    heed = lambda: signal.signal(number, signal.SIG_DFL)  # noqa: E731  (a shell's background job ignores it)
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=heed) as process:
        assert "rows" in process.stderr.readline()
        assert "model" in process.stderr.readline()
        time.sleep(0.5)
        process.send_signal(number)
        said = process.stderr.read()
        assert process.wait() == 128 + number, said
    assert "interrupted" in said
    assert "Traceback" not in said
    assert set(tmp_path.iterdir()) == before


def test_ctrl_c_while_modules_are_imported_is_silent():
    code = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "inbedder_cli.cli.show":
            os.kill(os.getpid(), signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupting())
from inbedder_cli.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_signal_that_is_ignored_stays_ignored():
    code = """
import os, signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
from inbedder_cli.signals import exit_on_signals, interrupt_on_signals
exit_on_signals()
with interrupt_on_signals():
    os.kill(os.getpid(), signal.SIGHUP)
os.kill(os.getpid(), signal.SIGTERM)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 128 + signal.SIGTERM


def shell(command: str, folder, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of bash, in which "inbedder" is the command line."""
    command = command.replace("inbedder", f"{sys.executable} -m inbedder_cli")
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",  # of other encodings
        env=os.environ | environment,
    )


@pytest.fixture
def vectors(tmp_path):
    """A folder with rows, also of other alphabets, and their vectors."""
    np_save(tmp_path / "v.npy", 30)
    rows = "".join(f"“é{i}” – 日本 \U0001f600 word\n" for i in range(30))
    (tmp_path / "x.csv").write_text("text\n" + rows, encoding="utf-8")
    return tmp_path


CLUSTER = "inbedder cluster x.csv --vectors v.npy -k 2 --no-stability"


@pytest.mark.parametrize("streams", ["2>&1 | true", "2>/dev/full", "<&- >&- 2>&-"])
def test_broken_streams_do_not_stop_the_work(vectors, streams):
    done = shell(f"set -o pipefail; {CLUSTER} -o o.csv {streams}", vectors)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len((vectors / "o.csv").read_text(encoding="utf-8").splitlines()) == 31


@pytest.mark.parametrize("command", ["--help", "cache path"])
@pytest.mark.parametrize(
    ("stream", "reason"), [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
)
def test_a_standard_output_that_cannot_be_written_is_an_error(tmp_path, command, stream, reason):
    done = shell(f"inbedder {command} {stream}", tmp_path)
    assert (done.returncode, done.stderr) == (1, f"inbedder: cannot write to standard output: {reason}\n")


@pytest.mark.parametrize("command", ["--help", "cache path", f"{CLUSTER[9:]} -q -f table"])
def test_a_reader_that_has_gone_ends_the_program_as_cat_ends(vectors, command):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run([*INBEDDER, *command.split()], cwd=vectors, stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_closed_standard_input_is_an_input_error(tmp_path):
    done = shell("inbedder cluster - -i What? <&-", tmp_path)
    assert done.returncode == 5
    assert done.stderr.startswith("inbedder: standard input: cannot be read")


def test_errors_are_silent_without_standard_error_but_keep_their_code(tmp_path):
    assert shell("inbedder cluster nothing.csv -i What? 2>&-", tmp_path).returncode == 5
    assert shell("inbedder cluster --nothing 2>/dev/full", tmp_path).returncode == 2


NARROW = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
]


@pytest.mark.parametrize("environment", NARROW)
def test_narrow_encodings_escape_what_they_lack(vectors, environment):
    done = shell(f"{CLUSTER} -f table", vectors, **environment)
    assert (done.returncode, done.stderr.count("Error")) == (0, 0)
    assert "\\u65e5" in done.stdout
    done = shell("inbedder cluster '日.csv' -i What?", vectors, **environment)
    assert (done.returncode, done.stderr.isascii()) == (5, True)


def test_data_is_utf_8_whatever_the_encoding_of_the_terminal(vectors):
    done = shell(CLUSTER, vectors, PYTHONIOENCODING="ascii")
    assert "“é7” – 日本 \U0001f600 word," in done.stdout
    done = shell("inbedder cache path", vectors, PYTHONIOENCODING="ascii", INBEDDER_CACHE=str(vectors / "日"))
    assert done.stdout.startswith(str(vectors / "日"))


@pytest.mark.parametrize("environment", [{"COLUMNS": "0"}, {"COLUMNS": "3"}, {"TERM": "dumb"}])
def test_odd_terminals_get_a_table(vectors, environment):
    done = shell(f"{CLUSTER} -q -f table", vectors, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_a_terminal_that_goes_away_does_not_stop_the_work(vectors, tiny):
    ours, theirs = os.openpty()
    command = [*INBEDDER, "embed", "x.csv", "-i", "What?", "-m", tiny, "-o", "o.npy"]
    with subprocess.Popen(command, cwd=vectors, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        os.read(ours, 10)
        os.close(ours)
        assert process.wait() == 0
    assert (vectors / "o.npy").exists()


@pytest.mark.parametrize("text", ["\x1b[31mred", "a\u202eb", "a\u200bb", "a\nb", "a\u3164b", "[red]x[/red]"])
def test_what_the_user_wrote_is_shown_escaped_in_messages(inbedder, text):
    shown = text if text.startswith("[") else text.encode("unicode_escape").decode()
    for arguments in ([text], ["cluster", text, "-i", "What?"], ["cluster", f"--{text}"], ["show", text]):
        result = inbedder(*arguments)
        assert result.exit_code in (2, 5)
        assert shown in result.stderr.replace(r"\x0a", r"\n")  # Typer's own escape in the names of options
        assert result.stderr.replace("\n", "").isprintable()


def test_the_deterministic_vector_of_a_text_depends_on_nothing_else(tmp_path, tiny):
    import numpy as np

    rows = [f"row {i} {'word ' * (i % 5)}" for i in range(12)]
    found = []
    for n, threads in ((12, "1"), (5, "2"), (2, "1"), (1, "1")):
        (tmp_path / "x.csv").write_text("text\n" + "".join(f"{row}\n" for row in rows[:n]))
        command = f"inbedder embed x.csv -i What? -m {tiny} --deterministic -q -o v{n}.npy"
        assert shell(command, tmp_path, OMP_NUM_THREADS=threads).returncode == 0
        found.append(np.load(tmp_path / f"v{n}.npy"))
    for vectors in found:
        assert np.array_equal(found[0][: len(vectors)], vectors)


def test_debug_shows_the_traceback(tmp_path):
    command = [*INBEDDER, "--debug", "cluster", "nothing.csv", "-i", "What?"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "InputError" in done.stderr
    assert done.returncode != 0


@pytest.mark.parametrize("name", ["COLUMNS", "LINES", "TERMINAL_WIDTH"])
@pytest.mark.parametrize("value", ["1000000000", "9" * 5000, "-5", "0", "1", "abc", "\u00b2"])
def test_no_size_of_a_terminal_fills_the_memory_or_ends_the_program(name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    bound_terminal_size()
    assert int(os.environ.get(name, 0)) <= 10_000


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals")
@pytest.mark.parametrize("wanted", ["csv", "tsv", "markdown", "json", "jsonl", "table"])
def test_cells_do_not_act_on_a_terminal(tmp_path, wanted):
    import pty

    rows = 'text\n"cold \x1b]0;owned\x07 \u202e\r\x9b31m"\nand 1\u20e3\nwarm\n'
    (tmp_path / "x.csv").write_text(rows, "utf-8")
    np_save(tmp_path / "v.npy", 3)
    ours, theirs = pty.openpty()
    arguments = ["x.csv", "--vectors", "v.npy", "-i", "What?", "-k", "2", "--format", wanted, "-q"]
    with subprocess.Popen(
        [*INBEDDER, "cluster", *arguments], cwd=tmp_path, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # at the end
            while part := os.read(ours, 10_000):
                shown += part
        assert process.wait() == 0
    os.close(ours)
    shown = shown.decode().replace("\r\n", "\n")
    assert not set("\x07\u202e\r\x9b") & set(shown)
    assert "\x1b]" not in shown
    assert "cold" in shown
    assert wanted == "table" or "and 1\u20e3" in shown
