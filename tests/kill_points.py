"""Kill a command before each of its file operations, and check after each kill what it left.

    def reset(): ...        # put the files as they were before the command
    def check(point): ...   # assert that the old or the new whole content is there, and run the command again
    kill_points(lambda: inbedder("cluster", "x.csv", "-o", out), folder=tmp_path, reset=reset, check=check)

The command runs in a child made by fork, which starts with every module that this process has imported: run
it once before, and each kill takes a fraction of a second. The child gets SIGKILL: neither `finally` nor `atexit`
runs, and processes that it started live on.

A kill point is an operation of Python code below `folder`: opening a file to write it, renaming, linking,
removing, making a folder, changing rights (by audit events), and, from the first of these on, writing, syncing,
copying and SQL statements wherever the file is (by a profile function). What compiled libraries do by themselves
is not seen. `reset` must also remove what a kill left: the operations are counted.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
import warnings
from io import IOBase
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Audit event: the places of its paths, each with the place of the folder that it is relative to.
EVENTS = {
    "open": ((0, None),),
    "os.mkdir": ((0, 2),),
    "os.rename": ((0, 2), (1, 3)),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.chmod": ((0, 2),),
    "os.truncate": ((0, None),),
    "sqlite3.connect": ((0, None),),
}
CALLS = {"write", "writelines", "fsync", "execute", "executemany", "executescript", "commit", "sendfile"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
SECONDS = 60.0  # a child that takes longer hangs


def kill_points(
    run: Callable[[], object],
    *,
    folder: Path,
    reset: Callable[[], object],
    check: Callable[[str], object],
    every: int = 1,
) -> list[str]:
    """Run a command, killed before its 1st, 2nd, ... file operation, until it ends by itself.

    Returns the operations before which it was killed.

    :param run: the command; an exception, or an exit code, fails the test.
    :param folder: operations on files below it count.
    :param reset: is called before each run.
    :param check: is called after each kill with the operation that was not done any more.
    :param every: kill at every nth operation only.
    """
    points: list[str] = []
    folder = folder.resolve()
    while True:
        reset()
        point = _run_in_child(run, folder, 1 + every * len(points))
        if point is None:
            return points
        points.append(point)
        try:
            check(point)
        except BaseException as error:
            error.add_note(f"killed at file operation {1 + every * (len(points) - 1)}: {point}")
            raise


def _run_in_child(run: Callable[[], object], folder: Path, number: int) -> str | None:
    """Return the operation before which the child was killed; None where it ended by itself before."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the child uses none of this process
        child = os.fork()
    if not child:
        _child(run, folder, number, writer)
    os.close(writer)
    deadline = time.monotonic() + SECONDS
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError(f"still running after {SECONDS:.0f} s")
        time.sleep(0.005)
    os.set_blocking(reader, False)
    try:
        said = os.read(reader, 60_000).decode(errors="replace")
    except BlockingIOError:  # a process that the command started holds the pipe
        said = ""
    os.close(reader)
    if ended[1] == signal.SIGKILL:
        return said
    assert ended[1] == 0, f"the command failed in the child:\n{said}"
    return None


def _child(run: Callable[[], object], folder: Path, number: int, writer: int) -> None:
    count, busy = 0, False

    def operation(what: str) -> None:
        nonlocal count
        count += 1
        if count == number:
            os.write(writer, what.encode(errors="replace")[:4000])
            os.kill(os.getpid(), signal.SIGKILL)

    def on_event(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal busy
        if event not in EVENTS or busy or (event == "open" and not _writes(arguments)):
            return
        busy = True
        paths = [_absolute(arguments, *places) for places in EVENTS[event]]
        busy = False
        if any(path.is_relative_to(folder) for path in paths if path):
            sys.setprofile(on_call)  # from here on: it would make all that is computed before slow
            threading.setprofile(on_call)
            operation(f"{event} {' -> '.join(map(str, paths))}")

    def on_call(frame: object, event: str, function: object) -> None:
        if event == "c_call" and not busy and getattr(function, "__name__", None) in CALLS:
            owner = getattr(function, "__self__", None)
            if not isinstance(owner, IOBase) or _is_file(owner):  # neither stdout nor a buffer in memory
                operation(f"{getattr(function, '__qualname__', function)}")

    try:
        sys.addaudithook(on_event)
        result = run()
        sys.setprofile(None)
        assert not getattr(result, "exit_code", 0), result.stderr
    except BaseException:
        sys.setprofile(None)
        os.write(writer, traceback.format_exc().encode(errors="replace")[-4000:])
        os._exit(1)
    os._exit(0)


def _writes(arguments: tuple[object, ...]) -> bool:
    _, mode, flags = arguments
    return bool(flags & WRITES if isinstance(flags, int) else set(str(mode)) & set("wax+"))


def _absolute(arguments: tuple[object, ...], place: int, folder_place: int | None) -> Path | None:
    """Return the path at one place of an event's arguments, absolute; None for an open file."""
    path = arguments[place]
    if not isinstance(path, (str, bytes, os.PathLike)):
        return None
    folder = arguments[folder_place] if folder_place is not None else -1
    above = Path(f"/proc/self/fd/{folder}").readlink() if isinstance(folder, int) and folder >= 0 else Path.cwd()
    return above / os.fsdecode(path)


def _is_file(stream: IOBase) -> bool:
    try:
        return stream.fileno() > 2
    except (OSError, ValueError):
        return False
