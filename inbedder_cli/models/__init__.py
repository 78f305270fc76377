"""Model references -> a local folder of safetensors and a tokenizer, ready to load."""

from inbedder_cli.models.resolve import DEFAULT_MODEL, ModelFiles, resolve_model

__all__ = ["DEFAULT_MODEL", "ModelFiles", "resolve_model"]
