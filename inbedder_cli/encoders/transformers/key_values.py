"""Keys and values of a batch, and who attends to what."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch


class Segment(NamedTuple):
    """Rows with equally many tokens, whose attention is computed together.

    :param rows: in the cache.
    :param tokens: in the matrix of all tokens.
    :param n_tokens: of each row.
    :param end: position in the cache after the last token.
    :param mask: added to the scores, broadcast to (rows, heads, tokens, positions), or None.
    """

    rows: slice
    tokens: slice
    n_tokens: int
    end: int
    mask: torch.Tensor | None


class KeyValueCache:
    """Keys and values of a batch, each of shape (layers, rows, heads, positions, size).

    :param shape: of the keys, and of the values.
    :param dtype: of the model.
    :param prefix: keys and values at the first positions of every row, of one row, or None.
    """

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype, prefix: KeyValueCache | None = None) -> None:
        import torch

        # Of zeros: what is masked still takes part in a product, and must be finite.
        self.keys, self.values = (torch.zeros(shape, dtype=dtype) for _ in range(2))
        if prefix is not None:
            n_shared = prefix.keys.shape[3]
            self.keys[:, :, :, :n_shared] = prefix.keys
            self.values[:, :, :, :n_shared] = prefix.values

    def store(self, layer: int, segment: Segment, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Store the keys and values of a segment's tokens.

        :param layer: index of the layer.
        :param segment: the tokens.
        :param keys: of all tokens, shape (tokens, heads, size), or with heads and sizes in one dimension.
        :param values: like the keys.
        """
        positions = slice(segment.end - segment.n_tokens, segment.end)
        for stored, new in ((self.keys, keys), (self.values, values)):
            _, _, n_heads, _, size = stored.shape
            own = new[segment.tokens].view(-1, segment.n_tokens, n_heads, size)
            stored[layer, segment.rows, :, positions] = own.transpose(1, 2)

    def keep(self, rows: torch.Tensor) -> None:
        """Reduce the batch to some rows.

        :param rows: their indices.
        """
        self.keys, self.values = self.keys[:, rows], self.values[:, rows]


def causal_mask(n_tokens: int, n_positions: int, dtype: torch.dtype) -> torch.Tensor | None:
    """Return what is added to scores so that no token attends to what follows it, or None for a single token.

    :param n_tokens: how many tokens attend; they are the last.
    :param n_positions: to how many, themselves included.
    :param dtype: of the scores.
    :return: 0 or minus infinity, shape (1, 1, n_tokens, n_positions).
    """
    import torch

    if n_tokens == 1:
        return None
    mask = torch.full((n_tokens, n_positions), float("-inf"), dtype=dtype)
    return mask.triu_(n_positions - n_tokens + 1)[None, None]


def last_tokens(segments: Sequence[Segment]) -> list[Segment]:
    """Return segments of only the last token of each row.

    :param segments: with all tokens of their rows.
    :return: one segment for each.
    """
    first = segments[0].rows.start
    return [Segment(s.rows, slice(s.rows.start - first, s.rows.stop - first), 1, s.end, None) for s in segments]


def padding_mask(lengths: torch.Tensor, start: int, end: int, n_heads: int, dtype: torch.dtype) -> torch.Tensor:
    """Return what is added to scores so that an answer's token attends to no padding between prompt and answer.

    :param lengths: of the prompts, in tokens, shape (rows,).
    :param start: position of the answers' first tokens.
    :param end: position after their last.
    :param n_heads: number of key heads.
    :param dtype: of the scores.
    :return: 0 or minus infinity, shape (rows * n_heads, 1, 1, end).
    """
    import torch

    positions = torch.arange(end)
    padding = (positions >= lengths[:, None]) & (positions < start)
    mask = torch.zeros(padding.shape, dtype=dtype).masked_fill_(padding, float("-inf"))
    return mask.repeat_interleave(n_heads, 0)[:, None, None]
