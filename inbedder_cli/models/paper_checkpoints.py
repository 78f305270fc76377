"""The paper's checkpoints by name, and how each wants to be asked (its reference code's configs and patterns).

The paper's tables read roberta-large-InBedder at its last layer (`--layer -1`); its demo, and so this table,
after the head's transform and standardised.
"""

from __future__ import annotations

from typing import TypedDict

from inbedder_cli.options import Architecture, Pooling


class Known(TypedDict, total=False):
    """Settings of `ModelFiles`; a layer of None is the last, or a masked model's head."""

    template: str
    architecture: Architecture
    layer: int | None
    pooling: Pooling
    n_masks: int
    standardise: bool


_CAUSAL: Known = {
    "template": "paper",
    "architecture": Architecture.causal,
    "layer": None,
    "pooling": Pooling.first_token,
}
_MASKED: Known = {
    "template": "paper",
    "architecture": Architecture.masked,
    "layer": None,
    "pooling": Pooling.masks,
}

KNOWN: dict[str, Known] = {
    "BrandonZYW/llama-2-7b-InBedder": _CAUSAL,
    "BrandonZYW/opt-2.7b-InBedder": _CAUSAL,
    "BrandonZYW/opt-1.3b-InBedder": _CAUSAL,
    "BrandonZYW/roberta-large-InBedder": {**_MASKED, "n_masks": 3, "standardise": True},
}
