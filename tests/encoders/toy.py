"""An encoder backend as somebody outside the package would write it: hashed bags of words."""

from __future__ import annotations

import zlib

import numpy as np

from inbedder_cli.encoders.base import BaseEncoder
from inbedder_cli.encoders.encoded import Answer, EncodedText
from inbedder_cli.errors import UsageError


class ToyEncoder(BaseEncoder):
    def __init__(self, reference, **_):
        self.name = f"toy {reference}"
        self.identity = f"toy 1 {reference}"
        self.n_encoded = 0

    def encode_batches(self, texts, instruction, options=None, reporter=None, known=()):
        if options and options.layer is not None:
            raise UsageError(f"there is no layer {options.layer}", hint="leave out --layer")
        for text in texts:
            if text not in known:
                self.n_encoded += 1
                words = text.split()
                vector = np.zeros(16, np.float32)
                for word in words:
                    vector[zlib.crc32(word.encode("utf-8", "replace")) % 16] += 1
                first = words[0] if words else "nothing"
                yield {text: EncodedText(vector, Answer(first, 0.9, ((first, 0.75),)), len(words) > 3)}
