"""While a model learns: the tests of `inbedder evaluate` at intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from inbedder_cli.evaluation.contestants import Contestant
from inbedder_cli.evaluation.options import EvaluateOptions, Part
from inbedder_cli.evaluation.run import evaluate

if TYPE_CHECKING:
    from inbedder_cli.encoders.reading import ModelEncoder
    from inbedder_cli.evaluation.tasks import Suite
    from inbedder_cli.talk import Talk


class Suites(TrainerCallback):  # type: ignore[misc]
    """Measures clustering and awareness on a few rows of each task after every evaluation of the loss.

    :param encoder: its model is the one that learns.
    :param limit: rows of each task.
    """

    def __init__(self, encoder: ModelEncoder, suite: Suite, limit: int, talk: Talk) -> None:
        self.encoder, self.talk = encoder, talk
        self.suite = suite
        self.options = EvaluateOptions(
            parts=(Part.clustering, Part.awareness), seeds=3, n_init=4, limit=limit, max_tokens=256
        )

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ANN401
        """Measure, tell, and put the means into the log."""
        self.encoder.model.eval()
        contestant = Contestant(
            name=f"step {state.global_step}",
            revision="",
            template=self.encoder.template.name,
            layer=self.encoder.layer,
            readout=str(self.encoder.readout),
            asked=True,
            inner=True,
            load=lambda: self.encoder,
        )
        column = evaluate(self.suite, [contestant], self.options).columns[0]
        scores = {f.metric: f.value for f in column.figures if f.part == "means" and f.value is not None}
        state.log_history.append({"step": state.global_step, **scores})
        self.talk.say(", ".join([f"step {state.global_step:,}", *(f"{k} {v:.3f}" for k, v in scores.items())]))
        self.encoder.model.train()
