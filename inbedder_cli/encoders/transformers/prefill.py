"""What reading prompts leaves for decoding, and how several readings become one batch to decode.

A step of decoding waits for the weights to come from memory, however few rows it has; a pass over prompts is
fastest while its states fit a CPU's cache. So prompts are read in small batches and answered in large ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch


class Prefill(NamedTuple):
    """What one pass over prompts gave.

    :param state: s1 of each row, shape (batch, hidden_size).
    :param logits: of the first answer token, shape (batch, vocabulary), where they are wanted.
    :param prompt: sum and number of the states of each prompt, where they are wanted.
    :param seen: which places of the cache hold real tokens, shape (batch, places); the others are padding.
    :param cache: keys and values, a `DynamicCache`, where answers are decoded.
    """

    state: torch.Tensor
    logits: Any
    prompt: tuple[torch.Tensor, torch.Tensor] | None
    seen: torch.Tensor
    cache: Any


def joined(parts: Sequence[Prefill]) -> Prefill:
    """Return all rows as one batch, the caches padded on the right to the widest."""
    import torch
    from torch.nn.functional import pad

    if len(parts) == 1:
        return parts[0]
    first, width = parts[0], max(part.seen.shape[1] for part in parts)

    def together(tensors: list[Any]) -> Any:  # noqa: ANN401
        return None if tensors[0] is None else torch.cat(tensors)

    def widened(part: Prefill, states: torch.Tensor) -> torch.Tensor:  # (batch, heads, places, size)
        return pad(states, (0, 0, 0, width - part.seen.shape[1]))

    for i, layer in enumerate(first.cache.layers if first.cache else []):
        layer.keys = torch.cat([widened(part, part.cache.layers[i].keys) for part in parts])
        layer.values = torch.cat([widened(part, part.cache.layers[i].values) for part in parts])
    return Prefill(
        together([part.state for part in parts]),
        together([part.logits for part in parts]),
        first.prompt
        and tuple(together(tensors) for tensors in zip(*(part.prompt for part in parts), strict=True)),
        torch.cat([pad(part.seen, (0, width - part.seen.shape[1])) for part in parts]),
        first.cache,
    )
