"""A Trainer that takes planned batches in parts, and writes checkpoints of the trained parameters only."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import PrinterCallback, Trainer, TrainerState, TrainingArguments

from inbedder_cli.errors import InbedderError, InputError, OutOfMemoryError
from inbedder_cli.training.callbacks import EvaluationCallback, ProgressCallback
from inbedder_cli.training.checkpoints import CHECKPOINTS, open_run
from inbedder_cli.training.distributed import n_processes
from inbedder_cli.training.losses import AnsweringModel, Losses
from inbedder_cli.training.plan import Batch
from inbedder_cli.training.tokens import Collator, ExampleTokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import TrainerCallback

    from inbedder_cli.evaluation.tasks import Suite
    from inbedder_cli.progress import Reporter
    from inbedder_cli.training.examples import Example
    from inbedder_cli.training.learner import Learner
    from inbedder_cli.training.recipes import TrainFiles, TrainOptions
    from inbedder_cli.training.teacher_labels import TeacherLabels

WEIGHTS = "trained.safetensors"


class PlannedTrainer(Trainer):  # type: ignore[misc]
    """Trains on batches in the order they were planned, part by part.

    :param *args: arguments of Trainer.
    :param contrast: weight of the contrastive term.
    :param **kwargs: keyword arguments of Trainer.
    """

    def __init__(self, *args: Any, contrast: float, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self.contrast = contrast
        self.sums = {"answer_loss": 0.0, "answer_tokens": 0.0, "contrast_loss": 0.0, "contrast_batches": 0.0}
        self.remove_callback(PrinterCallback)

    def _get_train_sampler(self, *_: Any) -> torch.utils.data.Sampler[int]:  # noqa: ANN401
        return torch.utils.data.SequentialSampler(self.train_dataset)

    def training_step(self, model: torch.nn.Module, inputs: dict[str, Any], *_: Any) -> torch.Tensor:  # noqa: ANN401
        """Compute the gradients of one step; several processes exchange them once, with the last part.

        :param model: an `AnsweringModel`, perhaps wrapped.
        :param inputs: the parts of the step, see `Collator`.
        :return: the loss, a scalar.
        """
        model.train()
        parts = self._prepare_inputs(inputs)["parts"]
        n_targets = sum(len(part["targets"]) for part in parts)
        total = torch.zeros((), device=self.args.device)
        for i, part in enumerate(parts):
            no_exchange = self.accelerator.no_sync(model) if i + 1 < len(parts) else nullcontext()
            with no_exchange:
                with self.compute_loss_context_manager():
                    losses = model(part)
                    loss = self._combine(losses, n_targets)
                self.accelerator.backward(loss)
            self._count(losses, len(part["targets"]))
            total += loss.detach()
        return total

    def prediction_step(self, model: torch.nn.Module, inputs: dict[str, Any], *_: Any, **__: Any) -> Any:  # noqa: ANN401
        """Return the loss of the answers, per token, of one held-out batch.

        :param model: an `AnsweringModel`, perhaps wrapped.
        :param inputs: the parts of the batch, see `Collator`.
        :return: the loss, and None for the logits and labels that Trainer expects.
        """
        parts = self._prepare_inputs(inputs)["parts"]
        with torch.no_grad(), self.compute_loss_context_manager():
            answer = sum(model(part).answer for part in parts)
        return answer / sum(len(part["targets"]) for part in parts), None, None

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Log the two terms of the loss separately, each as a mean since the last log entry.

        :param logs: the log entry, to which the terms are added.
        :param *args: arguments of Trainer.
        :param **kwargs: keyword arguments of Trainer.
        """
        sums = self.sums
        if "loss" in logs:
            if sums["answer_tokens"]:
                logs["answer_loss"] = sums["answer_loss"] / sums["answer_tokens"]
            if sums["contrast_batches"]:
                logs["contrast_loss"] = sums["contrast_loss"] / sums["contrast_batches"]
            self.sums = dict.fromkeys(sums, 0.0)
        super().log(logs, *args, **kwargs)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Return 0: operations are not counted.

        :param inputs: unused.
        :return: 0.
        """
        return 0

    def _combine(self, losses: Losses, n_targets: int) -> torch.Tensor:
        answer = losses.answer / n_targets
        return answer if losses.contrast is None else answer + self.contrast * losses.contrast

    def _count(self, losses: Losses, n_targets: int) -> None:
        self.sums["answer_loss"] += float(losses.answer.detach())
        self.sums["answer_tokens"] += n_targets
        if losses.contrast is not None:
            self.sums["contrast_loss"] += float(losses.contrast.detach())
            self.sums["contrast_batches"] += 1

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        if not self.args.should_save:
            return
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        trained = {name: p.detach().cpu().contiguous() for name, p in self._unwrap().trained_parameters().items()}
        save_file(trained, folder / WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: torch.nn.Module | None = None) -> None:
        with _reading(resume_from_checkpoint), torch.no_grad():
            trained = load_file(Path(resume_from_checkpoint) / WEIGHTS)
            for name, parameter in self._unwrap().trained_parameters().items():
                parameter.copy_(trained[name])

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        with _reading(checkpoint):
            super()._load_optimizer_and_scheduler(checkpoint)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        with _reading(checkpoint):
            super()._load_rng_state(checkpoint)

    def _unwrap(self) -> AnsweringModel:
        return self.accelerator.unwrap_model(self.model)  # type: ignore[no-any-return]


@contextmanager
def _reading(checkpoint: str | None) -> Iterator[None]:
    """Turn whatever a damaged checkpoint raises into an error that names it.

    :param checkpoint: its folder.
    :raises InputError: for a file that is damaged, or holds anything but tensors and numbers.
    """
    try:
        yield
    except (KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:  # of torch, safetensors, or transformers
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        hint = "remove it to continue from the one before; without any, training starts again"
        raise InputError(f"the checkpoint cannot be read: {reason}", source=str(checkpoint), hint=hint) from error


def run_trainer(
    learner: Learner,
    learn: list[Example],
    dev: list[Example],
    plan: list[Batch],
    options: TrainOptions,
    files: TrainFiles,
    suite: Suite | None,
    folder: Path,
    record: dict[str, Any],
    *,
    labels: TeacherLabels | None,
    force: bool,
    reporter: Reporter,
) -> list[dict[str, Any]]:
    """Run Trainer over the plan and return its log.

    :param learner: the model to train, changed in place.
    :param learn: training examples.
    :param dev: held-out examples.
    :param plan: batches of the training examples.
    :param options: settings of the run.
    :param files: how many rows of each task are measured.
    :param suite: tasks to measure whenever the held-out loss is; None measures none.
    :param folder: of the unfinished run.
    :param record: everything that determines the run, see `checkpoints.run_record`.
    :param labels: of a teacher, if there is one.
    :param force: replace another unfinished run.
    :param reporter: shows progress.
    :return: one entry per logged step.
    :raises UsageError: when the folder holds another unfinished run.
    :raises OutOfMemoryError: when a step does not fit the device's memory.
    """
    encoder, size = learner.encoder, options.batch_size
    n = n_processes()
    steps = max(1, len(plan) // n)
    examples_by_step = [n * seen for seen in accumulate(len(batch.rows) for batch in plan[::n])]
    dev_plan = [
        Batch([len(learn) + j for j in range(i, min(i + size, len(dev)))], False) for i in range(0, len(dev), size)
    ]
    settings = training_arguments(options, folder / CHECKPOINTS, steps, learner, has_dev=bool(dev))
    with settings.main_process_first(local=False):
        checkpoint = open_run(folder, record, force=force)
    if checkpoint:
        reporter.info(f"continuing from {checkpoint}")
        with _reading(checkpoint):
            TrainerState.load_from_json(str(Path(checkpoint) / "trainer_state.json"))
    with reporter.task("training", steps, unit="examples") as advance:
        callbacks: list[TrainerCallback] = [ProgressCallback(advance, examples_by_step, reporter)]
        if suite is not None:
            callbacks.append(EvaluationCallback(encoder, suite, files.suite_limit, reporter))
        trainer = PlannedTrainer(
            model=AnsweringModel(encoder, learner.layer, options.temperature),
            args=settings,
            train_dataset=plan,
            eval_dataset=dev_plan or None,
            data_collator=Collator(ExampleTokenizer(encoder, options), [*learn, *dev], labels),
            callbacks=callbacks,
            contrast=options.contrast,
        )
        try:
            trainer.train(resume_from_checkpoint=checkpoint)
        except KeyboardInterrupt:
            reporter.warn(f"stopped; repeat the command to continue from the last checkpoint in {folder}")
            raise
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise OutOfMemoryError(
                "a training step does not fit into memory",
                hint="lower --batch-tokens, --batch-size or --max-tokens, or add --checkpointing",
            ) from error
        except (OSError, SafetensorError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "failed writing" not in str(error):  # torch's, of a full disk
                raise
            raise InbedderError(
                f"a checkpoint cannot be written to {folder}: {str(error).splitlines()[0]}",
                hint="make room on the disk, and repeat the command to continue",
            ) from error
    return list(trainer.state.log_history)


def training_arguments(
    options: TrainOptions, folder: Path, steps: int, learner: Learner, *, has_dev: bool
) -> TrainingArguments:
    """Return the arguments of Trainer.

    :param options: settings of the run.
    :param folder: of the checkpoints.
    :param steps: number of steps in the run.
    :param learner: the model, for its device and dtype.
    :param has_dev: whether there are held-out examples to measure the loss on.
    :return: the arguments.
    """
    cpu = learner.encoder.model.device.type == "cpu"
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=1,  # a planned batch counts as one example
        per_device_eval_batch_size=1,
        max_steps=steps,
        learning_rate=options.learning_rate,
        lr_scheduler_type=str(options.schedule),
        warmup_steps=round(options.warmup * steps),
        weight_decay=0.0,
        adam_beta2=0.999 if options.full else 0.98,
        max_grad_norm=1.0,
        bf16=learner.bf16,
        use_cpu=cpu,
        logging_steps=max(1, min(20, steps // 20)),
        logging_nan_inf_filter=False,
        eval_strategy="steps" if has_dev else "no",
        eval_steps=options.eval_every or max(1, steps // 10),
        save_strategy="steps",
        save_steps=options.save_every,
        save_total_limit=2,
        seed=options.seed,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=not cpu,
        remove_unused_columns=False,
        label_names=[],
    )
    if (
        arguments.device.type == "cuda"
    ):  # each process uses one GPU; for several, torchrun starts several processes
        arguments._n_gpu = 1
    return arguments
