"""Model references -> a local folder of safetensors and a tokenizer, ready to load."""

from inbedder_cli.models.resolve import ModelFiles, resolve_model

__all__ = ["ModelFiles", "resolve_model"]
