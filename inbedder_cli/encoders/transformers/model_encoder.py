"""What all architectures share: unique texts, canonical order, batches, memory. Each one only reads one batch."""

from __future__ import annotations

import re
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from inbedder_cli.encoders.base import Answer, Encoded, EncodedText, Preview, ResultBuffer
from inbedder_cli.encoders.next_words import LIKELY
from inbedder_cli.encoders.prompts.prompter import Prompter
from inbedder_cli.encoders.transformers.batching import canonical_order, plan_batches, windows
from inbedder_cli.encoders.transformers.device import default_batch_tokens
from inbedder_cli.encoders.transformers.pooling import check_pooling, resolve_layer
from inbedder_cli.errors import OutOfMemoryError
from inbedder_cli.options import Architecture, EncodeOptions, Pooling
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    import torch

    from inbedder_cli.encoders.prompts.templates import Template
    from inbedder_cli.encoders.transformers.decoding import DecodedAnswer
    from inbedder_cli.progress import Reporter

PROMPT_COST = 200  # characters' worth of work that each row costs beside its own text, for the time left
PROBE_ROWS = 16
PROBABILITY_DIGITS = 5
WRAPPING = re.compile(r"^[\s\"“”'‘’*_`]+|[\s\"“”'‘’*_`.,;:!]+$")


@dataclass
class ModelEncoder(ABC):
    """A transformers model that answers a question about each text.

    :param model: a language model with its head, in eval mode on its device.
    :param tokenizer: its tokenizer.
    :param template: where text and instruction go.
    :param layer: the model's own choice of hidden state; None means the last.
    :param pooling: the model's own pooling.
    :param name: what messages call it.
    """

    model: Any
    tokenizer: Any
    template: Template
    layer: int | None = None
    pooling: Pooling = Pooling.first_token
    name: str = "model"
    spelled: dict[int, str] = field(default_factory=dict, init=False, repr=False)  # tokens as words
    fast_paths: dict[str, bool] = field(
        default_factory=dict, init=False
    )  # which were tried, and whether they hold

    architecture: ClassVar[Architecture]
    poolings: ClassVar[tuple[Pooling, ...]]  # those that mean something for this architecture

    @abstractmethod
    def _reader(self, options: EncodeOptions) -> BatchReader:
        """Return what reads one batch under these options."""

    def _reserved(self, options: EncodeOptions) -> int:
        """Return how many of the model's positions a prompt cannot take."""
        return 0

    @property
    def prompt_ending(self) -> str:
        """What follows the template in every prompt."""
        return ""

    @property
    def config(self) -> Any:  # noqa: ANN401
        """The configuration of the part that speaks."""
        return self.model.config.get_text_config(decoder=True)

    @property
    def n_layers(self) -> int:
        """Index of the last hidden state (the one after the final norm)."""
        return int(self.config.num_hidden_layers)

    @property
    def description(self) -> str:
        """One line: model, number format, device."""
        return f"{self.name}, {str(self.model.dtype).removeprefix('torch.')} on {self.model.device}"

    def encode(
        self,
        texts: Sequence[str],
        instruction: str,
        options: EncodeOptions | None = None,
        reporter: Reporter = SILENT,
    ) -> Encoded:
        """Return one vector, and one answer, per text, in their order.

        Identical texts are computed once. Vectors do not depend on the order of the texts; between batch sizes
        they agree to about 1e-4 in float32 and to a centred cosine of about 0.999 in bfloat16.

        :raises UsageError: for an empty instruction, a layer that the model does not have, or a pooling
            that means nothing for this architecture of model.
        :raises OutOfMemoryError: when even one text does not fit.
        """
        options = options or EncodeOptions()
        found = ResultBuffer(texts, options)
        for new in self.read(found.texts, instruction, options, reporter):
            found.add(new)
        return found.encoded(self.hidden_size)

    def read(
        self,
        texts: Sequence[str],
        instruction: str,
        options: EncodeOptions,
        reporter: Reporter = SILENT,
        known: Container[str] = (),
    ) -> Iterator[dict[str, EncodedText]]:
        """Yield the rows of different texts, batch by batch, longest texts first; raises what `encode` does.

        :param known: texts that need not be read. Batches are planned as if there were none, so that what is
            known changes no other row's numbers by more than rounding.
        """
        order = canonical_order(texts)
        prompter = self.prompter(instruction, options.max_tokens, self._reserved(options))
        reader = self._reader(options)
        rows, done, total = 0, 0, sum(len(text) + PROMPT_COST for text in texts if text not in known)
        prepared = False
        with reporter.task("reading", total, unit="rows") as advance:
            for window in windows(texts, order):
                told = [texts[i] for i in window]
                if all(text in known for text in told):
                    continue
                prompts, truncated = prompter.encode(told)
                if not prepared:
                    reader.prepare(prompter, prompts, reporter)
                    prepared = True
                costs = [reader.cost(ids) for ids in prompts]
                for planned in plan_batches(costs, reader.passes * reader.batch_tokens):
                    if not (batch := [j for j in planned if told[j] not in known]):
                        continue
                    vectors, answers = reader.read([prompts[j] for j in batch])
                    yield {
                        told[j]: EncodedText(vector, answer if options.answers else None, j in truncated)
                        for j, vector, answer in zip(batch, vectors, answers, strict=True)
                    }
                    rows += len(batch)
                    done += sum(len(told[j]) + PROMPT_COST for j in batch)
                    advance(done, rows)

    def preview(self, texts: Sequence[str], instruction: str, options: EncodeOptions | None = None) -> Preview:
        """Return what `encode` would do; a few rows of all lengths are tried for the time."""
        options = options or EncodeOptions()
        unique = list(dict.fromkeys(texts))
        prompter = self.prompter(instruction, options.max_tokens, self._reserved(options))
        order = canonical_order(unique)
        probe = [unique[i] for i in order[:: max(1, len(order) // PROBE_ROWS)]]
        self.encode([probe[0], probe[len(probe) // 2], probe[-1]], instruction, options)  # warm up, try fast_paths
        start = time.perf_counter()
        self.encode(probe, instruction, options)
        seconds = time.perf_counter() - start
        n_tokens = n_truncated = 0
        for window in windows(unique, order):
            prompts, truncated = prompter.encode([unique[i] for i in window])
            n_tokens += sum(map(len, prompts))
            n_truncated += len(truncated)
        return Preview(
            prompt=prompter.render(texts[0]),
            n_unique=len(unique),
            n_tokens=n_tokens,
            n_truncated=n_truncated,
            seconds=seconds * n_tokens / max(1, sum(map(len, prompter.encode(probe)[0]))),
        )

    def clean(self, answer_ids: Sequence[int]) -> str:
        """Return an answer's first line without wrapping quotes, emphasis and closing punctuation."""
        text = self.tokenizer.decode(answer_ids, skip_special_tokens=True)
        lines = [line for line in text.splitlines() if line.strip()]
        return WRAPPING.sub("", lines[0]) if lines else ""

    def words(self, tokens: Sequence[tuple[int, float]]) -> tuple[tuple[str, float], ...]:
        """Return the words of tokens with their probabilities, in lower case, the likeliest first."""
        probabilities: dict[str, float] = {}
        for id_, probability in tokens:
            if word := self._word_of(id_):
                probabilities[word] = probabilities.get(word, 0.0) + probability
        found = sorted(probabilities.items(), key=lambda item: -item[1])
        return tuple((word, round(probability, PROBABILITY_DIGITS)) for word, probability in found[:LIKELY])

    def _word_of(self, token: int) -> str:
        """Return a token in lower case, "" for one without a letter or digit; each is spelled once."""
        if token not in self.spelled:
            word = sys.intern(self.tokenizer.decode([token], skip_special_tokens=True).strip().casefold())
            self.spelled[token] = word if any(map(str.isalnum, word)) else ""
        return self.spelled[token]

    @property
    def hidden_size(self) -> int:
        """Size of the hidden states."""
        return int(self.config.hidden_size)

    def prompter(self, instruction: str, max_tokens: int, reserved: int = 0) -> Prompter:
        """Return what turns texts into prompts under one instruction.

        :param max_tokens: longest prompt; less where the model has fewer positions.
        :param reserved: positions that a prompt cannot take.
        """
        limit = getattr(self.config, "max_position_embeddings", None)
        room = max_tokens if limit is None else min(max_tokens, limit - reserved)
        return Prompter(self.tokenizer, self.template, instruction, room, self.prompt_ending)

    @property
    def pad_id(self) -> int:
        """What fills a batch: RoBERTa counts positions by what is not this id, so it must be the model's own."""
        pads = (getattr(self.config, "pad_token_id", None), self.tokenizer.pad_token_id, 0)
        return int(next(id_ for id_ in pads if id_ is not None))


class BatchReader(ABC):
    """Runs batches of prompts through a model: the paper's reading, in each architecture's `forward`.

    :param encoder: the loaded model.
    :param options: how texts become vectors and answers.
    :param n_layers: index of the last hidden state, where it is not `encoder.n_layers`.
    """

    def __init__(self, encoder: ModelEncoder, options: EncodeOptions, n_layers: int | None = None) -> None:
        self.model = encoder.model
        self.device = encoder.model.device
        self.clean, self.words = encoder.clean, encoder.words
        self.passes = 1  # of batch_tokens each, that make one batch
        self.batch_tokens = options.batch_tokens or default_batch_tokens(self.device)
        self.max_answer_tokens = options.max_answer_tokens
        self.pooling = check_pooling(options.pooling or encoder.pooling, encoder.poolings, encoder.architecture)
        self.decodes = options.answers or self.pooling.reads_answer
        self.wanted_layer = options.layer if options.layer is not None else encoder.layer
        self.layer = resolve_layer(self.wanted_layer, encoder.n_layers if n_layers is None else n_layers)
        self.pad_id = encoder.pad_id

    def prepare(self, prompter: Prompter, prompts: list[list[int]], reporter: Reporter) -> None:  # noqa: B027
        """Look at the first prompts of a run before any is read, for what makes reading faster."""

    def cost(self, prompt: list[int]) -> int:
        """Return the tokens that a prompt adds to a batch."""
        return len(prompt)

    @abstractmethod
    def forward(self, prompts: list[list[int]]) -> tuple[torch.Tensor, list[DecodedAnswer]]:
        """Read one batch: prompts in, vectors of shape (batch, hidden_size) and answers out."""

    def read(self, prompts: list[list[int]]) -> tuple[Any, list[Answer]]:
        """Return float32 vectors, shape (len(prompts), hidden_size), and the answers of one batch.

        A batch for which the device's memory is too small is halved; later windows are planned that small.
        """
        import torch

        try:
            with torch.inference_mode():
                vectors, answers = self.forward(prompts)
                told = [Answer(self.clean(a.ids), a.probability, self.words(a.first)) for a in answers]
                return vectors.float().cpu().numpy(), told
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if len(prompts) == 1:
                raise OutOfMemoryError(
                    f"not enough memory on {self.device} for one text of {len(prompts[0])} tokens",
                    hint="lower --max-tokens, use --dtype bfloat16, a smaller model, or another --device",
                ) from error
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        # batches that were planned before may fail, too, and are no news
        failed = len(prompts) * max(map(self.cost, prompts))
        self.batch_tokens = max(1, min(self.batch_tokens, failed // (2 * self.passes)))
        half = len(prompts) // 2
        first, second = self.read(prompts[:half]), self.read(prompts[half:])
        return np.concatenate([first[0], second[0]]), first[1] + second[1]

    def padded(self, prompts: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ids padded on the right, and which of them are real (boolean), each (batch, tokens)."""
        import torch

        lengths = torch.tensor([len(ids) for ids in prompts])
        width = int(lengths.max())
        ids = torch.tensor([ids + [self.pad_id] * (width - len(ids)) for ids in prompts])
        return self._there(ids), self._there(torch.arange(width)[None] < lengths[:, None])

    def _there(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the tensor on the device; a GPU takes it from pinned memory while the CPU goes on."""
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory was too small; on a CPU torch says so in words alone."""
    import torch

    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
