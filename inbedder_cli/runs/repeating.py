"""The command that makes a saved run again, also one of another version."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from inbedder_cli.runs.schema import Manifest, Question, Settings

LONGEST_COMMAND = 3000  # characters


class _OlderSettings(Struct):
    algorithm: str
    k: int | None = None
    min_cluster_size: int | None = None


class _OlderModel(Struct):
    reference: str


class _OlderQuestion(Struct):
    instruction: str
    multi: None = None


class _AnyManifest(Struct):
    """What manifests of all schemas hold, and the command that recreates the run is made of."""

    source: str
    model: _OlderModel
    settings: dict[str, _OlderSettings]
    instruction: str = ""
    questions: dict[str, _OlderQuestion] = {}


def how_to_repeat_older(content: bytes, folder: Path) -> str:
    """Return a hint with the command that makes a run of another version again, as far as its manifest is known.

    :param content: run.json.
    :param folder: the folder of the run.
    """
    try:
        older = msgspec.json.decode(content, type=_AnyManifest)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return "save the run again: cluster --save"
    return how_to_repeat(older, folder)


def _is_selected(run: Manifest | _AnyManifest, name: str) -> bool:
    """Return whether k was selected, as far as is known; one cluster cannot be asked for."""
    made = getattr(run.questions.get(name), "clustering", None)
    return (run.settings[name].k or 0) < 2 or (made is not None and made.k_selection is not None)


def how_to_repeat(run: Manifest | _AnyManifest, folder: Path) -> str:
    """Return a hint with the command that makes a run again.

    :param run: its manifest, of any schema.
    :param folder: the folder of the run.
    """
    words = ["inbedder", "cluster", run.source]
    questions: Mapping[str, Question | _OlderQuestion] = run.questions
    for name, question in (questions or {"": _OlderQuestion(getattr(run, "instruction", ""))}).items():
        words += ["-i", f"{name}={question.instruction}" if name else question.instruction]
    settings: list[Settings | _OlderSettings] = [*run.settings.values()]
    numbers = ["auto" if _is_selected(run, name) else str(s.k) for name, s in run.settings.items()]
    if set(numbers) != {"auto"}:
        words += [word for number in numbers for word in ("-k", number)]
    for first in settings[:1]:
        if first.min_cluster_size:
            words += ["--min-cluster-size", str(first.min_cluster_size)]
        words += ["-a", first.algorithm]
    words += ["--multi"] * any(question.multi for question in questions.values())
    words += ["-m", run.model.reference, "--save", str(folder), "--force"]
    command = shlex.join(words)
    return f"save the run again: {command if len(command) <= LONGEST_COMMAND else 'cluster --save'}"
