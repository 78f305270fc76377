"""While a model learns: the tests of `inbedder evaluate` at intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from inbedder_cli.evaluation.models_under_test import ModelUnderTest
from inbedder_cli.evaluation.runner import evaluate
from inbedder_cli.evaluation.settings import EvaluateOptions, Part

if TYPE_CHECKING:
    from inbedder_cli.encoders.transformers.model_encoder import ModelEncoder
    from inbedder_cli.evaluation.tasks import Suite
    from inbedder_cli.progress import Reporter


class Suites(TrainerCallback):  # type: ignore[misc]
    """Measures clustering and awareness on a few rows of each task after every evaluation of the loss.

    :param encoder: its model is the one that learns.
    :param limit: rows of each task.
    """

    def __init__(self, encoder: ModelEncoder, suite: Suite, limit: int, reporter: Reporter) -> None:
        self.encoder, self.reporter = encoder, reporter
        self.suite = suite
        self.options = EvaluateOptions(
            parts=(Part.clustering, Part.awareness), seeds=3, n_init=4, limit=limit, max_tokens=256
        )

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ANN401
        """Measure, tell, and put the means into the log."""
        self.encoder.model.eval()
        model = ModelUnderTest(
            name=f"step {state.global_step}",
            revision="",
            template=self.encoder.template.name,
            layer=self.encoder.layer,
            pooling=str(self.encoder.pooling),
            asked=True,
            inner=True,
            load=lambda: self.encoder,
        )
        column = evaluate(self.suite, [model], self.options).columns[0]
        logits = {f.metric: f.value for f in column.figures if f.part == "means" and f.value is not None}
        state.log_history.append({"step": state.global_step, **logits})
        self.reporter.info(
            ", ".join([f"step {state.global_step:,}", *(f"{k} {v:.3f}" for k, v in logits.items())])
        )
        self.encoder.model.train()
