"""Base of all architectures: canonical order, batches, memory. Subclasses only run single batches."""

from __future__ import annotations

import re
import secrets
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from inbedder_cli.encoders.base import PROBE_ROWS, BaseEncoder, Preview
from inbedder_cli.encoders.encoded import Answer, EncodedText
from inbedder_cli.encoders.next_words import RANKED
from inbedder_cli.encoders.prompts.prompter import Prompter
from inbedder_cli.encoders.prompts.tokenizers import run_tokenizer
from inbedder_cli.encoders.transformers.batching import canonical_order, plan_batches, windows
from inbedder_cli.encoders.transformers.device import default_batch_tokens
from inbedder_cli.encoders.transformers.pooling import WORDS_SIZE, check_pooling, resolve_layer
from inbedder_cli.errors import InbedderError, ModelError, OutOfMemoryError
from inbedder_cli.options import Architecture, EncodeOptions, Pooling
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    import torch

    from inbedder_cli.encoders.prompts.templates import Template
    from inbedder_cli.encoders.transformers.decoding import DecodedAnswer
    from inbedder_cli.progress import Reporter

PROMPT_COST = 200  # cost of a row beyond its text, in characters, for the estimate of the time left
PROBABILITY_DIGITS = 5
NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")
MIN_POSITIONS = 16  # of a model that can read a question and a text
WRAPPING = re.compile(r"^[\s\"“”'‘’*_`]+|[\s\"“”'‘’*_`.,;:!]+$")


@dataclass
class ModelEncoder(BaseEncoder):
    """A loaded transformers model that answers a question about each text.

    Vectors do not depend on the order of the texts. Between batch sizes they agree to about 1e-6 in float32, and
    to about 2e-2 in bfloat16.

    :param model: a language model with its head, in eval mode on its device.
    :param tokenizer: its tokenizer.
    :param template: the prompt template.
    :param layer: the model's own choice of hidden state; None takes the last.
    :param pooling: the model's own pooling.
    :param name: name of the model in messages.
    :param identity: see `Encoder`; the default is a random string, unique to the loaded model.
    """

    model: Any
    tokenizer: Any
    template: Template
    layer: int | None = None
    pooling: Pooling = Pooling.first_token
    name: str = "model"
    identity: str = field(default_factory=secrets.token_hex, repr=False)
    words_of: dict[int, str] = field(default_factory=dict, init=False, repr=False)  # tokens as words
    fast_paths: dict[str, bool] = field(default_factory=dict, init=False)  # whether each checked fast path works

    architecture: ClassVar[Architecture]
    poolings: ClassVar[tuple[Pooling, ...]]  # those that the architecture supports

    @abstractmethod
    def _batch_encoder(self, options: EncodeOptions) -> BatchEncoder:
        """Return the encoder of single batches under these options."""

    def _reserved_positions(self, options: EncodeOptions) -> int:
        """Return how many of the model's positions a prompt cannot use."""
        return 0

    def check_settings(self) -> None:
        """Check the model's own layer and pooling.

        :raises UsageError: when it has no such layer, or its architecture does not support the pooling.
        """
        self._batch_encoder(EncodeOptions())

    @property
    def prompt_ending(self) -> str:
        """What follows the template in every prompt."""
        return ""

    @property
    def config(self) -> Any:  # noqa: ANN401
        """The configuration of the part that generates text."""
        return self.model.config.get_text_config(decoder=True)

    @property
    def n_layers(self) -> int:
        """Index of the last hidden state (the one after the final norm)."""
        return int(self.config.num_hidden_layers)

    @property
    def hidden_size(self) -> int:
        """Size of the hidden states."""
        return int(self.config.hidden_size)

    def vector_size(self, options: EncodeOptions) -> int:
        """Return the length of the vectors; see `BaseEncoder`.

        :param options: how texts become vectors.
        """
        pooling = options.pooling or self.pooling
        return WORDS_SIZE if pooling is Pooling.answer_words else self.hidden_size

    @property
    def dtype(self) -> str:
        """The dtype of the model's weights."""
        return str(self.model.dtype).removeprefix("torch.")

    @property
    def device(self) -> str:
        """The device of the model's weights."""
        return str(self.model.device)

    def encode_batches(
        self,
        texts: Sequence[str],
        instruction: str,
        options: EncodeOptions | None = None,
        reporter: Reporter = SILENT,
        known: Container[str] = (),
    ) -> Iterator[dict[str, EncodedText]]:
        """Yield encoded texts batch by batch, longest texts first; see `Encoder`.

        Batches are planned as if no text were known, so that cached texts do not change the others' vectors by
        more than rounding.

        :param texts: distinct texts.
        :param instruction: the question to ask about each text.
        :param options: how texts become vectors and answers; None takes the defaults.
        :param reporter: receives progress and warnings.
        :param known: texts to skip.
        :yield: the rows of one batch, by text.
        """
        options = options or EncodeOptions()
        order = canonical_order(texts)
        prompter = self.prompter(instruction, options.max_tokens, self._reserved_positions(options))
        encoder = self._batch_encoder(options)
        rows, done, total = 0, 0, sum(len(text) + PROMPT_COST for text in texts if text not in known)
        prepared = False
        with reporter.task("encoding", total, unit="rows") as advance:
            for window in windows(texts, order):
                chosen = [texts[i] for i in window]
                if all(text in known for text in chosen):
                    continue
                prompts, truncated = prompter.encode(chosen)
                if not prepared:
                    encoder.prepare(prompter, prompts, reporter)
                    prepared = True
                costs = [encoder.cost(ids) for ids in prompts]
                for planned in plan_batches(costs, encoder.passes * encoder.batch_tokens):
                    if not (batch := [j for j in planned if chosen[j] not in known]):
                        continue
                    vectors, answers = encoder.encode([prompts[j] for j in batch])
                    yield {
                        chosen[j]: EncodedText(vector, answer if options.answers else None, j in truncated)
                        for j, vector, answer in zip(batch, vectors, answers, strict=True)
                    }
                    rows += len(batch)
                    done += sum(len(chosen[j]) + PROMPT_COST for j in batch)
                    advance(done, rows)

    def preview(self, texts: Sequence[str], instruction: str, options: EncodeOptions | None = None) -> Preview:
        """Return the estimate of `encode`; texts of all lengths are encoded to estimate the time.

        :param texts: texts in any order, at least one.
        :param instruction: the question to ask about each text.
        :param options: how texts become vectors and answers; None takes the defaults.
        :return: the prompt of the first text, counts, and the estimated time.
        """
        options = options or EncodeOptions()
        unique = list(dict.fromkeys(texts))
        prompter = self.prompter(instruction, options.max_tokens, self._reserved_positions(options))
        order = canonical_order(unique)
        probe = [unique[i] for i in order[:: max(1, len(order) // PROBE_ROWS)]]
        warm_up = [probe[0], probe[len(probe) // 2], probe[-1]]  # also checks the fast paths
        self.encode(warm_up, instruction, options)
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
        """Return an answer's first line without quotes, emphasis and closing punctuation around it.

        :param answer_ids: its tokens.
        :return: the cleaned line; "" when there is none.
        """
        text = run_tokenizer(lambda: str(self.tokenizer.decode(answer_ids, skip_special_tokens=True)))
        lines = [line for line in text.splitlines() if line.strip()]
        return WRAPPING.sub("", lines[0]) if lines else ""

    def next_words(self, tokens: Sequence[tuple[int, float]]) -> tuple[tuple[str, float], ...]:
        """Return the words of tokens with their probabilities, in lower case, the most probable first.

        :param tokens: with their probabilities.
        :return: (word, probability) pairs, at most `RANKED`.
        """
        probabilities: dict[str, float] = {}
        for id_, probability in tokens:
            if word := self._word_of(id_):
                probabilities[word] = probabilities.get(word, 0.0) + probability
        ranked = sorted(probabilities.items(), key=lambda item: -item[1])
        return tuple((word, round(probability, PROBABILITY_DIGITS)) for word, probability in ranked[:RANKED])

    def _word_of(self, token: int) -> str:
        """Return a token in lower case, "" for one without a letter or digit."""
        if token not in self.words_of:
            word = sys.intern(self.tokenizer.decode([token], skip_special_tokens=True).strip().casefold())
            self.words_of[token] = word if any(map(str.isalnum, word)) else ""
        return self.words_of[token]

    def prompter(self, instruction: str, max_tokens: int, reserved: int = 0) -> Prompter:
        """Return the prompter of texts under one instruction.

        :param instruction: the question to ask about each text.
        :param max_tokens: maximum length of a prompt, in tokens; less if the model has fewer positions.
        :param reserved: number of the model's positions that a prompt cannot use.
        :return: a prompter.
        :raises ModelError: for a model of hardly any positions.
        """
        limit = getattr(self.config, "max_position_embeddings", None)
        if limit is not None and limit - reserved < MIN_POSITIONS:
            raise ModelError(
                f"{self.name} has no room for a question and a text: max_position_embeddings is {limit}",
                hint="is its config.json damaged? fetch it again",
            )
        room = max_tokens if limit is None else min(max_tokens, limit - reserved)
        keeps_end = self.architecture is not Architecture.causal
        return Prompter(self.tokenizer, self.template, instruction, room, self.prompt_ending, keeps_end)

    @property
    def pad_id(self) -> int:
        """The padding token. It must be the model's own: RoBERTa counts the tokens that differ from it."""
        pads = (getattr(self.config, "pad_token_id", None), self.tokenizer.pad_token_id, 0)
        n_tokens = len(self.model.get_input_embeddings().weight)
        return int(next(id_ for id_ in pads if id_ is not None and 0 <= id_ < n_tokens))


class BatchEncoder(ABC):
    """Runs batches of prompts through a model. `forward` of each architecture is the method of the paper.

    :param encoder: the loaded model.
    :param options: how texts become vectors and answers.
    :param n_layers: index of the last hidden state, where it is not `encoder.n_layers`.
    """

    def __init__(self, encoder: ModelEncoder, options: EncodeOptions, n_layers: int | None = None) -> None:
        self.model = encoder.model
        self.device = encoder.model.device
        self.name, self.clean, self.next_words = encoder.name, encoder.clean, encoder.next_words
        self.n_tokens = len(encoder.model.get_input_embeddings().weight)
        self.passes = 1  # forward passes, of batch_tokens each, per batch
        self.batch_tokens = options.batch_tokens or default_batch_tokens(self.device)
        self.max_answer_tokens = options.max_answer_tokens
        self.pooling = check_pooling(options.pooling or encoder.pooling, encoder.poolings, encoder.architecture)
        self.decodes = options.answers or self.pooling.reads_answer
        self.requested_layer = options.layer if options.layer is not None else encoder.layer
        self.layer = resolve_layer(self.requested_layer, encoder.n_layers if n_layers is None else n_layers)
        self.pad_id = encoder.pad_id

    def prepare(self, prompter: Prompter, prompts: list[list[int]], reporter: Reporter) -> None:  # noqa: B027
        """Choose fast paths, before the first batch is encoded.

        :param prompter: makes the prompts.
        :param prompts: the first prompts of the run, as token ids.
        :param reporter: receives warnings.
        """

    def cost(self, prompt: list[int]) -> int:
        """Return the number of tokens that a prompt adds to a batch.

        :param prompt: its token ids.
        :return: a number of tokens.
        """
        return len(prompt)

    @abstractmethod
    def forward(self, prompts: list[list[int]]) -> tuple[torch.Tensor, list[DecodedAnswer]]:
        """Return the vectors, shape (len(prompts), hidden_size), and the answers of one batch.

        :param prompts: token ids.
        :return: vectors, and one answer per prompt.
        """

    def encode(self, prompts: list[list[int]]) -> tuple[Any, list[Answer]]:
        """Return the vectors, a float32 array of shape (len(prompts), hidden_size), and the answers of one batch.

        A batch that does not fit into memory is split in two, and later windows are planned with smaller batches.

        :param prompts: token ids.
        :return: vectors, and one answer per prompt.
        :raises ModelError: when the model fails.
        :raises OutOfMemoryError: when one prompt alone does not fit.
        """
        import torch

        try:
            with torch.inference_mode():
                vectors, decoded = self.forward(prompts)
                answers = [Answer(self.clean(a.ids), a.probability, self.next_words(a.first)) for a in decoded]
                return vectors.float().cpu().numpy(), answers
        except InbedderError:
            raise
        except Exception as error:  # anything, depending on what is wrong with the model
            if not is_out_of_memory(error):
                reason = (str(error).strip() or repr(error)).splitlines()[0]
                raise ModelError(
                    f"{self.name} cannot encode a text: {reason}",
                    hint="config.json, weights and tokenizer must be those of one model; fetch it again",
                ) from error
            if len(prompts) == 1:
                raise OutOfMemoryError(
                    f"not enough memory on {self.device} for one text of {len(prompts[0])} tokens",
                    hint="lower --max-tokens, use --dtype bfloat16, a smaller model, or another --device",
                ) from error
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        # Batches that were planned before may fail too; that must not make later ones even smaller.
        failed = len(prompts) * max(map(self.cost, prompts))
        self.batch_tokens = max(1, min(self.batch_tokens, failed // (2 * self.passes)))
        half = len(prompts) // 2
        first, second = self.encode(prompts[:half]), self.encode(prompts[half:])
        return np.concatenate([first[0], second[0]]), first[1] + second[1]

    def pad_batch(self, prompts: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ids padded on the right, and a boolean mask that is false for padding, each (batch, tokens).

        :param prompts: token ids.
        :return: ids and mask, on the device of the model.
        :raises ModelError: for an id that the model has no embedding for.
        """
        import torch

        lengths = torch.tensor([len(ids) for ids in prompts])
        width = int(lengths.max())
        ids = torch.tensor([ids + [self.pad_id] * (width - len(ids)) for ids in prompts])
        self.check_ids(ids)
        return self._to_device(ids), self._to_device(torch.arange(width)[None] < lengths[:, None])

    def check_ids(self, ids: torch.Tensor) -> None:
        """Check that the model has an embedding for every id.

        :param ids: of any shape, not empty, on the CPU.
        :raises ModelError: when it has not.
        """
        if not 0 <= int(ids.min()) <= int(ids.max()) < self.n_tokens:  # a GPU would not say which
            raise ModelError(
                f"{self.name} has {self.n_tokens:,} tokens, but its tokenizer has a token {int(ids.max()):,}",
                hint="weights and tokenizer must be those of one model; fetch it again",
            )

    def _to_device(self, tensor: torch.Tensor) -> torch.Tensor:
        """Move a tensor; a GPU copies it from pinned memory while the CPU continues."""
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error is due to lack of memory; on a CPU and on MPS only torch's message shows it.

    :param error: the exception.
    :return: whether fewer rows may work.
    """
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)
