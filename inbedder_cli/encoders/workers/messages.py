"""What the parent process and its workers send to each other: MessagePack after its length, never pickle."""

from __future__ import annotations

import struct
from typing import IO, TYPE_CHECKING, Any

import msgspec
import numpy as np

from inbedder_cli.encoders.encoded import Answer, EncodedText

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LENGTH = struct.Struct("<Q")
MAX_BYTES = 2**31  # of a message: those of a batch have a thousandth of it


class Start(msgspec.Struct, frozen=True, tag=True):
    """To a worker, once: the encoder that it loads.

    :param backend: "module:function" of the encoder backend.
    :param reference: the model.
    :param settings: the other arguments of the backend, but the reporter.
    """

    backend: str
    reference: str
    settings: dict[str, Any]


class Encode(msgspec.Struct, frozen=True, tag=True):
    """To a worker: texts to encode. It answers with `Rows` for each batch, and with `Done` or `Failed`.

    Texts are UTF-8 in which lone surrogates pass.

    :param texts: distinct texts.
    :param instruction: the question to ask about each text.
    :param options: the fields of `EncodeOptions`.
    :param threads: number of threads to compute with.
    """

    texts: list[bytes]
    instruction: bytes
    options: dict[str, Any]
    threads: int


class ShareWeights(msgspec.Struct, frozen=True, tag=True):
    """To a worker: write the weights to a file, or map them from the file that another worker wrote.

    :param path: the file.
    :param write: whether to write it; the worker answers with `Shared`.
    """

    path: str
    write: bool


class Rows(msgspec.Struct, frozen=True, tag=True):
    """From a worker: the encoded texts of one batch.

    :param places: of the texts in the `Encode` message.
    :param vectors: float32 in the order of the machine, shape (len(places), hidden_size).
    :param answers: of each text: answer, confidence, and the next words with their probabilities; None without.
    :param truncated: whether each text was truncated.
    """

    places: list[int]
    vectors: bytes
    answers: list[tuple[bytes, float, list[tuple[bytes, float]]] | None]
    truncated: list[bool]


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """From a worker, before its first rows: what it has loaded.

    :param identity: of its encoder.
    :param dtype: of its encoder.
    """

    identity: str
    dtype: str


class Done(msgspec.Struct, frozen=True, tag=True):
    """From a worker: all texts of a message are encoded."""


class Failed(msgspec.Struct, frozen=True, tag=True):
    """From a worker: a text could not be encoded, and those after it were not tried.

    :param error: name of the class of the error.
    :param message: of the error.
    :param hint: of the error.
    """

    error: str
    message: str
    hint: str | None


class Warned(msgspec.Struct, frozen=True, tag=True):
    """From a worker: a warning of its encoder."""

    message: str


class Shared(msgspec.Struct, frozen=True, tag=True):
    """From a worker: whether the weights are in the file now."""

    is_written: bool


ToWorker = Start | Encode | ShareWeights
FromWorker = Loaded | Rows | Done | Failed | Warned | Shared
_ENCODER = msgspec.msgpack.Encoder()


def write_message(stream: IO[bytes], message: ToWorker | FromWorker) -> None:
    """Write a message.

    :param stream: a pipe.
    :param message: the message.
    :raises OSError: when nobody reads the pipe.
    """
    content = _ENCODER.encode(message)
    stream.write(LENGTH.pack(len(content)) + content)
    stream.flush()


def read_message(stream: IO[bytes], decoder: msgspec.msgpack.Decoder[Any]) -> Any:  # noqa: ANN401
    """Return the next message, or None at the end of the stream, which may come in the middle of a message.

    :param stream: a pipe.
    :param decoder: of `ToWorker` or `FromWorker`.
    :return: a message or None.
    :raises msgspec.DecodeError: for bytes that are no message.
    """
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    length = LENGTH.unpack(head)[0]
    if length > MAX_BYTES:
        raise msgspec.DecodeError(f"a message of {length} bytes")
    content = stream.read(length)
    return None if len(content) < length else decoder.decode(content)


def pack_text(text: str) -> bytes:
    """Return a text as bytes.

    :param text: any text, lone surrogates included.
    """
    return text.encode("utf-8", "surrogatepass")


def unpack_text(content: bytes) -> str:
    """Return the text of `pack_text`.

    :param content: its bytes.
    """
    return content.decode("utf-8", "surrogatepass")


def pack_rows(rows: Mapping[str, EncodedText], places: Mapping[str, int]) -> Rows:
    """Return the message of encoded texts.

    :param rows: by text, at least one.
    :param places: of the texts in the `Encode` message.
    """
    vectors = np.stack([row.vector for row in rows.values()]).astype(np.float32, copy=False)
    answers = [
        row.answer
        and (
            pack_text(row.answer.text),
            float(row.answer.confidence),
            [(pack_text(word), float(probability)) for word, probability in row.answer.next_words],
        )
        for row in rows.values()
    ]
    truncated = [bool(row.truncated) for row in rows.values()]
    return Rows([places[text] for text in rows], vectors.tobytes(), answers, truncated)


def unpack_rows(message: Rows, texts: Sequence[str]) -> dict[str, EncodedText]:
    """Return encoded texts by text.

    :param message: from a worker.
    :param texts: those of the `Encode` message.
    :raises ValueError: for a message that does not fit them.
    """
    if any(not 0 <= place < len(texts) for place in message.places):
        raise ValueError("there is no such text")
    vectors = np.frombuffer(message.vectors, np.float32).reshape(len(message.places), -1)
    rows = {}
    for place, vector, content, truncated in zip(
        message.places, vectors, message.answers, message.truncated, strict=True
    ):
        answer = None
        if content is not None:
            text, confidence, words = content
            answer = Answer(unpack_text(text), confidence, tuple((unpack_text(w), p) for w, p in words))
        rows[texts[place]] = EncodedText(vector, answer, truncated)
    return rows
