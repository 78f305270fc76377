"""What the shell offers on Tab: columns of the file, models, clusters of a run, and other names.

Each function gets the context, which holds the arguments before the cursor, and what was typed of this one. It is
silent about whatever goes wrong: the command itself says it later. None of them loads torch.
"""

from __future__ import annotations

import re
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from inbedder_cli.corpus.readers import READERS
from inbedder_cli.errors import InbedderError
from inbedder_cli.models.manifest import bundled_manifests
from inbedder_cli.output.formats import format_names
from inbedder_cli.registry import algorithms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ROWS = 20  # of a file that are read for its columns
# What is offered becomes a part of the command line, and the scripts of some shells evaluate it on the way: names
# from files that hold anything else are not offered.
INERT = re.compile(r"[\w .,:/@%+=~-]+")
LAYOUT = (
    "delimiter encoding encoding_errors header header_rows skip_rows quote escape on_bad_row json_path sheet"
).split()


def one_of(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Return a function that completes one of some names.

    :param names: returns them.
    """

    def complete(incomplete: str) -> list[str]:
        return _starting(names(), incomplete)

    return complete


complete_algorithm = one_of(lambda: algorithms)
complete_bundled_model = one_of(bundled_manifests)
complete_device = one_of(lambda: ("auto", "cpu", "cuda", "mps"))
complete_format = one_of(format_names)
complete_input_format = one_of(lambda: READERS)
complete_template = one_of(lambda: ("paper", "question-first", "chat"))


def complete_column(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the columns of the file that was named before.

    :param ctx: the arguments before the cursor.
    :param incomplete: what was typed.
    """
    return _starting(_columns(ctx), incomplete)


def complete_columns(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the columns of the file that was named before, after those that the list already has.

    :param ctx: the arguments before the cursor.
    :param incomplete: names that commas separate; the last one is completed.
    """
    before, comma, last = incomplete.rpartition(",")
    return _starting((before + comma + name for name in _columns(ctx)), before + comma + last)


def complete_model(incomplete: str) -> list[str]:
    """Return the bundled models, and folders and .gguf files.

    :param incomplete: what was typed.
    """
    return _starting((*bundled_manifests(), *_paths(incomplete)), incomplete)


def complete_installed_model(incomplete: str) -> list[str]:
    """Return the models that `models rm` can remove.

    :param incomplete: what was typed.
    """
    from inbedder_cli.models.store import base_folder, installed_models

    bundled = (name for name, manifest in bundled_manifests().items() if base_folder(manifest).is_dir())
    return _starting(dict.fromkeys([*bundled, *(folder.name for folder in installed_models())]), incomplete)


def complete_run(incomplete: str) -> list[str]:
    """Return the saved runs that begin as typed; where there are none, the folders that may hold some.

    :param incomplete: what was typed.
    """
    from inbedder_cli.runs.folders import MANIFEST

    folders = [path for path in _paths(incomplete) if path.endswith("/")]
    runs = [folder for folder in folders if Path(folder, MANIFEST).expanduser().is_file()]
    return _starting((folder.rstrip("/") for folder in runs), incomplete) or _starting(folders, incomplete)


def complete_cluster(ctx: typer.Context, incomplete: str) -> list[str | tuple[str, str]]:
    """Return the names of the clusters of the run that was named before, with the user's renames.

    A name with blanks, which the shell would take apart, is offered as its number, with the name as help.

    :param ctx: the arguments before the cursor.
    :param incomplete: what was typed.
    """
    from inbedder_cli.clustering import NOISE
    from inbedder_cli.runs.renames import apply_changes, read_changes

    names: dict[str, str] = {}
    with suppress(InbedderError, OSError):
        folder, manifest = _manifest(ctx)
        changes = read_changes(folder, list(manifest.questions))
        question = ctx.params.get("question")
        for name, saved in manifest.questions.items():
            if question in (None, name):
                labels = {each.cluster: each.label for each in saved.clusters if each.cluster != NOISE}
                renamed, merged = apply_changes(labels, changes[name])
                whole = {number: label for number, label in renamed.items() if number not in merged}
                names |= {
                    str(number) if " " in label or not INERT.fullmatch(label) else label: label
                    for number, label in whole.items()
                }
    offered = _starting([*names, "noise", "no-answer"], incomplete)
    helps = {name: label for name, label in names.items() if name != label and INERT.fullmatch(label)}
    return [(name, helps[name]) if name in helps else name for name in offered]


def complete_question(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the questions of the run that was named before.

    :param ctx: the arguments before the cursor.
    :param incomplete: what was typed.
    """
    with suppress(InbedderError, OSError):
        return _starting(_manifest(ctx)[1].questions, incomplete)
    return []


def complete_command(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the commands that have options.

    :param ctx: the arguments before the cursor.
    :param incomplete: what was typed.
    """
    from inbedder_cli.cli.user_settings import options_of

    return _starting(dict.fromkeys(" ".join(words) for words, _, _ in options_of(_root(ctx), ())), incomplete)


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete) and INERT.fullmatch(name)]


def _root(ctx: Any) -> Any:  # noqa: ANN401
    return ctx.find_root().command


def _positional(ctx: typer.Context, name: str) -> str | None:
    """Return an argument; where the option at the cursor has no value yet, all of them are still in `args`."""
    return ctx.params.get(name) or next(iter(ctx.args), None)


def _columns(ctx: typer.Context) -> list[str]:
    from inbedder_cli.corpus.layout import Layout
    from inbedder_cli.corpus.limits import MAX_CELL
    from inbedder_cli.corpus.locations import is_remote
    from inbedder_cli.corpus.opening import open_input
    from inbedder_cli.corpus.readers import reader_of
    from inbedder_cli.corpus.several_files import files_of

    values = ctx.params
    several = values.get("suites") or values.get("data") or ()
    source = _positional(ctx, "file") or next(iter(several), None)
    if source is None or is_remote(source):
        return []
    given = {name: values[name] for name in LAYOUT if values.get(name) is not None}
    with suppress(InbedderError, OSError):
        file = files_of(source)[0]
        if not Path(file).is_file():  # a pipe would be waited for
            return []
        with closing(open_input(file, MAX_CELL)) as opened:
            layout = Layout(**given)
            reader, _ = reader_of(opened, layout, values.get("input_format"))
            return list(reader.read(opened, layout, ROWS).table.column_names)
    return []


def _manifest(ctx: typer.Context) -> tuple[Path, Any]:
    from inbedder_cli.runs.folders import current
    from inbedder_cli.runs.schema import read_manifest

    folder = Path(_positional(ctx, "run") or "")
    place = current(folder)
    return place, read_manifest(place, shown=folder)


def _paths(incomplete: str) -> Iterator[str]:
    """Yield folders, and .gguf files, that begin as typed; a hidden one only after a dot."""
    folder, slash, name = incomplete.rpartition("/")
    with suppress(OSError):
        for path in sorted(Path(folder + slash or ".").expanduser().iterdir()):
            is_hidden = path.name.startswith(".") and not name.startswith(".")
            if path.name.startswith(name) and not is_hidden and (path.is_dir() or path.suffix == ".gguf"):
                yield f"{folder}{slash}{path.name}" + "/" * path.is_dir()
