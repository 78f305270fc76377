"""Hidden states -> vectors: which states a readout takes, and from which layer (InBedder, section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inbedder_cli.errors import UsageProblem
from inbedder_cli.options import Readout

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch


class Reading:
    """Collects the states of one batch that a readout asks for (see `options.Readout` for s1..sm).

    :param first: s1 of each row, shape (batch, hidden_size).
    :param prompt: the prompt's states, shape (batch, tokens, hidden_size).
    :param mask: which of these are real tokens, shape (batch, tokens).
    :param readout: any but `masks`.
    """

    def __init__(self, first: torch.Tensor, prompt: torch.Tensor, mask: torch.Tensor, readout: Readout) -> None:
        self.readout = readout
        self.first = first
        self.last = first
        self.sum = first.clone()
        self.count = first.new_ones(len(first), 1)
        if readout in (Readout.prompt_mean, Readout.all_mean):
            self.prompt_sum, self.prompt_count = _sum_over(prompt, mask)

    def add(self, state: torch.Tensor, alive: torch.Tensor, *, first: bool) -> None:
        """Take the state that spoke an answer token, in the rows whose answer went on; s1 is there already."""
        if first or not self.readout.reads_answer:
            return
        self.sum += state * alive[:, None]
        self.count += alive[:, None]
        self.last = state.where(alive[:, None], self.last)

    def vectors(self) -> torch.Tensor:
        """Return the vectors, shape (batch, hidden_size)."""
        match self.readout:
            case Readout.first_token:
                return self.first
            case Readout.answer_mean:
                return self.sum / self.count
            case Readout.answer_last:
                return self.last
            case Readout.prompt_mean:
                return self.prompt_sum / self.prompt_count
            case Readout.all_mean:  # s1 is in both sums
                return (self.prompt_sum + self.sum - self.first) / (self.prompt_count + self.count - 1)
            case Readout.masks:
                raise AssertionError("only a masked model has masks")


def mean_over(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean of the masked-in states, shape (batch, hidden_size), from (batch, tokens, hidden_size)."""
    total, count = _sum_over(states, mask)
    return total / count


def _sum_over(states: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return (states.float() * mask[..., None]).sum(1), mask.sum(1, keepdim=True)


def checked_readout(wanted: Readout, fitting: Sequence[Readout], kind: str) -> Readout:
    """Return the readout.

    :raises UsageProblem: when it means nothing for this kind of model.
    """
    if wanted not in fitting:
        raise UsageProblem(
            f"the readout {wanted} means nothing for a {kind} model",
            hint=f"choose another: --readout {' | '.join(fitting)}",
        )
    return wanted


def checked_layer(wanted: int | None, n_layers: int) -> int:
    """Return the index into the hidden states: None is the last, negative ones count from the end.

    :raises UsageProblem: when the model has no such layer.
    """
    if wanted is None:
        return n_layers
    layer = wanted + n_layers + 1 if wanted < 0 else wanted
    if not 0 <= layer <= n_layers:
        raise UsageProblem(
            f"there is no layer {wanted}",
            hint=f"this model has hidden states 0 (embeddings) to {n_layers} (after the final norm)",
        )
    return layer
