"""Encoders: language models that turn texts and an instruction into vectors and answers."""

from inbedder_cli.encoders.backends import encoder_backends, load_encoder
from inbedder_cli.encoders.base import BaseEncoder, Encoder, ModelRecord, Preview
from inbedder_cli.encoders.encoded import Encoded, EncodedText

__all__ = [
    "BaseEncoder",
    "Encoded",
    "EncodedText",
    "Encoder",
    "ModelRecord",
    "Preview",
    "encoder_backends",
    "load_encoder",
]
