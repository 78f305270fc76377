"""The folder of an unfinished run: what run it is, and the checkpoint from which it goes on."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import TYPE_CHECKING, Any

from inbedder_cli.errors import UsageError
from inbedder_cli.training.distributed import n_processes

if TYPE_CHECKING:
    from pathlib import Path

    from inbedder_cli.training.recipes import TrainOptions

PARTIAL = ".partial"  # its name is the output's with this
SETTINGS = "settings.json"
CHECKPOINTS = "checkpoints"


def run_record(
    base: dict[str, Any],
    begins_with: str | None,
    files: dict[str, str],
    options: TrainOptions,
    number_format: str,
    batches: str,
) -> dict[str, Any]:
    """Return what makes a run this run, as JSON gives it back.

    :param base: the manifest's entry of it, with the hash of its weights.
    :param begins_with: SHA-256 of the adapter that learns on, if any.
    :param files: SHA-256 of each file of examples, by name.
    :param number_format: in which it computes.
    :param batches: a hash of all that is learned, in its order.
    """
    settings = json.loads(json.dumps(dataclasses.asdict(options)))
    made = {"number_format": number_format, "processes": n_processes(), "batches": batches}
    return {"base": base, "begins_with": begins_with, "data": files, "settings": settings} | made


def open_run(folder: Path, record: dict[str, Any], *, force: bool) -> str | None:
    """Make the folder of a run, or find in it the checkpoint to go on from (None: from the beginning).

    :param force: start anew where it holds another run.
    :raises UsageError: when it holds another run.
    """
    settings = folder / SETTINGS
    found, checkpoint = _read(settings), last_checkpoint(folder / CHECKPOINTS)
    if found == record:
        return checkpoint
    if folder.exists():
        if checkpoint and not force:
            raise UsageError(
                f"{folder} holds an unfinished run with other {_difference(found, record)}",
                hint="repeat its command to finish it, or start anew with --force",
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    settings.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return None


def last_checkpoint(folder: Path) -> str | None:
    """Return the latest checkpoint that was written to its end; Trainer writes its state last."""
    found = [
        path
        for path in folder.glob("checkpoint-*")
        if _read(path / "trainer_state.json") and len(list(path.glob("rng_state*"))) >= n_processes()
    ]
    return str(max(found, key=lambda path: int(path.name.rpartition("-")[2]))) if found else None


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _difference(found: dict[str, Any], record: dict[str, Any]) -> str:
    before, now = found.get("settings", {}), record["settings"]
    names = [name for name in now if before.get(name) != now[name]]
    names += [name for name in record if name != "settings" and found.get(name) != record[name]]
    return "settings (" + ", ".join(name.replace("_", "-") for name in names) + ")"
