"""Make an encoder of an unfinished run: `python snapshot.py RUN.partial FOLDER [--base models/FILE.gguf]`.

It has the weights of the last checkpoint, as a finished run would write them; its card says that it is unfinished.
`--base` names the base as `inbedder --model` is to find it, instead of by its place on this machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

BEFORE, AFTER = "lm.", "base_model.model."


def main() -> None:
    """Read the run's folder and write the encoder's."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--base", help="reference of the base")
    options = parser.parse_args()
    record = json.loads((options.run / "settings.json").read_text(encoding="utf-8"))
    checkpoint = last_checkpoint(options.run / "checkpoints")
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    if options.base:
        record["base"]["model"] = options.base
    adapter = options.folder / "adapter"
    adapter.mkdir(parents=True)
    learned = load_file(checkpoint / "learned.safetensors")
    tensors = {peft_name(name): tensor.to(torch.bfloat16).contiguous() for name, tensor in learned.items()}
    save_file(tensors, adapter / "adapter_model.safetensors")
    (adapter / "adapter_model.safetensors").chmod(0o644)
    write(adapter / "adapter_config.json", adapter_config(record["settings"]["rank"], tensors))
    write(options.folder / "inbedder.json", manifest(options.folder.name, record, tensors))
    card = record | {
        "schema": 1,
        "unfinished": True,
        "steps": state["global_step"],
        "steps_planned": state["max_steps"],
        "adapter_sha256": hashlib.sha256((adapter / "adapter_model.safetensors").read_bytes()).hexdigest(),
        "curve": state["log_history"],
    }
    write(options.folder / "card.json", card)


def last_checkpoint(folder: Path) -> Path:
    """Return the latest checkpoint that was written to its end."""
    found = [path for path in folder.glob("checkpoint-*") if (path / "trainer_state.json").is_file()]
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]))


def peft_name(name: str) -> str:
    """Return the name of a matrix in PEFT's files.

    >>> peft_name("lm.model.layers.0.mlp.up_proj.lora_A.default.weight")
    'base_model.model.model.layers.0.mlp.up_proj.lora_A.weight'
    """
    return AFTER + name.removeprefix(BEFORE).replace(".default.", ".")


def adapter_config(rank: int, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Return what PEFT and `inbedder` read beside the matrices."""
    names = sorted({name.removeprefix(AFTER).rpartition(".lora_")[0] for name in tensors})
    scale = {"r": rank, "lora_alpha": rank, "use_rslora": False}
    return {"peft_type": "LORA", "bias": "none", "target_modules": names, "inference_mode": True, **scale}


def manifest(name: str, record: dict[str, Any], tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Return `inbedder.json`."""
    settings = record["settings"]
    layers = {int(part) for tensor in tensors for part in tensor.split(".") if part.isdigit()}
    return {
        "schema": 1,
        "name": name,
        "description": f"{record['base']['model']}, trained by inbedder train, unfinished",
        "licence": f"what {record['base']['model']} and the training data ask for",
        "base": record["base"],
        "adapter": "adapter",
        "template": settings["template"].replace("\\n", "\n"),
        "layer": max(layers) + 1 if settings["layer"] is None else settings["layer"],
        "readout": settings["readout"],
    }


def write(path: Path, value: dict[str, Any]) -> None:
    """Write JSON as `inbedder train` does."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
