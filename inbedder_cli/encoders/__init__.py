"""Language models that turn (texts, instruction) into vectors and answers."""

from inbedder_cli.encoders.base import Encoded, Encoder, Preview
from inbedder_cli.encoders.transformers.loading import load_encoder

__all__ = ["Encoded", "Encoder", "Preview", "load_encoder"]
