"""The command that makes a saved run again, also one of another version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from inbedder_cli.encoders import ModelRecord
from inbedder_cli.errors import UsageError
from inbedder_cli.options import ClusterOptions, EncodeOptions, ExplainOptions, UnansweredOptions
from inbedder_cli.report.command import AskedQuestion, cluster_command

if TYPE_CHECKING:
    from pathlib import Path

    from inbedder_cli.runs.schema import Manifest

AGAIN = "save the run again: "
UNKNOWN = f"{AGAIN}cluster --save"


class _OlderSettings(Struct):
    algorithm: str
    k: int | None = None
    min_cluster_size: int | None = None


class _OlderModel(Struct):
    reference: str


class _OlderQuestion(Struct):
    instruction: str


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
        asked = older.questions or {"": _OlderQuestion(older.instruction)}
        questions = []
        for name, question in asked.items():
            made = older.settings[name]
            options = ClusterOptions(algorithm=made.algorithm, k=made.k, min_cluster_size=made.min_cluster_size)
            questions.append(AskedQuestion(name, question.instruction, options, k_is_selected=False))
    except (msgspec.MsgspecError, ValueError, RecursionError, KeyError, TypeError, UsageError):
        return UNKNOWN
    command = cluster_command(
        older.source,
        questions,
        ModelRecord(older.model.reference, "", "", None),
        reading=None,
        encode_options=EncodeOptions(),
        unanswered_options=UnansweredOptions(),
        explain_options=ExplainOptions(),
        save=str(folder),
    )
    return f"{AGAIN}{command}" if command else UNKNOWN


def how_to_repeat(run: Manifest, folder: Path) -> str:
    """Return a hint with the command that makes a run again.

    :param run: its manifest.
    :param folder: the folder of the run.
    """
    questions = [
        AskedQuestion(
            name,
            question.instruction,
            run.cluster_options(name),
            k_is_selected=question.clustering.k_selection is not None,
        )
        for name, question in run.questions.items()
    ]
    command = cluster_command(
        run.source,
        questions,
        run.model_record,
        reading=run.reading,
        encode_options=run.encode_options,
        unanswered_options=run.flag_options,
        explain_options=run.explain_options,
        by=run.crossed,
        multi=any(question.multi for question in run.questions.values()),
        save=str(folder),
    )
    return f"{AGAIN}{command}" if command else UNKNOWN
