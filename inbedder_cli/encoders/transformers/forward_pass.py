"""One batch through a causal model by transformers' own code: prompts, then the tokens of their answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from inbedder_cli.encoders.transformers.fast_paths import SharedPrefix, states_before
from inbedder_cli.encoders.transformers.pooling import sum_over

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

Prompts = list[list[int]]


@dataclass(frozen=True)
class Wanted:
    """What a pooling and its answers need of a forward pass.

    :param layer: index of the hidden state.
    :param n_layers: index of the last one, after the final norm.
    :param logits: whether the logits of the first answer token are needed.
    :param prompt_sums: whether the states of whole prompts are needed.
    """

    layer: int
    n_layers: int
    logits: bool
    prompt_sums: bool

    @property
    def is_inner(self) -> bool:
        """Whether the hidden state is below the last."""
        return self.layer < self.n_layers

    @property
    def n_run(self) -> int:
        """How many layers have to be run."""
        return self.n_layers if self.logits else self.layer


class Prefill(NamedTuple):
    """The results of forward passes over prompts.

    :param state: s1 of each row, float32, shape (batch, hidden_size).
    :param logits: of the first answer token, shape (batch, vocabulary), or None where they are not needed.
    :param prompt: sum and number of the hidden states of each prompt, or None where they are not needed.
    """

    state: torch.Tensor
    logits: Any
    prompt: tuple[torch.Tensor, torch.Tensor] | None


class Decoding(Protocol):
    """The rows of a batch whose answers are being decoded."""

    def step(self, token: torch.Tensor, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the next state, shape (batch, hidden_size), and logits, shape (batch, vocabulary), of each row.

        :param token: the token of each row, shape (batch,).
        :param i: number of answer tokens before it.
        :return: float32 states, and logits.
        """

    def keep(self, rows: torch.Tensor) -> None:
        """Reduce the batch to some rows.

        :param rows: their indices.
        """


class ForwardPass(Protocol):
    """A way to run batches through a model."""

    prefix: SharedPrefix | None

    def prefill(self, parts: Sequence[Prompts], max_answer_tokens: int) -> tuple[Prefill, Decoding]:
        """Run prompts through the model, each part in a pass of its own.

        A decoding step is bound by memory bandwidth, whatever the number of rows; a prefill is fastest while its
        states fit into a CPU's cache. So prompts are prefilled in small parts, and answers decoded together.

        :param parts: token ids of the prompts, at least one part.
        :param max_answer_tokens: maximum length of an answer, in tokens; 0 where none is decoded.
        :return: the results of all parts as one batch, and what decodes their answers.
        """


def concat(prefills: Sequence[Prefill]) -> Prefill:
    """Return all rows as one batch.

    :param prefills: at least one.
    :return: the rows of all.
    """
    import torch

    if len(prefills) == 1:
        return prefills[0]
    states, logits, _ = zip(*prefills, strict=True)
    prompts = [prefill.prompt for prefill in prefills if prefill.prompt is not None]
    return Prefill(
        torch.cat(states),
        None if logits[0] is None else torch.cat(logits),
        (torch.cat([total for total, _ in prompts]), torch.cat([count for _, count in prompts]))
        if prompts
        else None,
    )


class PlainPass:
    """The model's own forward pass, for any architecture.

    :param body: the model without its head.
    :param head: its language-modeling head.
    :param wanted: what is needed of it.
    :param pad_batch: prompts -> ids padded on the right, and a mask that is false for padding.
    :param prefix: token ids that prompts begin with, to be encoded once; may be empty.
    :param exits_early: whether layers above the one that is needed are left out.
    """

    def __init__(
        self,
        body: Any,  # noqa: ANN401
        head: Any,  # noqa: ANN401
        wanted: Wanted,
        pad_batch: Callable[[Prompts], tuple[torch.Tensor, torch.Tensor]],
        prefix: Sequence[int] = (),
        *,
        exits_early: bool = False,
    ) -> None:
        import torch
        from transformers import DynamicCache

        self.body, self.head, self.wanted, self.pad_batch = body, head, wanted, pad_batch
        self.exits_early = exits_early
        self.prefix: SharedPrefix | None = None
        if prefix:
            cache = DynamicCache()
            ids = torch.tensor([list(prefix)], device=body.device)
            self.states(input_ids=ids, past_key_values=cache, use_cache=True)
            self.prefix = SharedPrefix(list(prefix), cache)

    def prefill(self, parts: Sequence[Prompts], max_answer_tokens: int) -> tuple[Prefill, PlainDecoding]:
        """Run prompts through the model, each part in a pass of its own; see `ForwardPass`.

        :param parts: token ids of the prompts, at least one part.
        :param max_answer_tokens: maximum length of an answer, in tokens; 0 where none is decoded.
        :return: the results of all parts as one batch, and what decodes their answers.
        """
        passes = [self._prefill_part(part, decodes=max_answer_tokens > 0) for part in parts]
        prefills, real, caches = zip(*passes, strict=True)
        return concat(prefills), PlainDecoding(self, real, caches, max_answer_tokens)

    def _prefill_part(self, prompts: Prompts, *, decodes: bool) -> tuple[Prefill, torch.Tensor, Any]:
        """Return the results, which positions of the cache hold tokens and not padding, and the cache.

        No token of a causal model attends to what follows it, so prompts padded on the right need no mask here.
        Decoding does: explicit positions, and a mask over the padding in the cache.
        """
        import torch
        from transformers import DynamicCache

        shared = self.prefix if self.prefix and self.prefix.begins(prompts) else None
        n_shared = len(shared.ids) if shared else 0
        ids, real = self.pad_batch([prompt[n_shared:] for prompt in prompts])
        rows, last = torch.arange(len(prompts), device=ids.device), real.sum(1) - 1
        cache: Any = shared.for_rows(len(prompts)) if shared else DynamicCache() if decodes else None
        states, final = self.states(input_ids=ids, past_key_values=cache, use_cache=cache is not None)
        prefill = Prefill(
            states[rows, last].float(),
            self.head(final[rows, last]) if self.wanted.logits else None,
            sum_over(states, real) if self.wanted.prompt_sums else None,
        )
        return prefill, torch.cat([real.new_ones(len(prompts), n_shared), real], dim=1), cache

    def states(self, **inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401
        """Return the states of the wanted layer and, without an early exit, of the last: (batch, tokens, size).

        :param **inputs: keyword arguments of the model's forward pass.
        :return: two tensors, or the same one twice.
        """
        wanted = self.wanted
        if self.exits_early:
            states = states_before(self.body, wanted.layer, wanted.n_layers, inputs)
            return states, states
        out = self.body(**inputs, output_hidden_states=[wanted.layer] if wanted.is_inner else False)
        inner = out.hidden_states[wanted.layer] if wanted.is_inner else out.last_hidden_state
        return inner, out.last_hidden_state


class PlainDecoding:
    """The rows of a batch whose answers are being decoded, with their caches padded on the right.

    :param forward: the pass over their prompts.
    :param real: of each part, which positions of the cache hold tokens, boolean, shape (rows, positions).
    :param caches: of each part, keys and values, a `DynamicCache`, or None where no answers are decoded.
    :param max_answer_tokens: maximum length of an answer, in tokens.
    """

    def __init__(
        self, forward: PlainPass, real: Sequence[torch.Tensor], caches: Sequence[Any], max_answer_tokens: int
    ) -> None:
        import torch
        from torch.nn.functional import pad

        self.forward, self.cache = forward, caches[0]
        if self.cache is None:
            return
        width = self.n_positions = max(part.shape[1] for part in real)

        def join(tensors: list[torch.Tensor]) -> torch.Tensor:  # (rows, heads, positions, size)
            return torch.cat([pad(tensor, (0, 0, 0, width - tensor.shape[2])) for tensor in tensors])

        for i, layer in enumerate(self.cache.layers if len(caches) > 1 else []):
            layer.keys = join([cache.layers[i].keys for cache in caches])
            layer.values = join([cache.layers[i].values for cache in caches])
        joined = torch.cat([pad(part, (0, width - part.shape[1] + max_answer_tokens)) for part in real])
        self.n_real = joined.sum(1)
        joined[:, width:] = True
        self.mask = joined.long()

    def step(self, token: torch.Tensor, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the next state and logits of each row; see `Decoding`.

        :param token: the token of each row, shape (batch,).
        :param i: number of answer tokens before it.
        :return: float32 states, and logits.
        """
        states, final = self.forward.states(
            input_ids=token[:, None],
            attention_mask=self.mask[:, : self.n_positions + i + 1],
            position_ids=(self.n_real + i)[:, None],
            past_key_values=self.cache,
            use_cache=True,
        )
        return states[:, 0].float(), self.forward.head(final[:, 0])

    def keep(self, rows: torch.Tensor) -> None:
        """Reduce the batch to some rows.

        :param rows: their indices.
        """
        self.n_real, self.mask = self.n_real[rows], self.mask[rows]
        self.cache.batch_select_indices(rows)
