"""Encoders: language models that turn texts and an instruction into vectors and answers."""

from inbedder_cli.encoders.backends import encoder_backends, load_encoder, load_recorded
from inbedder_cli.encoders.base import BaseEncoder, Encoder, ModelRecord
from inbedder_cli.encoders.encoded import Encoded, EncodedText

__all__ = [
    "BaseEncoder",
    "Encoded",
    "EncodedText",
    "Encoder",
    "ModelRecord",
    "encoder_backends",
    "load_encoder",
    "load_recorded",
]
