"""Average two adapters of one base: `python average.py ONE OTHER FOLDER --weights 0.6 0.6`.

ONE and OTHER are folders made by `inbedder train`; FOLDER becomes a copy of ONE with the averaged adapter. What is
averaged is what the adapters add to the weights, B·A, not B and A, whose signs and order mean nothing. The sum has
the rank of both together; it is cut to the rank of ONE by its singular values.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

FILE = "adapter/adapter_model.safetensors"


def main() -> None:
    """Read two adapters and write the averaged one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("one", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=float, nargs=2, default=(0.5, 0.5))
    options = parser.parse_args()
    one, other = load_file(options.one / FILE), load_file(options.other / FILE)
    averaged = {}
    for name_a in (name for name in one if ".lora_A." in name):
        name_b = name_a.replace(".lora_A.", ".lora_B.")
        a, b = one[name_a].float(), one[name_b].float() * options.weights[0]
        rank = len(a)
        if name_a in other:  # an adapter of some layers only leaves the others as they are
            a = torch.cat([a, other[name_a].float()])
            b = torch.cat([b, other[name_b].float() * options.weights[1]], 1)
        averaged[name_a], averaged[name_b] = cut(a, b, rank)
    shutil.copytree(options.one, options.folder)
    save_file(averaged, options.folder / FILE, metadata={"format": "pt"})


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
