"""A forward pass of LLaMA-like decoders with fewer passes over memory than transformers' own.

On a CPU with fast matrix products a small model spends much of its time beside them. This pass computes the same
function from the same weights, and saves padding, since the tokens of all rows lie in one matrix; residual
additions, which are part of a product; fresh memory, since layers share their buffers; copies of keys and values,
whose cache has its final size from the start; and, in the last layer, all tokens but the last of each row.

Norms are not folded into the products, nor several products joined: where it was measured products were no faster
for it, and a second copy of the weights has a cost. So the pass reads the model's own weights.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from inbedder_cli.encoders.transformers.fast_paths import SharedPrefix
from inbedder_cli.encoders.transformers.forward_pass import Prefill, concat
from inbedder_cli.encoders.transformers.key_values import (
    KeyValueCache,
    Segment,
    causal_mask,
    last_tokens,
    padding_mask,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from inbedder_cli.encoders.transformers.forward_pass import Prompts, Wanted

    Rotation = tuple[torch.Tensor, torch.Tensor]

LAYERS = ("LlamaDecoderLayer", "MistralDecoderLayer", "Qwen2DecoderLayer")
PRODUCTS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
BLOCK = 128  # tokens that attend together in bfloat16, by two large products; none looks beyond its block


def is_fusable(body: Any) -> bool:  # noqa: ANN401
    """Return whether `FusedPass` computes the same function as a model.

    :param body: a transformers model without its head.
    :return: False for other architectures, for adapters that are not merged, and on accelerators.
    """
    from torch.nn import Linear

    config = body.config
    if body.device.type != "cpu" or getattr(config, "hidden_act", None) != "silu":
        return False
    if any(kind != "full_attention" for kind in getattr(config, "layer_types", None) or ()):
        return False
    if getattr(config, "use_sliding_window", True) and getattr(config, "sliding_window", None) is not None:
        return False
    layers = getattr(body, "layers", ())
    return bool(layers) and all(
        type(layer).__name__ in LAYERS
        and all(
            type(getattr(layer.self_attn, name, getattr(layer.mlp, name, None))) is Linear for name in PRODUCTS
        )
        for layer in layers
    )


class Buffers(NamedTuple):
    """Outputs of a layer's products, and of its attention, each of shape (tokens, features)."""

    queries: torch.Tensor
    keys: torch.Tensor
    values: torch.Tensor
    gate: torch.Tensor
    up: torch.Tensor
    mixed: torch.Tensor


class FusedPass:
    """The forward pass of a LLaMA-like model; see the module.

    :param body: a model for which `is_fusable` holds, without its head.
    :param head: its language-modeling head.
    :param wanted: what is needed of it.
    :param check_ids: raises for ids that the model has no embedding for.
    :param prefix: token ids that prompts begin with, to be encoded once; may be empty.
    """

    def __init__(
        self,
        body: Any,  # noqa: ANN401
        head: Any,  # noqa: ANN401
        wanted: Wanted,
        check_ids: Callable[[torch.Tensor], None],
        prefix: Sequence[int] = (),
    ) -> None:
        self.body, self.head, self.wanted, self.check_ids = body, head, wanted, check_ids
        attention = body.layers[0].self_attn
        self.head_dim, self.scaling = attention.head_dim, attention.scaling
        self.n_heads = attention.q_proj.out_features // self.head_dim
        self.n_kv_heads = attention.k_proj.out_features // self.head_dim
        self.n_run = wanted.n_run
        self.prefix: SharedPrefix | None = None
        if prefix:
            cache = self._cache(1, len(prefix))
            self._prefill_part([list(prefix)], slice(0, 1), cache, None)
            self.prefix = SharedPrefix(list(prefix), cache)

    def prefill(self, parts: Sequence[Prompts], max_answer_tokens: int) -> tuple[Prefill, FusedDecoding]:
        """Run prompts through the model, each part in a pass of its own; see `ForwardPass`.

        :param parts: token ids of the prompts, at least one part.
        :param max_answer_tokens: maximum length of an answer, in tokens; 0 where none is decoded.
        :return: the results of all parts as one batch, and what decodes their answers.
        """
        import torch

        prompts = [prompt for part in parts for prompt in part]
        shared = self.prefix if self.prefix and self.prefix.begins(prompts) else None
        lengths = torch.tensor([len(prompt) for prompt in prompts])
        cache = self._cache(len(prompts), int(lengths.max()) + max_answer_tokens, shared.cache if shared else None)
        prefills, start = [], 0
        for part in parts:
            rows = slice(start, start + len(part))
            prefills.append(self._prefill_part(part, rows, cache, shared))
            start = rows.stop
        return concat(prefills), FusedDecoding(self, cache, lengths)

    def _cache(self, rows: int, positions: int, prefix: KeyValueCache | None = None) -> KeyValueCache:
        shape = (self.n_run, rows, self.n_kv_heads, positions, self.head_dim)
        return KeyValueCache(shape, self.body.dtype, prefix)

    def _prefill_part(
        self, prompts: Prompts, rows: slice, cache: KeyValueCache, shared: SharedPrefix | None
    ) -> Prefill:
        import torch

        n_shared = len(shared.ids) if shared else 0
        ids = torch.tensor([id_ for prompt in prompts for id_ in prompt[n_shared:]])
        self.check_ids(ids)
        segments, row, token = [], rows.start, 0
        for length, same in groupby(map(len, prompts)):
            n_rows, n_tokens = len(list(same)), length - n_shared
            tokens = slice(token, token + n_rows * n_tokens)
            mask = causal_mask(n_tokens, length, self.body.dtype)
            segments.append(Segment(slice(row, row + n_rows), tokens, n_tokens, length, mask))
            row, token = row + n_rows, tokens.stop
        lengths = torch.tensor([len(prompt) - n_shared for prompt in prompts])
        last = lengths.cumsum(0) - 1
        positions = torch.cat([torch.arange(n_shared, n_shared + int(n)) for n in lengths])
        inner, final = self.run(ids, positions, segments, cache, None if self.wanted.prompt_sums else last)
        sums = None
        if self.wanted.prompt_sums:
            row_of = torch.arange(len(prompts)).repeat_interleave(lengths)
            sums = torch.zeros(len(prompts), inner.shape[1]).index_add_(0, row_of, inner.float()), lengths[:, None]
            inner, final = inner[last], final[last]
        return Prefill(inner.float(), self.head(final) if self.wanted.logits else None, sums)

    def run(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        segments: list[Segment],
        cache: KeyValueCache,
        last: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the states of the wanted layer and of the last that is run, shape (tokens, hidden_size).

        :param ids: of all tokens, shape (tokens,).
        :param positions: of the tokens in their rows, shape (tokens,).
        :param segments: which tokens are whose.
        :param cache: holds the tokens before these, and receives these.
        :param last: the tokens whose states are needed; None: all.
        """
        from torch.nn.functional import silu

        states = self.body.embed_tokens(ids)
        rotation = self._rotation(states, positions)
        buffers = self._buffers(states)
        inner = states
        for i, layer in enumerate(self.body.layers[: self.n_run]):
            if i == self.wanted.layer:
                inner = states.clone() if last is None else states[last]
            attention, mlp = layer.self_attn, layer.mlp
            normed = rms_norm(states, layer.input_layernorm)
            keys = rotate(linear(normed, attention.k_proj, buffers.keys), rotation, self.head_dim)
            values = linear(normed, attention.v_proj, buffers.values)
            for segment in segments:
                cache.store(i, segment, keys, values)
            if last is not None and i == self.n_run - 1:  # keys and values are all that the other tokens are for
                states, normed, rotation = states[last], normed[last], (rotation[0][last], rotation[1][last])
                segments, buffers = last_tokens(segments), self._buffers(states)
            queries = rotate(linear(normed, attention.q_proj, buffers.queries), rotation, self.head_dim)
            for segment in segments:
                self._attend(queries, cache.keys[i], cache.values[i], segment, buffers.mixed)
            add_linear(states, buffers.mixed, attention.o_proj)
            normed = rms_norm(states, layer.post_attention_layernorm)
            gate = silu(linear(normed, mlp.gate_proj, buffers.gate), inplace=True)
            gate *= linear(normed, mlp.up_proj, buffers.up)
            add_linear(states, gate, mlp.down_proj)
        if self.n_run == self.wanted.n_layers:
            states = rms_norm(states, self.body.norm)
        return (inner if self.wanted.layer < self.n_run else states), states

    def _rotation(self, states: torch.Tensor, positions: torch.Tensor) -> Rotation:
        cos, sin = self.body.rotary_emb(states, positions[None])
        return cos[0, :, None], sin[0, :, None, : self.head_dim // 2]

    def _buffers(self, states: torch.Tensor) -> Buffers:
        layer = self.body.layers[0]
        attention = layer.self_attn
        products = attention.q_proj, attention.k_proj, attention.v_proj, layer.mlp.gate_proj, layer.mlp.up_proj
        queries, keys, values, gate, up = (
            states.new_empty(len(states), product.out_features) for product in products
        )
        return Buffers(queries, keys, values, gate, up, queries.new_empty(queries.shape))

    def _attend(
        self,
        queries: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        segment: Segment,
        mixed: torch.Tensor,
    ) -> None:
        """Write the attention's output for a segment, before its last product.

        The query heads of one key head are taken together, so that keys and values are not repeated.

        :param queries: of all tokens, shape (tokens, heads, head_dim).
        :param keys: of one layer, shape (rows, key heads, positions, head_dim).
        :param values: like the keys.
        :param segment: the rows.
        :param mixed: receives the output, shape (tokens, heads * head_dim).
        """
        import torch

        n_kv, n_tokens, end = self.n_kv_heads, segment.n_tokens, segment.end
        shape = (-1, n_tokens, n_kv, self.n_heads // n_kv, self.head_dim)
        heads = queries[segment.tokens].view(shape).permute(0, 2, 3, 1, 4).flatten(0, 1)
        keys, values = (part[segment.rows, :, :end].flatten(0, 1) for part in (keys, values))
        mixed = mixed[segment.tokens].view(shape)
        size = BLOCK if heads.dtype == torch.bfloat16 else n_tokens
        for start in range(0, n_tokens, size):
            stop = min(start + size, n_tokens)
            seen = end - n_tokens + stop
            mask = None if segment.mask is None else segment.mask[..., start:stop, :seen]
            out = self._mix(heads[:, :, start:stop], keys[:, :seen], values[:, :seen], mask)
            mixed[:, start:stop].copy_(out.view(-1, n_kv, *out.shape[1:]).permute(0, 3, 1, 2, 4))

    def _mix(
        self, heads: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the values, weighted by how well their keys fit each query.

        :param heads: queries, shape (rows * key heads, group, tokens, head_dim).
        :param keys: shape (rows * key heads, positions, head_dim).
        :param values: like the keys.
        :param mask: added to the scores.
        :return: like the queries.
        """
        import torch
        from torch.nn.functional import scaled_dot_product_attention

        if heads.dtype != torch.bfloat16:
            keys, values = (part[:, None].expand(-1, heads.shape[1], -1, -1) for part in (keys, values))
            return scaled_dot_product_attention(heads, keys, values, attn_mask=mask, scale=self.scaling)
        rows = heads.flatten(1, 2)
        scores = torch.baddbmm(rows.new_zeros(1), rows, keys.mT, beta=0, alpha=self.scaling)
        if mask is not None:
            scores.view(*heads.shape[:3], -1).add_(mask)
        return torch.bmm(scores.softmax(-1), values).view(heads.shape)


class FusedDecoding:
    """The rows of a batch whose answers are being decoded.

    :param forward: the pass over their prompts.
    :param cache: keys and values of the prompts, with room for the answers.
    :param lengths: of the prompts, in tokens, shape (rows,).
    """

    def __init__(self, forward: FusedPass, cache: KeyValueCache, lengths: torch.Tensor) -> None:
        self.forward, self.cache, self.lengths = forward, cache, lengths
        self.n_positions = int(lengths.max())

    def step(self, token: torch.Tensor, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the next state and logits of each row; see `Decoding`.

        :param token: the token of each row, shape (batch,).
        :param i: number of answer tokens before it.
        :return: float32 states, and logits.
        """
        forward, rows, end = self.forward, slice(0, len(token)), self.n_positions + i + 1
        mask = padding_mask(self.lengths, self.n_positions, end, forward.n_kv_heads, forward.body.dtype)
        inner, final = forward.run(token, self.lengths + i, [Segment(rows, rows, 1, end, mask)], self.cache)
        return inner.float(), forward.head(final)

    def keep(self, rows: torch.Tensor) -> None:
        """Reduce the batch to some rows.

        :param rows: their indices.
        """
        self.lengths = self.lengths[rows]
        self.cache.keep(rows)


def linear(rows: torch.Tensor, product: Any, out: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
    """Return the output of a linear layer, written to a buffer.

    :param rows: shape (rows, in_features).
    :param product: a `torch.nn.Linear`.
    :param out: shape (rows, out_features).
    :return: the buffer.
    """
    import torch

    if product.bias is None:
        return torch.mm(rows, product.weight.t(), out=out)
    return torch.addmm(product.bias, rows, product.weight.t(), out=out)


def add_linear(states: torch.Tensor, rows: torch.Tensor, product: Any) -> None:  # noqa: ANN401
    """Add the output of a linear layer to states, in place.

    :param states: shape (rows, out_features).
    :param rows: shape (rows, in_features).
    :param product: a `torch.nn.Linear`.
    """
    states.addmm_(rows, product.weight.t())
    if product.bias is not None:
        states += product.bias


def rms_norm(states: torch.Tensor, norm: Any) -> torch.Tensor:  # noqa: ANN401
    """Return states divided by their root mean square, and weighted.

    :param states: shape (rows, hidden_size).
    :param norm: the model's own norm, with its weight and epsilon.
    :return: like the states.
    """
    from torch.nn.functional import rms_norm

    return rms_norm(states, norm.weight.shape, norm.weight, norm.variance_epsilon)


def rotate(rows: torch.Tensor, rotation: Rotation, head_dim: int) -> torch.Tensor:
    """Return queries or keys with rotary position embeddings (Su et al. 2021).

    :param rows: shape (tokens, heads * head_dim).
    :param rotation: cosines, shape (tokens, 1, head_dim), and sines, shape (tokens, 1, head_dim / 2).
    :param head_dim: size of a head.
    :return: shape (tokens, heads, head_dim).
    """
    cos, sin = rotation
    heads, half = rows.view(len(rows), -1, head_dim), head_dim // 2
    rotated = heads * cos
    rotated[..., :half].addcmul_(heads[..., half:], sin, value=-1)
    rotated[..., half:].addcmul_(heads[..., :half], sin)
    return rotated
