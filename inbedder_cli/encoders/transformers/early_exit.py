"""Run a stack of layers only as far as its states are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class _Reached(Exception):
    def __init__(self, states: torch.Tensor) -> None:
        self.states = states


def states_before(body: torch.nn.Module, layer: int, n_layers: int, inputs: dict[str, Any]) -> torch.Tensor:
    """Return the states that go into a layer, which are hidden state `layer`, without running it or those above.

    The way out is an exception, since then the model's own code does all that comes before, whatever its
    architecture; a truncated copy of the stack would put the final norm on its last states.

    :param layer: 0 to n_layers - 1.
    :raises LookupError: when the model has no stack of so many layers.
    """
    import torch

    stacks = (m for m in body.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == n_layers)
    if (stack := next(stacks, None)) is None:
        raise LookupError(f"no stack of {n_layers} layers")

    def stop(_: Any, args: tuple[torch.Tensor, ...], kwargs: dict[str, Any]) -> None:  # noqa: ANN401
        raise _Reached(args[0] if args else kwargs["hidden_states"])

    hook = stack[layer].register_forward_pre_hook(stop, with_kwargs=True)
    try:
        body(**inputs)
    except _Reached as reached:
        return reached.states
    finally:
        hook.remove()
    raise LookupError(f"layer {layer} was not run")
