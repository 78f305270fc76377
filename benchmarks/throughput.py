"""How fast rows are read, against the reference way and against plain transformers, side by side in one run.

    python benchmarks/throughput.py [--rows 256 96 32] [--lengths short middle long] [--rounds 2] [--threads 1]

The same rows, template, layer, weights and at most 3 answer tokens for all:

a    the reference way, as the paper's code does it: float32, batches of 32 in the order of the file, `generate`
     with the hidden states of all layers and steps, and each row's vector picked in Python
b    plain transformers: the base model, the fast dtype, batches of 32 of sorted rows, one hidden state
c    inbedder, vectors only
d    inbedder, vectors and answers
c-   c and d without the fused forward pass
d-
c32  c and d in float32, where the fast dtype is another
d32

All take turns, and the best of each one's rounds counts. With one thread, times are those of the processor, so
that other work on the machine disturbs them less; with several, those of the clock. Whether the fast paths work
for a model is checked on three rows (the command line remembers it), before the rounds: that time, with the
encoding of the three, has a column of its own.

Tokens needed are each row's own and, once, what all prompts begin with; those computed include padding and
answers. The rate of the machine is that of a layer's own matrix products, one after another as the fused pass has
them, with as many threads, for 1,024 tokens: the best of all rounds.
"""

from __future__ import annotations

import argparse
import csv
import platform
import time
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

import numpy as np
import torch

from inbedder_cli.encoders import load_encoder
from inbedder_cli.encoders.transformers.batching import canonical_order
from inbedder_cli.encoders.transformers.fast_paths import find_prefix
from inbedder_cli.options import Dtype, EncodeOptions, Pooling

if TYPE_CHECKING:
    from collections.abc import Callable

    from inbedder_cli.encoders.transformers.causal import CausalEncoder

ROOT = Path(__file__).resolve().parent.parent
QUESTION = "What emotion is expressed?"
WORDS = {"short": 15, "middle": 60, "long": 250}
MAX_NEW = 3
BATCH = 32
MATRIX_ROWS = 1024
MATRIX_ROUNDS = 4


class Way(NamedTuple):
    """What one way of reading gave."""

    seconds: float
    tokens: int
    vectors: np.ndarray


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs=3, type=int, default=(256, 96, 32), metavar="N")
    parser.add_argument("--lengths", nargs="+", choices=list(WORDS), default=list(WORDS))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--layer", type=int, default=29)
    parser.add_argument("--model", default="inbedder-135m")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    exact = load_encoder(chosen.model, device="cpu", dtype=Dtype.float32, cache=False).model
    fast = load_encoder(chosen.model, device="cpu", cache=False).model
    print(
        f"{date.today()}; {machine()}; {fast.description}; layer {chosen.layer} of {fast.n_layers}; "
        f"at most {MAX_NEW} answer tokens; {'processor time' if chosen.threads == 1 else 'time of the clock'}"
    )
    header = (
        "texts",
        "way",
        "rows/s",
        "x (a)",
        "x (b)",
        "computed/needed",
        "of matrix rate",
        "median cosine with (a)",
    )
    print(("{:>18} " * len(header)).format(*header), "   check of fast paths")
    ways: dict[str, tuple[CausalEncoder, Callable[..., np.ndarray]]] = {
        "a": (exact, reference),
        "b": (fast, plain),
    }
    for name, answers in (("c", False), ("d", True)):
        ways[name] = (fast, partial(ours, answers=answers))
        ways[f"{name}-"] = (fast, partial(unfused, answers=answers))
        if fast.model.dtype != torch.float32:
            ways[f"{name}32"] = (exact, partial(ours, answers=answers))
    for length, n in zip(WORDS, chosen.rows, strict=True):
        if length not in chosen.lengths:
            continue
        rows = texts(WORDS[length], n)
        order = canonical_order(rows)
        three = [rows[order[i]] for i in (0, n // 2, n - 1)]
        checks = {name: timed(*ways[name], three, chosen.layer).seconds for name in ways if name not in "ab"}
        results: dict[str, Way] = {}
        rates: dict[torch.dtype, float] = {}
        for _ in range(chosen.rounds):
            for encoder in (exact, fast):
                dtype = encoder.model.dtype
                rates[dtype] = max(rates.get(dtype, 0.0), matrix_rate(encoder))
            for name, way in ways.items():
                turn = timed(*way, rows, chosen.layer)
                results[name] = min(results.get(name, turn), turn, key=lambda way: way.seconds)
        prompter = fast.prompter(QUESTION, 1024)
        prompts, shared = prompter.encode(rows)[0], len(find_prefix(prompter))
        needed = sum(len(ids) - shared for ids in prompts) + shared
        for name, way in results.items():
            encoder = ways[name][0]
            work = 2 * needed * weights_below(encoder, chosen.layer if name[0] in "bc" else encoder.n_layers)
            cells = (
                f"{length} ({needed / n:.0f} tokens)",
                name,
                f"{n / way.seconds:.1f}",
                f"{results['a'].seconds / way.seconds:.1f}",
                f"{results['b'].seconds / way.seconds:.2f}",
                f"{way.tokens / needed:.2f}",
                f"{100 * work / way.seconds / rates[encoder.model.dtype]:.0f} %",
                f"{median_cosine(way.vectors, results['a'].vectors):.5f}",
            )
            check = f"{checks[name]:.1f} s" if name in checks else ""
            print(("{:>18} " * len(cells)).format(*cells), f"{check:>22}", flush=True)
        print("matrix rate: " + ", ".join(f"{str(t)[6:]} {rate / 1e9:.0f} GFLOP/s" for t, rate in rates.items()))


def texts(n_words: int, n: int) -> list[str]:
    """Return different texts of about so many words, made of the sample reviews' own."""
    with (ROOT / "sample_data" / "reviews.csv").open(encoding="utf-8", newline="") as file:
        words = " ".join(row["text"] for row in csv.DictReader(file)).split()
    rng = np.random.default_rng(0)
    starts = rng.integers(0, len(words) - 2 * n_words, n)
    lengths = rng.integers(max(1, n_words // 2), n_words + n_words // 2 + 1, n)
    return [" ".join(words[s : s + length]) for s, length in zip(starts, lengths, strict=True)]


def reference(encoder: CausalEncoder, rows: list[str], layer: int) -> np.ndarray:
    """Read rows as the paper's code does."""
    tokenizer, model = encoder.tokenizer, encoder.model
    vectors = []
    for start in range(0, len(rows), BATCH):
        prompts = [encoder.template.render(text, QUESTION) for text in rows[start : start + BATCH]]
        inputs = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left")
        with torch.no_grad():
            out = model.generate(
                **inputs,
                max_new_tokens=MAX_NEW,
                do_sample=False,
                output_hidden_states=True,
                return_dict_in_generate=True,
                pad_token_id=tokenizer.pad_token_id,
            )
        vectors += [out.hidden_states[0][layer][i, -1].numpy() for i in range(len(prompts))]
    return np.stack(vectors)


def plain(encoder: CausalEncoder, rows: list[str], layer: int) -> np.ndarray:
    """Read rows with transformers as one would without inbedder."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    vectors: list[Any] = [None] * len(rows)
    for start in range(0, len(order), BATCH):
        some = order[start : start + BATCH]
        prompts = [encoder.template.render(rows[i], QUESTION) for i in some]
        inputs = encoder.tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left")
        with torch.inference_mode():
            out = encoder.model.base_model(**inputs, output_hidden_states=True, use_cache=False)
        for i, vector in zip(some, out.hidden_states[layer][:, -1].float().numpy(), strict=True):
            vectors[i] = vector
    return np.stack(vectors)


def ours(encoder: CausalEncoder, rows: list[str], layer: int, *, answers: bool) -> np.ndarray:
    """Read rows with inbedder."""
    options = EncodeOptions(
        pooling=Pooling.first_token, layer=layer, answers=answers, max_answer_tokens=MAX_NEW, max_tokens=1024
    )
    return np.asarray(encoder.encode(rows, QUESTION, options).vectors)


def unfused(encoder: CausalEncoder, rows: list[str], layer: int, *, answers: bool) -> np.ndarray:
    """Read rows with inbedder, by the model's own forward pass."""
    with patch("inbedder_cli.encoders.transformers.causal.is_fusable", lambda _: False):
        return ours(encoder, rows, layer, answers=answers)


def timed(encoder: CausalEncoder, read: Callable[..., np.ndarray], rows: list[str], layer: int) -> Way:
    """Run a way of reading and count the tokens whose embeddings it looks up."""
    count = 0

    def hook(_: torch.nn.Module, args: tuple[torch.Tensor, ...], __: object) -> None:
        nonlocal count
        count += args[0].numel()

    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    handle = encoder.model.get_input_embeddings().register_forward_hook(hook)
    start = clock()
    vectors = read(encoder, rows, layer)
    seconds = clock() - start
    handle.remove()
    return Way(seconds, count, vectors)


def matrices(encoder: CausalEncoder) -> list[Any]:
    """Return the weight matrices of the layers."""
    stack = next(m for m in encoder.model.modules() if isinstance(m, torch.nn.ModuleList))
    return [m.weight for layer in stack for m in layer.modules() if isinstance(m, torch.nn.Linear)]


def weights_below(encoder: CausalEncoder, layer: int) -> int:
    """Return how many weights stand below a hidden state, outside the embedding."""
    return sum(weight.numel() for weight in matrices(encoder)) * layer // encoder.n_layers


def matrix_rate(encoder: CausalEncoder) -> float:
    """Return the operations per second of the matrix products of some layers."""
    some = matrices(encoder)[: 7 * 8]
    shapes = {(weight.shape, weight.dtype) for weight in some}
    inputs = {shape: torch.randn(MATRIX_ROWS, shape[1]).to(dtype) for shape, dtype in shapes}
    outputs = {shape: torch.empty(MATRIX_ROWS, shape[0], dtype=dtype) for shape, dtype in shapes}
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    best = float("inf")
    with torch.inference_mode():
        for _ in range(MATRIX_ROUNDS):
            start = clock()
            for weight in some:
                torch.mm(inputs[weight.shape], weight.t(), out=outputs[weight.shape])
            best = min(best, clock() - start)
    return 2 * MATRIX_ROWS * sum(weight.numel() for weight in some) / best


def median_cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Return the median cosine of the centred vectors."""
    one, other = one - one.mean(0), other - other.mean(0)
    cosines = (one * other).sum(1) / (np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1))
    return float(np.median(cosines))


def machine() -> str:
    """Return the machine in words."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
        flags = next((line for line in lines if line.startswith("flags")), "")
        name += "".join(
            f" {flag}" for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags.split()
        )
    return f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}"


if __name__ == "__main__":
    main()
