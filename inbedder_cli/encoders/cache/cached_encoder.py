"""An encoder wrapper that looks texts up in the cache before it encodes them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from inbedder_cli.encoders.encoded import Encoded, ResultBuffer
from inbedder_cli.encoders.wrapped import WrappedEncoder
from inbedder_cli.options import EncodeOptions
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from inbedder_cli.encoders.base import Encoder, Preview
    from inbedder_cli.encoders.cache.row_cache import RowCache
    from inbedder_cli.encoders.encoded import EncodedText
    from inbedder_cli.progress import Reporter

LOOKUP_ROWS = 10_000  # texts that are looked up at a time
KEY_VERSION = 7  # increment when the same model and options give other vectors or answers


@dataclass
class CachedEncoder(WrappedEncoder):
    """An encoder with a cache.

    :param encoder: encodes the texts that are not cached. Texts are cached by its `identity` and `dtype`.
    :param cache: stores vectors and answers.
    :param refresh: encode all texts again and replace what is cached.
    """

    cache: RowCache
    refresh: bool = False

    def encode(
        self,
        texts: Sequence[str],
        instruction: str,
        options: EncodeOptions | None = None,
        reporter: Reporter = SILENT,
    ) -> Encoded:
        """Return one vector, and one answer, per text; see `Encoder`.

        :param texts: texts in any order; equal ones are encoded once.
        :param instruction: the question to ask about each text.
        :param options: how texts become vectors and answers; None takes the defaults.
        :param reporter: receives progress and warnings.
        :return: rows in the order of the texts.
        """
        options = options or EncodeOptions()
        if not texts:
            return self.encoder.encode(texts, instruction, options, reporter)
        buffer = ResultBuffer(texts, options)
        if not self.refresh:
            self._look_up(buffer, instruction, options)
        if buffer.n_done:
            reporter.info(f"{buffer.n_done:,} of {len(buffer.texts):,} texts are cached")
        if buffer.n_done < len(buffer.texts):
            dtype = self.dtype
            for rows in self.encode_batches(buffer.texts, instruction, options, reporter, buffer):
                if self.dtype != dtype:  # loading has changed it, and with it the keys: look up again
                    return self.encode(texts, instruction, options, reporter)
                buffer.add(rows)
            self.cache.trim()
        return buffer.encoded()

    def encode_batches(
        self,
        texts: Sequence[str],
        instruction: str,
        options: EncodeOptions | None = None,
        reporter: Reporter = SILENT,
        known: Container[str] = (),
    ) -> Iterator[dict[str, EncodedText]]:
        """Encode texts without looking into the cache, and yield each batch once it is cached; see `Encoder`.

        :param texts: distinct texts.
        :param instruction: the question to ask about each text.
        :param options: how texts become vectors and answers; None takes the defaults.
        :param reporter: receives progress and warnings.
        :param known: texts to skip.
        :yield: the rows of one batch, by text.
        """
        options = options or EncodeOptions()
        for rows in self.encoder.encode_batches(texts, instruction, options, reporter, known):
            key_of = self._key(instruction, options)  # loading the model may have changed the dtype
            self.cache.put({key_of(text): row for text, row in rows.items()})
            yield rows

    def preview(self, texts: Sequence[str], instruction: str, options: EncodeOptions) -> Preview:
        """Return the estimate of the encoder, less the time of texts that are cached; see `Encoder`.

        :param texts: texts in any order, at least one.
        :param instruction: the question to ask about each text.
        :param options: how texts become vectors and answers.
        :return: the prompt of the first text, counts, and the estimated time.
        """
        preview = self.encoder.preview(texts, instruction, options)
        n_cached = self.n_cached(texts, instruction, options)
        return replace(preview, n_cached=n_cached, seconds=preview.seconds * (1 - n_cached / preview.n_unique))

    def n_cached(self, texts: Sequence[str], instruction: str, options: EncodeOptions) -> int:
        """Return how many different texts need not be encoded.

        :param texts: texts in any order.
        :param instruction: the question to ask about each text.
        :param options: how texts become vectors and answers.
        """
        if self.refresh:
            return 0
        key_of, unique = self._key(instruction, options), list(dict.fromkeys(texts))
        chunks = (unique[start : start + LOOKUP_ROWS] for start in range(0, len(unique), LOOKUP_ROWS))
        return sum(len(self.cache.get([key_of(text) for text in chunk])) for chunk in chunks)

    def _look_up(self, buffer: ResultBuffer, instruction: str, options: EncodeOptions) -> None:
        """Add cached texts to a buffer."""
        key_of = self._key(instruction, options)
        missing = [text for text in buffer.texts if text not in buffer]
        for start in range(0, len(missing), LOOKUP_ROWS):
            keys = {key_of(text): text for text in missing[start : start + LOOKUP_ROWS]}
            buffer.add({keys[key]: row for key, row in self.cache.get(list(keys)).items()})

    def _key(self, instruction: str, options: EncodeOptions) -> Callable[[str], bytes]:
        """Return the function from a text to its key."""
        relevant = {name: value for name, value in asdict(options).items() if name != "batch_tokens"}
        recipe = json.dumps([KEY_VERSION, self.identity, self.dtype, instruction.strip(), relevant])
        digest = hashlib.blake2b(recipe.encode("utf-8", "surrogatepass")).digest()

        def key_of(text: str) -> bytes:
            return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=digest).digest()

        return key_of


def n_new_texts(encoder: Encoder, texts: Sequence[str], instruction: str, options: EncodeOptions) -> int:
    """Return how many different texts an encoder has to encode: those that it finds in no cache.

    :param encoder: any encoder.
    :param texts: texts in any order.
    :param instruction: the question to ask about each text.
    :param options: how texts become vectors and answers.
    """
    n_cached = encoder.n_cached(texts, instruction, options) if isinstance(encoder, CachedEncoder) else 0
    return len(set(texts)) - n_cached
