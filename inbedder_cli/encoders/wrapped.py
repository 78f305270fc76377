"""The base class of encoders that wrap another one: with a cache, or with worker processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inbedder_cli.encoders.base import BaseEncoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.encoders.base import Encoder, ModelRecord, Preview
    from inbedder_cli.options import EncodeOptions


@dataclass
class WrappedEncoder(BaseEncoder):
    """An encoder that is known by the name, dtype, device, identity and record of the one it wraps.

    :param encoder: the encoder it wraps.
    """

    encoder: Encoder

    @property
    def name(self) -> str:
        """Name of the model in messages."""
        return self.encoder.name

    @property
    def dtype(self) -> str:
        """The dtype that the encoder computes in."""
        return self.encoder.dtype

    @property
    def device(self) -> str:
        """The device that the encoder computes on."""
        return self.encoder.device

    @property
    def languages(self) -> tuple[str, ...] | None:
        """Languages that the encoder reads."""
        return self.encoder.languages

    @property
    def identity(self) -> str:
        """The identity of the encoder."""
        return self.encoder.identity

    @property
    def record(self) -> ModelRecord | None:
        """How to load the encoder again."""
        return self.encoder.record

    def preview(self, texts: Sequence[str], instruction: str, options: EncodeOptions) -> Preview:
        """Return the estimate of the encoder it wraps; see `Encoder`.

        :param texts: texts in any order, at least one.
        :param instruction: the question to ask about each text.
        :param options: how texts become vectors and answers.
        :return: the prompt of the first text, counts, and the estimated time.
        """
        return self.encoder.preview(texts, instruction, options)
