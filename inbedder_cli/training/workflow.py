"""The column: files -> examples -> planned batches -> a model that learns -> a folder that `--model` takes."""

from __future__ import annotations

import hashlib
import shutil
from importlib.metadata import version
from typing import TYPE_CHECKING

from inbedder_cli.errors import InputError
from inbedder_cli.evaluation.suites import read_folder
from inbedder_cli.explanation.stop_words import load_stop_words
from inbedder_cli.progress import SILENT
from inbedder_cli.training.checkpoints import PARTIAL, run_record
from inbedder_cli.training.distributed import is_first
from inbedder_cli.training.examples import held_out, read_examples, with_unanswerable
from inbedder_cli.training.learner import load_learner
from inbedder_cli.training.plan import plan_run
from inbedder_cli.training.saving import adapter_sha256, base_entry, check_output, save_result
from inbedder_cli.training.tokens import fitting

if TYPE_CHECKING:
    from pathlib import Path

    from inbedder_cli.progress import Reporter
    from inbedder_cli.training.examples import Example, Examples
    from inbedder_cli.training.learner import Learner
    from inbedder_cli.training.plan import Batch
    from inbedder_cli.training.recipes import TrainFiles, TrainOptions


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

    An unfinished run lies beside the output, in `OUTPUT.partial`; the same call goes on from its last checkpoint
    and ends with the same weights as an unbroken run.

    :param model: reference of the base.
    :raises InputError: for examples that cannot be read.
    :raises ModelError: for a base that cannot be loaded.
    :raises UsageError: when an unfinished run has other settings, peft is missing, or the base's adapter has
        another shape than asked for.
    :raises OutOfMemoryError: when a step does not fit the device's memory.
    """
    examples = read_examples(files.data, load_stop_words(options.stop_words), offline=offline)
    if complaint := examples.complaint():
        reporter.warn(complaint)
    check_output(files.output, force=force)
    suite = None if files.suite is None else read_folder(files.suite)
    learner = load_learner(model, options, device=device, offline=offline, reporter=reporter)
    learn, dev = _divided(examples, files, options, learner, reporter)
    plan = plan_run(learn, options)
    n_seen = sum(len(batch.rows) for batch in plan)
    reporter.info(
        f"{len(learn):,} examples ({len(examples.sources)} sources), {len(dev):,} held out; {n_seen:,} to see in "
        f"{len(plan):,} steps, {learner.number_format} on {learner.encoder.model.device}"
    )
    folder = files.output.with_name(files.output.name + PARTIAL)
    base = base_entry(learner.files, model)
    begins_with = None if options.full or learner.files.adapter is None else adapter_sha256(learner.files.adapter)
    record = run_record(base, begins_with, examples.files, options, learner.number_format, _digest(plan, learn))

    from inbedder_cli.training.trainer import run_trainer

    curve = run_trainer(
        learner, learn, dev, plan, options, files, suite, folder, record, force=force, reporter=reporter
    )
    if not is_first():
        return files.output
    extra = () if learner.adapters is None else ("peft",)
    card = record | {
        "schema": 1,
        "examples_seen": n_seen,
        "steps": len(plan),
        "sources": examples.sources,
        "left_out": len(examples.broken),
        "held_out": len(dev),
        "versions": {name: version(name) for name in ("inbedder", "torch", "transformers", *extra)},
        "curve": curve,
    }
    save_result(learner, model, base, card, folder / "finished", files.output)
    shutil.rmtree(folder)
    return files.output


def _divided(
    examples: Examples, files: TrainFiles, options: TrainOptions, learner: Learner, reporter: Reporter
) -> tuple[list[Example], list[Example]]:
    """Return the examples to learn from and those to watch the loss on, all of which fit the model."""
    if files.dev is None:
        learn, dev = held_out(examples.rows, options.dev)
    else:
        given = read_examples([str(files.dev)], load_stop_words(options.stop_words))
        if complaint := given.complaint():
            reporter.warn(complaint)
        learn, dev = examples.rows, given.rows
    fit = fitting(learn, learner.encoder, options.max_tokens)
    if too_long := len(learn) - len(fit):
        reporter.warn(f"{too_long:,} rows left out: their questions leave no room for a text (--max-tokens)")
    if not fit:
        raise InputError("no example is left to learn from", source=", ".join(files.data))
    watched = fitting(dev, learner.encoder, options.max_tokens)
    return with_unanswerable(fit, options.unanswerable, options.seed), watched


def _digest(plan: list[Batch], examples: list[Example]) -> str:
    """Return a hash of all that is learned, in its order."""
    digest = hashlib.sha256()
    for batch in plan:
        for i in batch.rows:
            example = examples[i]
            told = "\0".join((example.text, example.instruction, example.answer, ""))
            digest.update(told.encode("utf-8", "surrogatepass"))
        digest.update(b"\1" if batch.contrast else b"\2")
    return digest.hexdigest()[:16]
