"""Trainer callbacks: progress messages, and the tests of `inbedder evaluate` at intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from inbedder_cli.errors import InbedderError
from inbedder_cli.evaluation.models_under_test import ModelUnderTest
from inbedder_cli.evaluation.runner import evaluate
from inbedder_cli.evaluation.scores import MEANS
from inbedder_cli.evaluation.settings import EvaluateOptions, Part

if TYPE_CHECKING:
    from collections.abc import Callable

    from inbedder_cli.encoders.transformers.model_encoder import ModelEncoder
    from inbedder_cli.evaluation.tasks import Suite
    from inbedder_cli.progress import Reporter


class ProgressCallback(TrainerCallback):  # type: ignore[misc]
    """Shows the progress of a run and the losses in its log.

    :param advance: takes (steps done, examples done since this start of the command).
    :param examples_by_step: number of examples seen up to each step, the first step first.
    :param reporter: takes one line per log entry.
    """

    def __init__(
        self, advance: Callable[[float, float], None], examples_by_step: list[int], reporter: Reporter
    ) -> None:
        self.advance, self.examples_by_step, self.reporter = advance, examples_by_step, reporter
        self.examples_at_start = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ANN401
        """Store where a resumed run begins, so that its speed counts only new examples.

        :param args: the Trainer's arguments, unused.
        :param state: the Trainer's state.
        :param control: unused.
        """
        self.examples_at_start = self._examples(state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ANN401
        """Advance the progress bar.

        :param args: the Trainer's arguments, unused.
        :param state: the Trainer's state.
        :param control: unused.
        """
        self.advance(state.global_step, self._examples(state.global_step) - self.examples_at_start)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:  # noqa: ANN401
        """Report the losses of a log entry.

        :param args: the Trainer's arguments, unused.
        :param state: the Trainer's state.
        :param control: unused.
        :param logs: the log entry.
        """
        logs = logs or {}
        if not all(math.isfinite(logs[key]) for key in ("loss", "answer_loss") if key in logs):
            raise InbedderError(
                f"training diverged at step {state.global_step:,}: its loss is no number",
                hint="start again with a lower --lr, and --force",
            )
        names = {"answer_loss": "loss", "contrast_loss": "contrast", "eval_loss": "held-out loss"}
        losses = [f"{name} {logs[key]:.3f}" for key, name in names.items() if key in logs]
        if losses:
            examples = self._examples(state.global_step)
            self.reporter.info(f"step {state.global_step:,}, {examples:,} examples: {', '.join(losses)}")

    def _examples(self, step: int) -> int:
        return self.examples_by_step[min(step, len(self.examples_by_step)) - 1] if step else 0


class EvaluationCallback(TrainerCallback):  # type: ignore[misc]
    """Measures clustering and awareness on a few rows of each task, each time the held-out loss is measured.

    :param encoder: the encoder whose model is being trained.
    :param suite: the tasks.
    :param limit: rows of each task.
    :param reporter: takes one line per evaluation.
    """

    def __init__(self, encoder: ModelEncoder, suite: Suite, limit: int, reporter: Reporter) -> None:
        self.encoder, self.suite, self.reporter = encoder, suite, reporter
        self.options = EvaluateOptions(
            parts=(Part.clustering, Part.awareness), seeds=3, n_init=4, limit=limit, max_tokens=256
        )

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ANN401
        """Measure, report, and add the means to the log.

        :param args: the Trainer's arguments, unused.
        :param state: the Trainer's state.
        :param control: unused.
        """
        self.encoder.model.eval()
        model = ModelUnderTest(
            name=f"step {state.global_step}",
            revision="",
            template=self.encoder.template.name,
            layer=self.encoder.layer,
            pooling=str(self.encoder.pooling),
            takes_instruction=True,
            has_layers=True,
            load=lambda: self.encoder,
        )
        result = evaluate(self.suite, [model], self.options).results[0]
        means = {s.metric: s.value for s in result.scores if s.part == MEANS and s.value is not None}
        state.log_history.append({"step": state.global_step, **means})
        self.reporter.info(", ".join([f"step {state.global_step:,}", *(f"{k} {v:.3f}" for k, v in means.items())]))
        self.encoder.model.train()
