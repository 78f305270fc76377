"""A whole training run: files -> examples -> planned batches -> trained model -> a folder that `--model` takes."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

from inbedder_cli.errors import InbedderError, InputError
from inbedder_cli.evaluation.suites import read_folder
from inbedder_cli.explanation.stop_words import load_stop_words
from inbedder_cli.progress import SILENT
from inbedder_cli.training.checkpoints import FINISHED, PARTIAL, clear, locked, run_record
from inbedder_cli.training.distillation import complete_examples, is_labels_file, read_or_label, teacher_record
from inbedder_cli.training.distributed import is_first_process
from inbedder_cli.training.examples import add_unanswerable, hold_out, read_examples
from inbedder_cli.training.learner import RANK, load_learner
from inbedder_cli.training.plan import plan_run
from inbedder_cli.training.saving import adapter_sha256, base_entry, check_output, save_result
from inbedder_cli.training.teacher_labels import is_labels
from inbedder_cli.training.tokens import examples_that_fit
from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    from pathlib import Path

    from inbedder_cli.progress import Reporter
    from inbedder_cli.training.examples import Example, Examples
    from inbedder_cli.training.learner import Learner
    from inbedder_cli.training.plan import Batch
    from inbedder_cli.training.recipes import TrainFiles, TrainOptions
    from inbedder_cli.training.teacher_labels import TeacherLabels

SHOWN = 12  # sources that a dry run names


def train(
    files: TrainFiles,
    options: TrainOptions,
    model: str,
    *,
    device: str = "auto",
    offline: bool = False,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> Path:
    """Train an encoder and return its folder.

    An unfinished run is kept in `OUTPUT.partial`. The same call continues from its last checkpoint and ends with
    the same weights as an uninterrupted run.

    :param files: inputs and output.
    :param options: settings of the run.
    :param model: reference of the base.
    :param device: "auto", "cpu", "cuda", "mps".
    :param offline: use the local cache only.
    :param force: replace an existing output, and another unfinished run.
    :param reporter: shows progress.
    :return: the folder of the encoder, `files.output`.
    :raises InputError: when examples cannot be read.
    :raises ModelError: when the base cannot be loaded.
    :raises UsageError: when an unfinished run has other settings, peft is missing, or the base's adapter does
        not match the options.
    :raises OutOfMemoryError: when a step does not fit into the device's memory.
    """
    check_output(files.output, force=force)
    folder = files.output.with_name(files.output.name + PARTIAL)
    with locked(folder):
        return _train(files, options, model, folder, device, offline, force, reporter)


def _train(
    files: TrainFiles,
    options: TrainOptions,
    model: str,
    folder: Path,
    device: str,
    offline: bool,
    force: bool,
    reporter: Reporter,
) -> Path:
    suite = None if files.suite is None else read_folder(files.suite)
    ready = _prepare(files, options, model, folder, device, offline, reporter)
    learner, examples, learn, dev, plan = ready.learner, ready.examples, ready.learn, ready.dev, ready.plan
    reporter.info(
        f"{len(learn):,} examples of {len(examples.sources)} sources, {len(dev):,} held out; training: "
        f"{ready.n_seen:,} in {len(plan):,} steps, {learner.dtype} on {learner.encoder.model.device}"
    )
    base = base_entry(learner.files, model)
    initial = learner.files.adapter
    initial_adapter = None if initial is None else adapter_sha256(initial)
    record = run_record(base, initial_adapter, examples.files, options, learner.dtype, _digest(plan, learn))
    if ready.labels is not None:  # unfinished runs of earlier versions have no such key
        record["teacher"] = ready.teacher | {"soft_targets": len(ready.taught)}

    from inbedder_cli.training.trainer import run_trainer

    curve = run_trainer(
        learner,
        learn,
        dev,
        plan,
        options,
        files,
        suite,
        folder,
        record,
        labels=ready.labels,
        force=force,
        reporter=reporter,
    )
    if not is_first_process():
        return files.output
    extra = () if learner.adapters is None else ("peft",)
    card = record | {
        "examples_seen": ready.n_seen,
        "steps": len(plan),
        "sources": examples.sources,
        "left_out": len(examples.broken),
        "held_out": len(dev),
        "versions": {name: version(name) for name in ("inbedder", "torch", "transformers", *extra)},
        "curve": curve,
    }
    _check_finite(learner)
    save_result(learner, model, base, card, folder / FINISHED, files.output)
    for path in folder.glob("*.parquet"):  # the labels of a teacher that was a model: hours of work
        if is_labels(path):
            path.replace(files.output / path.name)
    clear(folder)
    return files.output


def _check_finite(learner: Learner) -> None:
    """Refuse weights that are no numbers: the last steps may diverge after the last loss was reported."""
    for name, weights in (learner.adapters or learner.encoder.model).named_parameters():
        if weights.requires_grad and not weights.isfinite().all():
            raise InbedderError(
                f"training diverged: {name} holds values that are no numbers",
                hint="start again with a lower --lr, and --force; the checkpoints are kept",
            )


class _Ready(NamedTuple):
    """What a run starts from.

    :param learner: the base.
    :param examples: all that are usable.
    :param learn: those that are learned.
    :param dev: those that are held out.
    :param labels: what teachers say; None without any.
    :param teacher: what the card says of them.
    :param taught: indices of the examples with soft targets of a teacher.
    :param plan: the batches.
    """

    learner: Learner
    examples: Examples
    learn: list[Example]
    dev: list[Example]
    labels: TeacherLabels | None
    teacher: dict[str, Any]
    taught: list[int]
    plan: list[Batch]

    @property
    def n_seen(self) -> int:
        """Examples in all batches."""
        return sum(len(batch.rows) for batch in self.plan)


def _prepare(
    files: TrainFiles,
    options: TrainOptions,
    model: str,
    folder: Path | None,
    device: str,
    offline: bool,
    reporter: Reporter,
) -> _Ready:
    """Read the examples, load the base, ask the teachers (models if there is a folder), and plan the batches."""
    stop_words = load_stop_words(options.stop_words)
    examples = read_examples(files.data, stop_words, offline=offline, needs_answers=not files.teachers)
    if warning := examples.warning():
        reporter.warn(warning)
    learner = load_learner(model, options, device=device, offline=offline, reporter=reporter)
    labels, teacher = _ask_teachers(files, examples, stop_words, folder, device, offline, reporter)
    learn, dev = _split(examples, files, options, learner, reporter)
    taught = [i for i, example in enumerate(learn) if labels is not None and labels.has_words(example)]
    return _Ready(learner, examples, learn, dev, labels, teacher, taught, plan_run(learn, options, taught))


def describe_training(
    files: TrainFiles,
    options: TrainOptions,
    model: str,
    *,
    device: str = "auto",
    offline: bool = False,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> list[str]:
    """Return what `train` would do, and write nothing.

    A teacher that is a model is not asked: all examples count as if it answered them.

    :param files: inputs and output.
    :param options: settings of the run.
    :param model: reference of the base.
    :param device: "auto", "cpu", "cuda", "mps".
    :param offline: use the local cache only.
    :param force: replace an existing output.
    :param reporter: receives warnings.
    :return: lines without a final period.
    :raises InbedderError: as `train` does.
    """
    check_output(files.output, force=force, makes_parent=False)
    suite = None if files.suite is None else read_folder(files.suite)
    ready = _prepare(files, options, model, None, device, offline, reporter)
    sources = list(ready.examples.sources.items())
    more = f", and {len(sources) - SHOWN:,} more" if len(sources) > SHOWN else ""
    n_contrastive = sum(batch.contrast for batch in ready.plan)
    adapter = (
        "its adapter, further" if ready.learner.files.adapter else f"an adapter of rank {options.rank or RANK}"
    )
    kind = "all weights" if options.full else adapter
    lines = [
        f"examples: {len(ready.learn):,}, held out: {len(ready.dev):,}, left out: {len(ready.examples.broken):,}",
        f"sources: {', '.join(f'{name} {n:,}' for name, n in sources[:SHOWN])}{more}",
        *(
            f"teacher: {reference}"
            + ("" if is_labels_file(reference) else ", a model, which labels the rows first")
            for reference in files.teachers
        ),
        f"base: {model}, {ready.learner.dtype} on {ready.learner.encoder.model.device}; trained: {kind}",
        f"steps: {len(ready.plan):,} of up to {options.batch_size} examples, {n_contrastive:,} contrastive; "
        f"examples seen: {ready.n_seen:,}",
    ]
    if suite is not None:
        lines.append(f"evaluation: {len(suite.clusterings):,} clustering tasks of {suite.name}")
    partial = files.output.with_name(files.output.name + PARTIAL)
    if partial.is_dir():
        lines.append(f"unfinished run: {partial}, which the command continues or refuses")
    return lines


def _ask_teachers(
    files: TrainFiles,
    examples: Examples,
    stop_words: frozenset[str],
    folder: Path | None,
    device: str,
    offline: bool,
    reporter: Reporter,
) -> tuple[TeacherLabels | None, dict[str, Any]]:
    """Return the teachers' labels and what the card says of them; complete the examples in place."""
    if not files.teachers or (folder is None and not all(map(is_labels_file, files.teachers))):
        return None, {}
    labels = read_or_label(
        files.teachers, examples.rows, folder, stop_words, device=device, offline=offline, reporter=reporter
    )
    examples.rows, counts = complete_examples(examples.rows, labels, stop_words)
    reporter.info(f"teacher: {', '.join(f'{n:,} {what}' for what, n in counts.items())}")
    return labels, teacher_record(labels) | counts


def _split(
    examples: Examples, files: TrainFiles, options: TrainOptions, learner: Learner, reporter: Reporter
) -> tuple[list[Example], list[Example]]:
    """Return training examples and held-out examples, without those whose prompt is too long."""
    if files.dev is None:
        learn, dev = hold_out(examples.rows, options.dev)
    else:
        given = read_examples([str(files.dev)], load_stop_words(options.stop_words))
        if warning := given.warning():
            reporter.warn(warning)
        learn, dev = examples.rows, given.rows
    fit = examples_that_fit(learn, learner.encoder, options.max_tokens)
    if too_long := len(learn) - len(fit):
        reporter.warn(
            f"{count_of(too_long, 'row')} skipped: their questions leave no room for a text within --max-tokens"
        )
    if not fit:
        raise InputError("no usable example is left", source=", ".join(examples.files))
    held_out = examples_that_fit(dev, learner.encoder, options.max_tokens)
    return add_unanswerable(fit, options.unanswerable, options.seed), held_out


def _digest(plan: list[Batch], examples: list[Example]) -> str:
    """Return a hash of all examples in training order."""
    digest = hashlib.sha256()
    for batch in plan:
        for i in batch.rows:
            example = examples[i]
            content = "\0".join((example.text, example.instruction, example.answer, ""))
            digest.update(content.encode("utf-8", "surrogatepass"))
        digest.update(b"\1" if batch.contrast else b"\2")
    return digest.hexdigest()[:16]
