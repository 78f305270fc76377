"""The output layer of a causal model, with what its architecture does to the logits afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch


def output_head(model: Any) -> Callable[[torch.Tensor], torch.Tensor]:  # noqa: ANN401
    """Return a function from last hidden states to logits, as the model's own forward pass computes them.

    Granite divides the logits (`logits_scaling`), Cohere multiplies them (`logit_scale`), and Gemma 2 bounds them
    (`final_logit_softcapping`).

    :param model: a transformers model for causal language modeling.
    """
    head, config = model.get_output_embeddings(), model.config.get_text_config(decoder=True)
    factor = (getattr(config, "logit_scale", None) or 1) / (getattr(config, "logits_scaling", None) or 1)
    cap = getattr(config, "final_logit_softcapping", None)
    if factor == 1 and cap is None:
        return head  # type: ignore[no-any-return]

    def logits_of(states: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = head(states) * factor
        return logits if cap is None else (logits / cap).tanh() * cap

    return logits_of
