"""Average adapters of one base: `python average.py ONE OTHER ... FOLDER --weights 0.6 0.6`.

The adapters are folders made by `inbedder train`, or checkpoints in its folder `NAME.partial/checkpoints`. FOLDER
becomes a copy of ONE, which must be a whole encoder, with the averaged adapter. What is averaged is what the
adapters add to the weights, B·A, not B and A, whose signs and order mean nothing. The sum has the rank of all
together; it is cut to the rank of ONE by its singular values. The card holds those of all encoders.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE = "adapter/adapter_model.safetensors"
CARD = "card.json"


def main() -> None:
    """Read adapters and write the averaged one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("adapters", type=Path, nargs="+")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=float, nargs="+", help="one per adapter; by default they are equal")
    options = parser.parse_args()
    weights = options.weights or [1 / len(options.adapters)] * len(options.adapters)
    adapters = [load_adapter(path) for path in options.adapters]
    averaged = {}
    for name_a in (name for name in adapters[0] if ".lora_A." in name):
        name_b = name_a.replace(".lora_A.", ".lora_B.")
        # an adapter of some layers only leaves the others as they are
        parts = [(part, w) for part, w in zip(adapters, weights, strict=True) if name_a in part]
        a = torch.cat([part[name_a].float() for part, _ in parts])
        b = torch.cat([part[name_b].float() * weight for part, weight in parts], 1)
        averaged[name_a], averaged[name_b] = cut(a, b, len(adapters[0][name_a]))
    shutil.copytree(options.adapters[0], options.folder)
    save_file(averaged, options.folder / FILE, metadata={"format": "pt"})
    (options.folder / CARD).write_text(json.dumps(card_of(options.adapters, weights), indent=2) + "\n")


def card_of(folders: Sequence[Path], weights: Sequence[float]) -> dict[str, Any]:
    """Return the card of an average; a checkpoint has none."""
    cards = [json.loads((folder / CARD).read_text()) if (folder / CARD).exists() else None for folder in folders]
    parts = [{"weight": weight, "card": card} for weight, card in zip(weights, cards, strict=True)]
    return {"schema": 1, "averaged": parts, "by": "recipes/inbedder-135m/average.py"}


def load_adapter(folder: Path) -> dict[str, torch.Tensor]:
    """Return the weights of an encoder's adapter, or of a checkpoint, by the names that peft saves."""
    if (folder / FILE).exists():
        return load_file(folder / FILE)
    trained = load_file(folder / "trained.safetensors")
    return {
        name.replace("lm.", "base_model.model.", 1).replace(".default.", "."): weights
        for name, weights in trained.items()
    }


def cut(a: torch.Tensor, b: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return factors of the nearest matrix to b @ a of a rank, in bfloat16.

    :param a: shape (r, n_in).
    :param b: shape (n_out, r).
    :param rank: of the result, at most r.
    """
    basis_out, triangle_out = torch.linalg.qr(b)
    basis_in, triangle_in = torch.linalg.qr(a.T)
    left, values, right = torch.linalg.svd(triangle_out @ triangle_in.T)
    roots = values[:rank].sqrt()
    new_a = (right[:rank] * roots[:, None]) @ basis_in.T
    new_b = (basis_out @ left[:, :rank]) * roots
    return new_a.bfloat16().contiguous(), new_b.bfloat16().contiguous()


if __name__ == "__main__":
    main()
