"""Ways to encode faster: a shared prompt prefix, and an early exit at the layer that is used.

Whether they give the same vectors for a model is checked at run time; see `causal.py`.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from inbedder_cli.encoders.prompts.prompter import Prompter

MIN_PREFIX = 4  # tokens; a shorter prefix is not worth sharing
BEGINNINGS = ("", "a", "The", "I'm", "0", "“", "é")  # of texts: the prompts' common prefix ends where they differ


def common_prefix(rows: Sequence[list[int]]) -> list[int]:
    """Return the common prefix of the rows, at most all but the last id of the shortest row.

    :param rows: token ids, at least one row.
    :return: token ids.

    >>> common_prefix([[1, 2, 3], [1, 2], [1, 2, 4]])
    [1]
    """
    limit = min(map(len, rows)) - 1
    for i, ids in enumerate(zip(*rows, strict=False)):
        if i == limit or len(set(ids)) > 1:
            return rows[0][:i]
    return []


def find_prefix(prompter: Prompter) -> list[int]:
    """Return the ids that all prompts begin with, or an empty list if they are too few to share.

    They depend on the template and the instruction only, so that texts do not change each other's vectors.

    :param prompter: makes the prompts.
    :return: token ids.
    """
    prefix = common_prefix(prompter.encode(BEGINNINGS)[0])
    return prefix if len(prefix) >= MIN_PREFIX else []


class SharedPrefix:
    """The keys and values of a prompt prefix (prefix caching).

    :param ids: the token ids of the prefix.
    :param cache: its `past_key_values`, of one row.
    """

    def __init__(self, ids: list[int], cache: Any) -> None:  # noqa: ANN401
        self.ids = ids
        self.cache = cache

    def begins(self, prompts: Sequence[list[int]]) -> bool:
        """Return whether all prompts begin with the prefix and continue after it.

        :param prompts: token ids.
        :return: whether the prefix can be used for all of them.
        """
        n = len(self.ids)
        return all(len(ids) > n and ids[:n] == self.ids for ids in prompts)

    def for_rows(self, n: int) -> Any:  # noqa: ANN401
        """Return a copy of the cache.

        :param n: number of rows of the copy.
        :return: `past_key_values` of n rows.
        """
        cache = copy.deepcopy(self.cache)
        cache.batch_repeat_interleave(n)
        return cache


class _Exit(Exception):
    def __init__(self, states: torch.Tensor) -> None:
        self.states = states


def states_before(body: torch.nn.Module, layer: int, n_layers: int, inputs: dict[str, Any]) -> torch.Tensor:
    """Return hidden state `layer`, the input of that layer, without running it or the layers above (early exit).

    The exit is an exception, so that the model's own code runs everything below, whatever its architecture. A
    truncated copy of the stack would apply the final norm to its last states.

    :param body: the model without its head.
    :param layer: 0 to n_layers - 1.
    :param n_layers: number of layers.
    :param inputs: keyword arguments of the forward pass.
    :return: shape (batch, tokens, hidden_size).
    :raises LookupError: when the model has no stack of that many layers.
    """
    import torch

    stacks = (m for m in body.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == n_layers)
    if (stack := next(stacks, None)) is None:
        raise LookupError(f"no stack of {n_layers} layers")

    def stop(_: Any, args: tuple[torch.Tensor, ...], kwargs: dict[str, Any]) -> None:  # noqa: ANN401
        raise _Exit(args[0] if args else kwargs["hidden_states"])

    hook = stack[layer].register_forward_pre_hook(stop, with_kwargs=True)
    try:
        body(**inputs)
    except _Exit as reached:
        return reached.states
    finally:
        hook.remove()
    raise LookupError(f"layer {layer} was not run")
