"""Stop building a model that is far larger than its weights, whatever setting asks for it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from inbedder_cli.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

# transformers builds a model without memory for its weights, but then asks for all that the files do not fill.
TIES = 4  # times that a model registers one weight: embeddings of encoder, decoder, head and the shared ones
MAX_MODULES = 10  # modules per tensor in the files, at most: activations and lists of layers have no tensors
SPARE_VALUES = 2**27  # masks and tables of positions are in no file


@contextmanager
def bounded_construction(name: str, n_tensors: int, n_values: int) -> Iterator[None]:
    """Raise when modules or values are registered that cannot come from the weights.

    :param name: of the model, for the message.
    :param n_tensors: number of tensors in the files.
    :param n_values: number of values in all tensors.
    :yield: nothing.
    :raises ModelError: when the model is too large.
    """
    from torch.nn.modules import module

    modules = values = 0

    def count_module(_: torch.nn.Module, __: str, ___: torch.nn.Module | None) -> None:
        nonlocal modules
        modules += 1
        if modules > MAX_MODULES * (n_tensors + 10):
            raise _too_large(name, "layers", n_tensors, "tensors")

    def count_values(_: torch.nn.Module, __: str, tensor: torch.Tensor | None) -> None:
        nonlocal values
        values += tensor.numel() if tensor is not None and tensor.is_meta else 0  # not those that are filled
        if values > TIES * n_values + SPARE_VALUES:
            raise _too_large(name, "values", n_values, "values")

    hooks: list[Any] = [
        module.register_module_module_registration_hook(count_module),
        module.register_module_parameter_registration_hook(count_values),
        module.register_module_buffer_registration_hook(count_values),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _too_large(name: str, what: str, found: int, unit: str) -> ModelError:
    return ModelError(
        f"cannot load {name}: its config.json asks for many more {what} than its weights have ({found:,} {unit})",
        hint="config.json and weights must be those of one model; fetch it again",
    )
