"""Settings of training, as plain values; importing this module loads nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from inbedder_cli.options import Choice, Dtype, Pooling

if TYPE_CHECKING:
    from pathlib import Path

    from inbedder_cli.training.examples import LabeledTable


class Recipe(Choice):
    """A set of default training settings."""

    contrast = "contrast"  # LoRA, the loss of the answers, and a contrastive term on the vectors
    paper = "paper"  # all weights, one epoch, the loss of the answers alone (InBedder, appendix, and its code)


class Schedule(Choice):
    """How the learning rate decreases after its warm-up."""

    linear = "linear"
    cosine = "cosine"


@dataclass(frozen=True)
class TrainOptions:
    """Settings of a training run.

    :param recipe: where the defaults come from.
    :param full: train all weights; otherwise low-rank adapters on all linear layers (LoRA).
    :param rank: of the adapters; None: 32, or that of the adapter that training starts from.
    :param top_layers: put adapters on this many of the last layers only, which saves backpropagation through the
        others; None: on all layers.
    :param learning_rate: peak learning rate.
    :param schedule: how it decreases.
    :param warmup: share of the steps in which the learning rate rises, 0 to 1.
    :param epochs: passes over the examples.
    :param max_examples: stop after this many examples, repeats included; the schedule ends there too. None: after
        all epochs.
    :param batch_size: examples per step.
    :param batch_tokens: padded tokens computed at once; a step is divided so that it fits into memory.
    :param contrast: weight of the contrastive term; 0 disables it and its batches.
    :param contrast_share: share of the batches that ask one question of many texts, for the contrastive term.
    :param temperature: of the contrastive term.
    :param unanswerable: share of the examples that get another text's question and the answer "not mentioned".
    :param template: name or pattern of the prompt; None takes the base's own.
    :param layer: hidden state that becomes the vector and that the contrastive term is computed on; None takes the
        base's own.
    :param pooling: of the resulting encoder; with `answer-words` the contrastive term is computed on the
        probabilities of words. None takes the base's own.
    :param max_tokens: maximum length of a prompt, in tokens; the text is truncated, the question never is.
    :param max_answer_tokens: maximum length of a target answer, in tokens.
    :param stop_words: words removed from answers: a file, "none", or None for the package's list.
    :param dev: number of examples to hold out when no file of them is given.
    :param eval_every: steps between evaluations; None: a tenth of the run.
    :param save_every: steps between checkpoints.
    :param checkpointing: activation checkpointing: compute activations twice instead of storing them.
    :param dtype: dtype of the model.
    :param seed: of every random choice.
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
        choices: dict[str, type[Choice]] = {"recipe": Recipe, "schedule": Schedule, "dtype": Dtype}
        for name, choice in choices.items():
            object.__setattr__(self, name, choice(getattr(self, name)))
        if self.pooling is not None:
            object.__setattr__(self, "pooling", Pooling(self.pooling))


# Of a teacher, see `distillation`.
MIN_CONFIDENCE = 0.2  # of an answer that is learned
MAX_WORDS = 6  # of an answer that is learned
TEACHER_TEMPERATURE = 0.1  # divides the cosines that become soft targets

# The paper: batches of 2 examples x 8 steps x 4 GPUs, no weight decay, 512 tokens (training script of its code).
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
    """Return the settings of a recipe, with some of them replaced.

    :param recipe: where the defaults come from.
    :param **chosen: settings by name; None keeps the recipe's.
    :return: the settings.
    """
    given = {name: value for name, value in chosen.items() if value is not None}
    return replace(TrainOptions(recipe=recipe, **RECIPES[recipe]), **given)


@dataclass(frozen=True)
class TrainFiles:
    """Inputs and output of a training run.

    :param data: files of examples, or names of sets on the hub; or a table of texts with their classes.
    :param output: the new folder.
    :param dev: file of examples to measure the loss on; None holds out some of the data.
    :param suite: folder of tasks, as for `inbedder evaluate`, measured whenever the loss is.
    :param suite_limit: rows of each task.
    :param teachers: files of labels (see `teaching.teach`), or references of models that label the data first.
    """

    data: tuple[str, ...] | LabeledTable
    output: Path
    dev: Path | None = None
    suite: Path | None = None
    suite_limit: int = 100
    teachers: tuple[str, ...] = ()
