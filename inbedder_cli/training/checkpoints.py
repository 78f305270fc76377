"""The folder of an unfinished run: a record of its settings, and its checkpoints."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from inbedder_cli.errors import InbedderError, UsageError
from inbedder_cli.training.distributed import is_first_process, n_processes
from inbedder_cli.training.teacher_labels import is_labels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inbedder_cli.training.recipes import TrainOptions

SCHEMA = 2  # of the record, and of the training card that includes it
PARTIAL = ".partial"  # suffix of the folder: OUTPUT.partial
SETTINGS = "settings.json"
CHECKPOINTS = "checkpoints"
FINISHED = "finished"
LOCK = ".lock"
OF_TEACHER = re.compile(r".*\.parquet|teacher-[0-9a-f]{8}")  # labels, and a folder of them


def run_record(
    base: dict[str, Any],
    initial_adapter: str | None,
    files: dict[str, str],
    options: TrainOptions,
    dtype: str,
    batches: str,
) -> dict[str, Any]:
    """Return everything that determines the result of a run, as JSON values.

    :param base: entry of the base model in the manifest, with the hash of its weights.
    :param initial_adapter: SHA-256 of the adapter that training starts from; None for a new one.
    :param files: SHA-256 of each file of examples, by name.
    :param options: settings of the run.
    :param dtype: dtype of the model.
    :param batches: hash of all examples in training order.
    :return: the record, which the training card includes.
    """
    return {
        "schema": SCHEMA,
        "base": base,
        "initial_adapter": initial_adapter,
        "data": files,
        "settings": json.loads(json.dumps(dataclasses.asdict(options))),
        "dtype": dtype,
        "processes": n_processes(),
        "batches": batches,
    }


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let no other command work in the folder of an unfinished run meanwhile, which it would mix with its own.

    The system releases the lock when the process ends, in whatever way. A folder that stays empty is removed.

    :param folder: of the unfinished run; it is made.
    :raises UsageError: when another command works in it, or it is the folder of something else.
    :raises InbedderError: when it cannot be made.
    """
    if not is_first_process():  # of those that train together
        yield
        return
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UsageError(
            f"another command is at work in {folder}", hint="wait until it ends, or choose another --output"
        ) from error
    except OSError as error:
        raise InbedderError(f"cannot write to {folder}: {error.strerror}") from error
    try:
        _check_own(folder)
        yield
    finally:
        with suppress(OSError):
            (folder / LOCK).unlink(missing_ok=True)
        lock.release()
        with suppress(OSError):
            folder.rmdir()


def _check_own(folder: Path) -> None:
    """Refuse a folder that holds anything but an unfinished run and labels: it may be a link to any folder."""
    names = {path.name for path in folder.iterdir() if not OF_TEACHER.fullmatch(path.name)} - {LOCK}
    own = {SETTINGS, CHECKPOINTS, FINISHED} if "settings" in _read(folder / SETTINGS) else set()
    if foreign := sorted(names - own):
        raise UsageError(
            f"{folder} holds {foreign[0]}, which is no part of an unfinished run",
            hint="move it elsewhere, or choose another --output",
        )


def clear(folder: Path) -> None:
    """Delete what a finished run has left in its folder, which may be a link to another disk, and nothing else.

    :param folder: of the run, see `locked`.
    """
    for name in (CHECKPOINTS, FINISHED):
        if (folder / name).is_dir() and not (folder / name).is_symlink():
            shutil.rmtree(folder / name)
    (folder / SETTINGS).unlink(missing_ok=True)
    labels_of_teachers = [path for path in folder.iterdir() if path.is_dir() and OF_TEACHER.fullmatch(path.name)]
    for place in (folder, *labels_of_teachers):
        for path in place.iterdir():
            if is_labels(path):
                path.unlink()
    for place in labels_of_teachers:
        with suppress(OSError):  # what is not ours stays
            place.rmdir()


def open_run(folder: Path, record: dict[str, Any], *, force: bool) -> str | None:
    """Return the checkpoint to continue from, or create the folder of a new run.

    :param folder: of the unfinished run.
    :param record: of the run that is about to start, see `run_record`.
    :param force: replace another run in the folder.
    :return: the checkpoint; None starts from the beginning.
    :raises UsageError: when the folder holds another run, or one of another version of inbedder.
    """
    settings = folder / SETTINGS
    previous, checkpoint = _read(settings), last_checkpoint(folder / CHECKPOINTS)
    if previous == record:
        return checkpoint
    if folder.exists():
        if checkpoint and not force:
            if previous.get("schema") != record.get("schema"):
                raise UsageError(
                    f"{folder} holds an unfinished run of another version of inbedder",
                    hint="finish it with that version, or start again with --force",
                )
            raise UsageError(
                f"{folder} holds an unfinished run with other {_difference(previous, record)}",
                hint="repeat its command to finish it, or start again with --force",
            )
        if (folder / CHECKPOINTS).exists():
            shutil.rmtree(folder / CHECKPOINTS)  # what a teacher has labeled stays
    folder.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return None


def last_checkpoint(folder: Path) -> str | None:
    """Return the latest complete checkpoint, or None.

    Trainer writes its state and the states of the random generators last, so a checkpoint with both is complete.

    :param folder: holds the checkpoints.
    :return: the path of the checkpoint.
    """
    complete = [
        path
        for path in folder.glob("checkpoint-*")
        if _read(path / "trainer_state.json") and len(list(path.glob("rng_state*"))) >= n_processes()
    ]
    return str(max(complete, key=lambda path: int(path.name.rpartition("-")[2]))) if complete else None


def _read(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _difference(previous: dict[str, Any], record: dict[str, Any]) -> str:
    before, now = previous.get("settings", {}), record["settings"]
    names = [name for name in now if before.get(name) != now[name]]
    names += [name for name in record if name != "settings" and previous.get(name) != record[name]]
    return "settings (" + ", ".join(name.replace("_", "-") for name in names) + ")"
