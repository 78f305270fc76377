"""The options of `inbedder train` that replace settings of its recipe."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.errors import UsageError
from inbedder_cli.options import Dtype, Pooling
from inbedder_cli.training.recipes import Schedule, train_options

if TYPE_CHECKING:
    from inbedder_cli.training.recipes import Recipe, TrainOptions

RECIPE = "Recipe (defaults depend on --recipe)"
MONITORING = "Monitoring and resuming"


@dataclass(frozen=True)
class RecipeOptions:
    """How the encoder is trained; the fields are those of `TrainOptions`, None for the recipe's own."""

    full: Annotated[
        bool | None,
        typer.Option("--full/--lora", help="Train all weights, or a LoRA adapter.", rich_help_panel=RECIPE),
    ] = None
    rank: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Rank of the adapter.", rich_help_panel=RECIPE)
    ] = None
    top_layers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=parameters.MAX_LAYER,
            help="Adapt only this many of the last layers, which is faster.",
            rich_help_panel=RECIPE,
            show_default="all",
        ),
    ] = None
    learning_rate: Annotated[
        float | None, typer.Option("--lr", min=0, max=10, help="Peak learning rate.", rich_help_panel=RECIPE)
    ] = None
    schedule: Annotated[
        Schedule | None, typer.Option(help="How the learning rate decreases.", rich_help_panel=RECIPE)
    ] = None
    epochs: Annotated[
        float | None, typer.Option(min=0.001, max=10_000, help="Passes over the examples.", rich_help_panel=RECIPE)
    ] = None
    max_examples: Annotated[
        int | None,
        typer.Option(
            min=1, max=parameters.MAX_COUNT, help="Stop after this many examples.", rich_help_panel=RECIPE
        ),
    ] = None
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1, max=parameters.MAX_COUNT, help="Examples per step and process.", rich_help_panel=RECIPE
        ),
    ] = None
    contrast: Annotated[
        float | None,
        typer.Option(
            min=0, max=1000, help="Weight of the contrastive term; 0 disables it.", rich_help_panel=RECIPE
        ),
    ] = None
    contrast_share: Annotated[
        float | None,
        typer.Option(min=0, max=0.95, help="Share of the batches that are contrastive.", rich_help_panel=RECIPE),
    ] = None
    temperature: Annotated[
        float | None,
        typer.Option(min=0.001, max=1000, help="Temperature of the contrastive term.", rich_help_panel=RECIPE),
    ] = None
    unanswerable: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=0.5,
            help='Share of examples to turn into unanswerable ones ("not mentioned").',
            rich_help_panel=RECIPE,
        ),
    ] = None
    template: Annotated[
        str | None,
        typer.Option(
            help="Prompt: paper, question-first, chat, or a pattern with {text} and {instruction}.",
            rich_help_panel=RECIPE,
        ),
    ] = None
    layer: Annotated[
        int | None,
        typer.Option(
            min=-parameters.MAX_LAYER,
            max=parameters.MAX_LAYER,
            help="Hidden layer to take vectors from.",
            rich_help_panel=RECIPE,
            show_default="the base's",
        ),
    ] = None
    pooling: Annotated[
        Pooling | None,
        typer.Option(help="What becomes the vector.", rich_help_panel=RECIPE, show_default="the base's"),
    ] = None
    max_tokens: Annotated[
        int | None,
        typer.Option(
            min=32,
            max=parameters.MAX_COUNT,
            help="Longest prompt, in tokens; longer texts are truncated.",
            rich_help_panel=RECIPE,
        ),
    ] = None
    stop_words: Annotated[
        str | None,
        typer.Option(help="File of words to remove from answers, one per line.", rich_help_panel=RECIPE),
    ] = None
    keep_stop_words: Annotated[
        bool, typer.Option("--keep-stop-words", help="Keep stop words in the answers.", rich_help_panel=RECIPE)
    ] = False
    eval_every: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=parameters.MAX_COUNT,
            help="Steps between evaluations.",
            rich_help_panel=MONITORING,
            show_default="a tenth of the run",
        ),
    ] = None
    save_every: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=parameters.MAX_COUNT,
            help="Steps between checkpoints.",
            rich_help_panel=MONITORING,
            show_default="100",
        ),
    ] = None
    dtype: parameters.DtypeOption = Dtype.auto
    batch_tokens: Annotated[
        int | None,
        typer.Option(
            min=64,
            max=parameters.MAX_COUNT,
            help="Padded tokens per forward pass.",
            rich_help_panel=parameters.MODEL,
            show_default="2048",
        ),
    ] = None
    checkpointing: Annotated[
        bool,
        typer.Option(
            "--checkpointing",
            help="Save memory: compute activations twice instead of storing them.",
            rich_help_panel=parameters.MODEL,
        ),
    ] = False

    def settings(self, recipe: Recipe, seed: int) -> TrainOptions:
        """Return the settings of the training.

        :param recipe: where the defaults come from.
        :param seed: seed of every random choice.
        :raises UsageError: for options that exclude each other.
        """
        chosen = asdict(self)
        if chosen.pop("keep_stop_words"):
            if self.stop_words is not None:
                raise UsageError("--keep-stop-words and --stop-words exclude each other", hint="give one of them")
            chosen["stop_words"] = "none"
        return train_options(recipe, **chosen | {"checkpointing": self.checkpointing or None, "seed": seed})
