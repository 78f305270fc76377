"""What a model's own tokenizer may do to a text: shorten it, split it, but not make gigabytes of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from inbedder_cli.errors import InbedderError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Result = TypeVar("Result")

MAX_GROWTH = 100  # times: spaces become one character or a short name
MAX_MAP = 4 * 2**20  # characters of a map of characters; those in use have up to 500 KB
MAX_ADDED = 1000  # ids that its template may put around a text
PANIC = "PanicException"  # of the tokenizers library; it is no Exception


class _Steps(msgspec.Struct):
    """The steps of a tokenizer.json; its vocabulary is not read."""

    normalizer: Any = None
    pre_tokenizer: Any = None
    decoder: Any = None
    post_processor: Any = None


def check_tokenizer_file(name: str, file: Path) -> None:
    """Check the steps of a tokenizer.json before it is loaded: loading applies them to its own tokens.

    :param name: of the model, for the message.
    :param file: the file, which may be missing, or damaged in another way.
    :raises ModelError: when a step makes texts many times longer.
    """
    try:
        steps = msgspec.json.decode(file.read_bytes(), type=_Steps)
    except (FileNotFoundError, msgspec.MsgspecError, ValueError, RecursionError):
        return  # who loads it will tell
    for part in ("normalizer", "pre_tokenizer", "decoder"):
        _check_growth(name, part, getattr(steps, part))
    if _added_ids(steps.post_processor) > MAX_ADDED:
        raise ModelError(f"{name} is damaged: its tokenizer adds ids to each text", hint="fetch it again")


def check_tokenizer(name: str, tokenizer: Any) -> None:  # noqa: ANN401
    """Check that what a tokenizer does to a text cannot make it many times longer.

    :param name: of the model, for the message.
    :param tokenizer: of transformers.
    :raises ModelError: when it can.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    for part in ("normalizer", "pre_tokenizer", "decoder"):
        step = getattr(backend, part, None)
        if step is not None:
            _check_growth(name, part, json.loads(step.__getstate__()))


def _check_growth(name: str, part: str, step: Any) -> None:  # noqa: ANN401
    if _growth(step) > MAX_GROWTH:
        raise ModelError(
            f"{name} is damaged: the {part} of its tokenizer makes texts more than {MAX_GROWTH} times as long",
            hint="fetch it again",
        )


def _added_ids(step: Any) -> int:  # noqa: ANN401
    """Return how many ids the templates of a post-processor can add to a text, at most."""
    if isinstance(step, list):
        return sum(map(_added_ids, step))
    if not isinstance(step, dict):
        return 0
    pieces = max((len(step[name]) for name in ("single", "pair") if isinstance(step.get(name), list)), default=0)
    tokens = step.get("special_tokens")
    ids = (
        [each.get("ids") for each in tokens.values() if isinstance(each, dict)] if isinstance(tokens, dict) else []
    )
    longest = max((len(each) for each in ids if isinstance(each, list)), default=1)
    return pieces * longest + sum(map(_added_ids, step.values()))


def _growth(step: Any) -> float:  # noqa: ANN401
    """Return how many times longer a text can become, at most, by this step and those in it."""
    growth = 1.0
    if isinstance(step, dict):
        content, added, characters = step.get("content"), step.get("prepend"), step.get("precompiled_charsmap")
        if isinstance(characters, str) and len(characters) > MAX_MAP:
            return float("inf")
        growth *= max(1, len(content)) if isinstance(content, str) else 1
        growth *= 1 + len(added) if isinstance(added, str) else 1
        parts = list(step.values())
    else:
        parts = step if isinstance(step, list) else []
    for part in parts:
        growth *= _growth(part)
    return growth


def run_tokenizer(action: Callable[[], Result]) -> Result:
    """Return the result of an action of a tokenizer.

    :param action: calls the tokenizer.
    :return: its result.
    :raises ModelError: when the tokenizer fails.
    """
    try:
        return action()
    except (InbedderError, MemoryError):
        raise
    except BaseException as error:  # a damaged tokenizer raises anything
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise ModelError(
            f"the tokenizer of this model is damaged: {reason}", hint="fetch the model again"
        ) from error
