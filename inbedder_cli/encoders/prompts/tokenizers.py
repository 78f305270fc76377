"""What a model's own tokenizer may do to a text: shorten it, split it, but not make gigabytes of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from inbedder_cli.errors import InbedderError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

MAX_GROWTH = 100  # times: spaces become one character or a short name
MAX_MAP = 4 * 2**20  # characters of a map of characters; those in use have up to 500 KB
PANIC = "PanicException"  # of the tokenizers library; it is no Exception


def check_tokenizer(name: str, tokenizer: Any) -> None:  # noqa: ANN401
    """Check that what a tokenizer does to a text cannot make it many times longer.

    :param name: of the model, for the message.
    :param tokenizer: of transformers.
    :raises ModelError: when it can.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    for part in ("normalizer", "pre_tokenizer", "decoder"):
        step = getattr(backend, part, None)
        if step is not None and _growth(json.loads(step.__getstate__())) > MAX_GROWTH:
            raise ModelError(
                f"{name} is damaged: the {part} of its tokenizer makes texts more than {MAX_GROWTH} times as long",
                hint="fetch it again",
            )


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
