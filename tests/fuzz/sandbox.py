"""Run one input after another, each in a forked child with limits, and say which of them broke the law.

The law: a typed error or success; no other exception, no crash, no more than 10 s, no more than 1 GB, no network,
no code from the input's folder, and messages without control characters.

    python -m tests.fuzz.sandbox MODULE...      # imports the modules once, then reads one job per line

A job is a line of JSON: the folder of the input, and a command line, the name and options of a target, or code.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import gc
import importlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import unicodedata
from pathlib import Path
from typing import Any

SECONDS = 10.0
BUSY = 30  # times as many seconds for a process that computes, but less than SECONDS of CPU time
IDLE_POLLS = 50  # in a row, after which a process that has run for SECONDS counts as waiting
BYTES = 2**30
HEADROOM = (
    3 * 2**29
)  # of address space above the importing process: more than the law allows, to see who asks for it
FILE_BYTES = 2**28
MESSAGE_BYTES = 20_000
ROOT = Path(__file__).parents[2]
PACKAGE = str(ROOT / "inbedder_cli")
OUT, ERR, STACK, RESULT = "stdout", "stderr", "stack", "result.json"
FRAME = re.compile(r'File "[^"]*?/(inbedder_cli/[^"]+)", line \d+,? in (\w+)')
WARM = [[verb, "nowhere", "-m", "toy:", "-i", "What?"] for verb in ("embed", "answer")]
WARM += [["assign", "nowhere", "nowhere"], ["verify", "nowhere"], ["cache", "info"], ["evaluate", "nowhere"]]
WARM += [["train", "nowhere", "-o", "x"], ["teach", "nowhere", "-o", "x.parquet", "-m", "toy:"]]
WARM += [["models", "pull", "--from", "nowhere"]]
BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


class Sandbox:
    """A process that has imported everything and forks once per input.

    :param modules: what it imports before the first input.
    """

    def __init__(self, *modules: str) -> None:
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "100",
            "NO_COLOR": "1",
        }
        environment |= {"TOKENIZERS_PARALLELISM": "false", "PYTHONWARNINGS": "ignore"}
        for name in ("INBEDDER_MODEL", "INBEDDER_DEBUG", "FORCE_COLOR", "GITHUB_ACTIONS", "HF_HUB_OFFLINE"):
            environment.pop(name, None)
        command = [sys.executable, "-m", "tests.fuzz.sandbox", *modules]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes)

    def run(self, folder: Path, **job: Any) -> dict[str, Any]:
        """Return what an input did: kind of finding or None, code, seconds, bytes, message.

        :param folder: holds the input, and is the working folder of the child.
        :param job: `command`, a list of arguments, or `target` and `options`, or `code`; optionally `seconds`.
        """
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"folder": str(folder), **job}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def serve(modules: list[str]) -> None:
    """Answer jobs until standard input ends.

    :param modules: what to import first.
    """
    answers = os.fdopen(os.dup(1), "w")
    jobs = os.fdopen(os.dup(0))
    said = os.dup(2)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    try:
        for module in modules:
            importlib.import_module(module)
        _warm_up()
    finally:
        os.dup2(said, 1)
        os.dup2(said, 2)
    gc.collect()
    gc.freeze()  # so that a child copies fewer pages of memory
    while line := jobs.readline():
        answers.write(json.dumps(_run(json.loads(line))) + "\n")
        answers.flush()


def _warm_up() -> None:
    """Run each command, which imports and makes what commands use; one works, the others miss their input."""
    import typer.main

    from tests.fuzz.cases import CLUSTER, ROWS, TOY
    from tests.fuzz.targets import toy_encoder

    toy_encoder()
    typer.main.get_command = functools.cache(typer.main.get_command)  # builds all commands each time
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("rows.csv").write_bytes(ROWS)
        run = [*CLUSTER, *TOY, "--no-cache", "-o", "x.json", "--save", "run"]
        for command in WARM:
            _command(command)
        result, shown = _command(run), _command(["show", "run"])
    if result.get("exit") != 0 or shown.get("exit") != 0:
        raise RuntimeError(f"the warm-up failed: {result}")


def _run(job: dict[str, Any]) -> dict[str, Any]:
    """Fork, wait for the child, and judge it."""
    aside = Path(f"{job['folder']}.said")
    aside.mkdir(exist_ok=True)
    for name in (OUT, ERR, STACK, RESULT):
        (aside / name).unlink(missing_ok=True)
    seconds, started = job.get("seconds", SECONDS), time.monotonic()
    child = os.fork()
    if not child:
        _child(job, aside)
    pause, timed_out, idle = 0.001, False, 0
    while not (ended := os.wait4(child, os.WNOHANG))[0]:
        wall = time.monotonic() - started
        waits, cpu = _state(child)
        idle = idle + 1 if waits else 0
        if wall > seconds and (cpu > seconds or idle > IDLE_POLLS or wall > BUSY * seconds):
            timed_out = True
            with contextlib.suppress(OSError):
                os.killpg(child, signal.SIGKILL)
            ended = os.wait4(child, 0)
            break
        time.sleep(pause)
        pause = min(0.02, pause * 1.5)
    _, status, usage = ended
    unit = 1 if sys.platform == "darwin" else 1024
    found = {"seconds": time.monotonic() - started, "cpu": usage.ru_utime + usage.ru_stime}
    found |= {"bytes": usage.ru_maxrss * unit, "code": os.waitstatus_to_exitcode(status)}
    said = {name: _read(aside / name) for name in (OUT, ERR, STACK)}
    with contextlib.suppress(OSError, ValueError):
        found |= json.loads((aside / RESULT).read_text())
    found["message"] = found.get("trace") or said[ERR][-2000:]
    found["kind"] = _kind(found, said, timed_out=timed_out, is_command="command" in job)
    return found


def _state(child: int) -> tuple[bool, float]:
    """Return whether a process waits, and its CPU seconds: on a busy machine it may only wait for its turn."""
    try:
        state, *rest = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return True, 0.0
    return state != "R", (int(rest[10]) + int(rest[11])) / os.sysconf("SC_CLK_TCK")


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return stream.read(10 * MESSAGE_BYTES).decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def _kind(found: dict[str, Any], said: dict[str, str], *, timed_out: bool, is_command: bool) -> str | None:
    """Return the kind of a finding, by which two of them count as the same; None within the law."""
    place = next(iter(FRAME.findall(said[STACK])), ("?", "?"))
    if timed_out:
        return f"hang in {place[0]} {place[1]}"
    if found["code"] < 0:
        return f"{signal.Signals(-found['code']).name} in {place[0]} {place[1]}"
    if broken := found.get("forbidden") or found.get("error"):
        return f"{broken} in {found['place']}" if broken == found.get("error") else broken
    if found["bytes"] > BYTES or found.get("exit") == 6:
        return "memory" + (f" in {found['place']}" if found.get("place") else "")
    if is_command and found.get("exit") not in range(6):
        return f"exit code {found.get('exit')}"
    if said[OUT] and not is_command:
        return "a function that prints"
    return _kind_of_message(said[ERR], is_command=is_command)


def _kind_of_message(said: str, *, is_command: bool) -> str | None:
    if "Traceback (most recent call last)" in said or "Exception ignored" in said:
        return "traceback on stderr"
    if len(said) > MESSAGE_BYTES:
        return "a message of more than 20 kB"
    if is_command and (strange := {c for c in said if _is_control(c)}):
        return f"control characters in a message: {sorted(strange)[0]!a}"
    return None


def _is_control(c: str) -> bool:
    if c in "\n" or "\udc80" <= c <= "\udcff":  # the second: another encoding than UTF-8
        return c != "\n"
    return unicodedata.category(c) == "Cc" or unicodedata.bidirectional(c) in BIDI


def _child(job: dict[str, Any], aside: Path) -> None:
    """Run one input under limits, write what came of it, and end."""
    result: dict[str, Any] = {}
    try:
        os.setpgrp()  # not a session: it would get a share of the processor of its own
        _limit()
        folder = Path(job["folder"])
        for number, name in ((1, OUT), (2, ERR)):
            os.dup2(os.open(aside / name, os.O_WRONLY | os.O_CREAT, 0o600), number)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)
        stack = (aside / STACK).open("w")
        faulthandler.enable(stack)
        faulthandler.dump_traceback_later(0.95 * job.get("seconds", SECONDS), file=stack)
        os.environ |= {"INBEDDER_CACHE": str(folder / "cache"), "HF_HOME": str(folder / "hf")}
        tempfile.tempdir = os.environ["TMPDIR"] = str(aside)
        os.chdir(folder)
        _watch(folder, result)
        result |= _command(job["command"]) if "command" in job else _function(job)
    except BaseException as error:  # the sandbox itself
        result |= {"error": f"SANDBOX {error!r}", "place": "?", "trace": traceback.format_exc()}
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    (aside / RESULT).write_text(json.dumps(result))
    os._exit(0)


def _limit() -> None:
    used = BYTES
    with contextlib.suppress(OSError):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + HEADROOM, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _watch(folder: Path, result: dict[str, Any]) -> None:
    """Record, and prevent, that a file runs code or reaches for the network."""
    below = f"{folder}{os.sep}"

    def forbid(what: str) -> None:
        result.setdefault("forbidden", what)
        result.setdefault("trace", "".join(traceback.format_stack()[-12:-2]))
        raise PermissionError(what)

    def on_event(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
            forbid(f"network: {arguments[1 if event == 'socket.connect' else 0]!r}")
        elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"):
            if str(arguments[0]) not in (sys.executable, "uname") or "pip" in map(str, arguments[1]):
                forbid(f"program: {arguments[0]!r}")
        elif event == "pickle.find_class":
            forbid("pickle")
        elif event == "exec" and _source(arguments[0]).startswith(below):
            forbid("code from the folder")

    sys.addaudithook(on_event)


def _source(code: Any) -> str:
    name = str(getattr(code, "co_filename", "<string>"))
    return name if name.startswith("<") else os.path.abspath(name)  # noqa: PTH100  (a path, not a link, is meant)


def _function(job: dict[str, Any]) -> dict[str, Any]:
    from inbedder_cli.errors import InbedderError
    from tests.fuzz.targets import TARGETS

    try:
        if "code" in job:
            exec(job["code"], {})
        elif call := TARGETS[job["target"]].call:
            call(**job["options"])
    except InbedderError as error:
        return {"exit": error.exit_code, "typed": str(error)[:500]} | _place(error, "raised")
    except Exception as error:
        return {"error": type(error).__name__} | _place(error)
    return {"exit": 0}


def _command(arguments: list[str]) -> dict[str, Any]:
    from inbedder_cli.cli import main

    sys.argv = ["inbedder", *arguments]
    try:
        main()
    except SystemExit as end:
        return {"exit": 0 if end.code is None else end.code if isinstance(end.code, int) else 1}
    except BaseException as error:
        return {"error": type(error).__name__} | _place(error)
    return {"exit": 0}


def _place(error: BaseException, key: str = "place") -> dict[str, str]:
    """Return the innermost function of the package that an exception passed, and its traceback."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(PACKAGE)]
    place = f"{Path(frames[-1].filename).relative_to(ROOT)} {frames[-1].name}" if frames else "?"
    return {key: place} | ({} if key != "place" else {"trace": "".join(traceback.format_exception(error))[-3000:]})


if __name__ == "__main__":
    serve(sys.argv[1:])
