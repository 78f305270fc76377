"""The settings of training, as plain values: no heavy imports, so the command line can show them at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from inbedder_cli.options import Choice, Dtype, Pooling

if TYPE_CHECKING:
    from pathlib import Path


class Recipe(Choice):
    """A set of defaults."""

    contrast = "contrast"  # LoRA, the answers' loss, and a contrastive term on the vectors
    paper = "paper"  # all weights, one epoch, the answers' loss alone (InBedder, appendix; its code's settings)


class Schedule(Choice):
    """How the learning rate falls after its warm-up."""

    linear = "linear"
    cosine = "cosine"


@dataclass(frozen=True)
class TrainOptions:
    """How examples become an encoder.

    :param recipe: where the defaults come from.
    :param full: train all weights; otherwise low-rank adapters on all linear layers (LoRA).
    :param rank: of the adapters; None: 32, or that of the adapter that learns on.
    :param top_layers: adapters on so many of the last layers only, which saves the work of going back through the
        others; None: on all.
    :param learning_rate: its highest value.
    :param schedule: how it falls.
    :param warmup: share of the steps in which it rises.
    :param epochs: passes over the examples.
    :param max_examples: stop after so many, repeats counted; the schedule ends there too. None: all epochs.
    :param batch_size: examples per step.
    :param batch_tokens: padded tokens that are computed at once; a step is divided so that memory suffices.
    :param contrast: weight of the contrastive term; 0 leaves it, and its batches, out.
    :param contrast_share: share of the batches that ask one question of many texts, for that term.
    :param temperature: of the contrastive term.
    :param unanswerable: share of the examples that get another text's question and "not mentioned".
    :param template: name or pattern of the prompt; None takes the base's own.
    :param layer: hidden state that the term shapes and the encoder will read; None takes the base's own.
    :param pooling: what the encoder will read, and the term shapes where it is `answer-words`; None takes the
        base's own.
    :param max_tokens: longest prompt; the text is truncated, the question never.
    :param max_answer_tokens: longest answer that is learned.
    :param stop_words: as for explaining: a file, "none", or None for the package's list.
    :param dev: examples held out when no file of them is given.
    :param eval_every: steps between evaluations; None: ten times in all.
    :param save_every: steps between checkpoints.
    :param checkpointing: compute activations twice instead of keeping them.
    """

    recipe: Recipe = Recipe.contrast
    full: bool = False
    rank: int | None = None
    top_layers: int | None = None
    learning_rate: float = 1e-3
    schedule: Schedule = Schedule.linear
    warmup: float = 0.03
    epochs: float = 1.0
    max_examples: int | None = None
    batch_size: int = 32
    batch_tokens: int = 2048
    contrast: float = 0.3
    contrast_share: float = 0.5
    temperature: float = 0.1
    unanswerable: float = 0.0
    template: str | None = None
    layer: int | None = None
    pooling: Pooling | None = None
    max_tokens: int = 192
    max_answer_tokens: int = 12
    stop_words: str | None = None
    dev: int = 300
    eval_every: int | None = None
    save_every: int = 100
    checkpointing: bool = False
    dtype: Dtype = Dtype.auto
    seed: int = 0

    def __post_init__(self) -> None:
        kinds: dict[str, type[Choice]] = {"recipe": Recipe, "schedule": Schedule, "dtype": Dtype}
        for name, architecture in kinds.items():
            object.__setattr__(self, name, architecture(getattr(self, name)))
        if self.pooling is not None:
            object.__setattr__(self, "pooling", Pooling(self.pooling))


# The paper's: 2 examples x 8 steps x 4 GPUs, AdamW, no weight decay, 512 tokens (reference code, train script).
RECIPES: dict[Recipe, dict[str, Any]] = {
    Recipe.contrast: {},
    Recipe.paper: {
        "full": True,
        "learning_rate": 2e-5,
        "schedule": Schedule.cosine,
        "batch_size": 64,
        "contrast": 0.0,
        "template": "paper",
        "max_tokens": 512,
    },
}


def train_options(recipe: Recipe, **chosen: Any) -> TrainOptions:  # noqa: ANN401
    """Return a recipe's settings with those that were chosen in their place; None means not chosen."""
    given = {name: value for name, value in chosen.items() if value is not None}
    return replace(TrainOptions(recipe=recipe, **RECIPES[recipe]), **given)


@dataclass(frozen=True)
class TrainFiles:
    """What is read and where the result goes.

    :param data: files of examples, or names of sets on the hub.
    :param dev: examples for watching the loss; None holds some of the data out.
    :param output: the new folder.
    :param suite: a folder of tasks that `inbedder evaluate` reads, measured beside the loss.
    :param suite_limit: rows of each task.
    """

    data: tuple[str, ...]
    output: Path
    dev: Path | None = None
    suite: Path | None = None
    suite_limit: int = 100
