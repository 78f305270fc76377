"""Check the header of a GGUF file against the file, before a library believes it.

The layout is that of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import math
import os
import re
import struct
from operator import attrgetter
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from inbedder_cli.errors import ModelError
from inbedder_cli.models.folder import open_file

if TYPE_CHECKING:
    from pathlib import Path

MAX_COUNT = 2**22  # tokens and merges in one list, and tensors; the largest vocabularies have 2**18
MAX_TEXT = 2**22  # bytes; a chat template takes 20 KB
MAX_TOKEN = 2000  # bytes; the merges of a token are searched in a time that grows with the square of its length
MAX_METADATA = 2**28  # bytes
MAX_LAYERS = 1000
MAX_INT = 2**32
MAX_DIMENSIONS = 8
LAYER = re.compile(r"blk\.([0-9]+)\.")
POSITIVE = ("_epsilon", ".freq_base")
HEAD = "output.weight"
TOKENS = "tokenizer.ggml.tokens"
# Where a file has no head, transformers takes the embeddings for it. That is wrong for these: llama.cpp requires
# their head, which was trained apart from the embeddings.
UNTIED = {"gpt-oss", "gpt_oss", "minimax-m2", "nemotron", "stablelm"}
STRING, ARRAY = 8, 9
WIDTHS = {0: 1, 1: 1, 7: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 10: 8, 11: 8, 12: 8}
FLOATS = {6: "<f", 12: "<d"}
INTEGERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 10: "<Q", 11: "<q"}


def check_gguf(file: Path) -> tuple[int, int]:
    """Check that a GGUF file holds what its header says.

    :param file: the file.
    :return: number of tensors, and number of values in all of them.
    :raises ModelError: when the header is damaged, or promises more than the file holds.
    """
    try:
        with open_file(file) as stream:
            return _Header(stream, os.fstat(stream.fileno()).st_size).check()
    except (ValueError, struct.error, OverflowError) as error:
        raise ModelError(f"{file.name} is damaged: {error}", hint="fetch it again") from error


class _Tensor(NamedTuple):
    """A tensor: its name, its number of values, and where its bytes are in the data."""

    name: str
    n_values: int
    start: int
    end: int


class _Header:
    def __init__(self, stream: BinaryIO, size: int) -> None:
        self.stream, self.size = stream, size
        self.alignment = 32  # bytes, unless the file sets another
        self.architecture = ""
        self.n_layers: int | None = None

    def check(self) -> tuple[int, int]:
        if self.read(4) != b"GGUF":
            raise ValueError("it does not begin with GGUF")
        version, n_tensors, n_settings = struct.unpack("<IQQ", self.read(20))
        if version not in (2, 3):
            raise ValueError(f"its version is {version}, not 2 or 3")
        for _ in range(self.count(n_settings)):
            key = self.text()
            self.setting(key)
        tensors = [self.tensor() for _ in range(self.count(n_tensors))]
        start = -(-self.stream.tell() // self.alignment) * self.alignment
        names = {tensor.name for tensor in tensors}
        if len(names) < len(tensors):
            raise ValueError("two tensors have one name")
        self.check_names(names)
        end = 0
        for tensor in sorted(tensors, key=attrgetter("start")):
            if tensor.start < end:
                raise ValueError(f"the tensor {tensor.name[:80]} shares bytes with another one")
            end = tensor.end
            if start + end > self.size:
                raise ValueError(f"it ends before the tensor {tensor.name[:80]}")
        return len(tensors), sum(tensor.n_values for tensor in tensors)

    def check_names(self, names: set[str]) -> None:
        layers = [int(match[1]) for name in names if (match := LAYER.match(name))]
        if self.n_layers is not None and max(layers, default=0) >= self.n_layers > 0:
            raise ValueError(f"it has {max(layers) + 1} layers, but says that they are {self.n_layers}")
        if self.architecture in UNTIED and HEAD not in names:
            raise ValueError(f"it lacks {HEAD}, the head of its language model")

    def setting(self, key: str) -> None:
        (kind,) = struct.unpack("<I", self.read(4))
        if kind in INTEGERS:
            (value,) = struct.unpack(INTEGERS[kind], self.read(WIDTHS[kind]))
            if key == "general.alignment":
                if not (0 < value <= 2**16):
                    raise ValueError(f"{key} is {value}")
                self.alignment = value
            elif abs(value) > MAX_INT or (key.endswith("block_count") and value > MAX_LAYERS):
                raise ValueError(f"{key[:80]} is {value:,}")
            elif key.endswith(".block_count"):
                self.n_layers = value
        elif kind in FLOATS:
            (number,) = struct.unpack(FLOATS[kind], self.read(WIDTHS[kind]))
            if not math.isfinite(number) or (number <= 0 and key.endswith(POSITIVE)):
                raise ValueError(f"{key[:80]} is {number}")
        elif key == "general.architecture" and kind == STRING:
            self.architecture = self.text()
        else:
            self.skip(kind, MAX_TOKEN if key == TOKENS else MAX_TEXT)

    def skip(self, kind: int, longest: int) -> None:
        if kind == STRING:
            self.text()
        elif kind in WIDTHS:
            self.read(WIDTHS[kind])
        elif kind == ARRAY:
            inner, n = struct.unpack("<IQ", self.read(12))
            if inner == STRING:
                for _ in range(self.count(n)):
                    self.text(longest)
            elif inner in WIDTHS:
                self.read(WIDTHS[inner] * self.count(n))
            else:
                raise ValueError(f"it has a list of type {inner}")
        else:
            raise ValueError(f"it has a setting of type {kind}")

    def tensor(self) -> _Tensor:
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

        name = self.text()
        (n_dimensions,) = struct.unpack("<I", self.read(4))
        if not 0 < n_dimensions <= MAX_DIMENSIONS:
            raise ValueError(f"the tensor {name[:80]} has {n_dimensions} dimensions")
        shape = struct.unpack(f"<{n_dimensions}Q", self.read(8 * n_dimensions))
        kind, offset = struct.unpack("<IQ", self.read(12))
        sizes: dict[Any, tuple[int, int]] = GGML_QUANT_SIZES
        per_block, bytes_per_block = sizes[GGMLQuantizationType(kind)]
        n_values = math.prod(shape)
        if 0 in shape or shape[0] % per_block:
            raise ValueError(f"the tensor {name[:80]} has the shape {shape}")
        return _Tensor(name, n_values, offset, offset + n_values // per_block * bytes_per_block)

    def text(self, longest: int = MAX_TEXT) -> str:
        (length,) = struct.unpack("<Q", self.read(8))
        if length > longest:
            raise ValueError(f"it has a text of {length:,} bytes")
        return self.read(length).decode("utf-8")

    def count(self, n: int) -> int:
        if n > MAX_COUNT:
            raise ValueError(f"it has a list of {n:,}")
        return n

    def read(self, n: int) -> bytes:
        if self.stream.tell() + n > min(self.size, MAX_METADATA):
            raise ValueError("its header ends too early, or never")
        return self.stream.read(n)
