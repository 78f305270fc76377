"""Files and folders that are read, which may be remote: local paths, s3://, gs://, hf://, https://."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import stat
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from inbedder_cli.errors import InbedderError, InputError, UsageError
from inbedder_cli.paths import DISK_FULL, explain_full_temp
from inbedder_cli.untrusted import UnsafeFileError, check_regular

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.I)
NATIVE = ("s3", "gs", "gcs", "hdfs", "abfs", "abfss", "hf")  # that pyarrow opens itself
# Those of fsspec; not its wrappers (reference, zip, simplecache, ...), which read further files that a file names.
THROUGH_FSSPEC = (
    "http",
    "https",
    "az",
    "adl",
    "oci",
    "oss",
    "ftp",
    "sftp",
    "ssh",
    "smb",
    "webhdfs",
    "file",
    "memory",
)
WEB = re.compile(r"https?://", re.I)
LOCK_FILE = "~$"  # how the name of one begins, which Excel keeps while a workbook is open
BLOCK_BYTES = 1 << 20
PARQUET_FOLDER = "python -c \"import pandas; pandas.read_parquet('{0}').to_parquet('{0}.parquet')\""


@dataclass(frozen=True)
class FileState:
    """A file as a listing shows it.

    :param size: in bytes.
    :param modified: seconds since 1970; None where the store does not tell.
    """

    size: int
    modified: float | None


@dataclass(frozen=True)
class Location:
    """A file or a folder, local or remote.

    :param location: a path, or a URL such as s3://bucket/folder. The name of a file that it is itself is "".
    """

    location: str

    @property
    def is_local(self) -> bool:
        """Whether it is a path of this machine."""
        return not is_remote(self.location)

    @cached_property
    def _remote(self) -> tuple[Any, str]:
        """The file system of pyarrow, and the path in it."""
        return _filesystem(self.location)

    def shown(self, name: str = "") -> str:
        """Return the place of a file for messages.

        :param name: of the file, relative to the folder.
        """
        return f"{self.location.rstrip('/')}/{name}" if name else self.location

    def local(self, name: str = "") -> Path:
        """Return the path of a local file.

        :param name: of the file, relative to the folder.
        """
        return Path(self.location) / name

    def inner(self, name: str = "") -> str:
        """Return the path of a file in the remote file system.

        :param name: of the file, relative to the folder.
        """
        root = self._remote[1].rstrip("/")
        return f"{root}/{name}" if name else root

    def states(self, folder: str = "") -> dict[str, FileState]:
        """Return the files of a folder by their names; none if it does not exist.

        :param folder: relative to this one.
        :raises InbedderError: when it cannot be listed.
        """
        if self.is_local:
            return _local_states(self.local(folder))
        import pyarrow.fs as pafs

        with explained("cannot be listed", self.shown(folder)):
            selector = pafs.FileSelector(self.inner(folder), allow_not_found=True)
            infos = self._remote[0].get_file_info(selector)
        return {info.base_name: _state(info) for info in infos if info.type == pafs.FileType.File}

    def state(self, name: str = "") -> FileState | None:
        """Return the size and age of a file; None if there is none, or it is a folder.

        :param name: of the file, relative to the folder.
        :raises InbedderError: when the store does not answer.
        """
        if self.is_local:
            try:
                found = self.local(name).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            except OSError as error:  # a loop of links, a name that is too long, a folder that cannot be entered
                raise InputError(f"cannot be read: {reason_of(error)}", source=self.shown(name)) from error
            return None if stat.S_ISDIR(found.st_mode) else FileState(found.st_size, found.st_mtime)
        import pyarrow.fs as pafs

        with explained("cannot be read", self.shown(name)):
            info = self._remote[0].get_file_info(self.inner(name))
        return _state(info) if info.type == pafs.FileType.File else None

    @contextmanager
    def open(self, name: str = "") -> Iterator[Any]:
        """Yield what `pyarrow.parquet.ParquetFile` opens: the path of a regular file, or a remote file.

        :param name: of the file, relative to the folder.
        :yield: a path, or a readable and seekable stream.
        :raises InputError: for a file that is missing or cannot be read.
        """
        with explained("cannot be read", self.shown(name)):
            if self.is_local:
                if name:
                    self._check_own(name)
                check_regular(self.local(name), follow_links=not name)
                yield str(self.local(name))
            else:
                with self._remote[0].open_input_file(self.inner(name)) as stream:
                    yield stream

    def _check_own(self, name: str) -> None:
        """Check that a file is in this folder: with a link a folder of somebody else could name any other file.

        :raises UnsafeFileError: for a link, also of a folder between.
        """
        folders = PurePosixPath(name).parents
        for path in (self.local(name), *(self.local(str(folder)) for folder in folders if folder.name)):
            if path.is_symlink():
                raise UnsafeFileError(f"{path} is a link, which files of shards may not be")


def is_remote(location: str) -> bool:
    """Return whether a location is a URL.

    :param location: a path or a URL.
    """
    return SCHEME.match(location) is not None


def expand_pattern(pattern: str) -> list[str]:
    """Return the files that a pattern, a folder or the name of a file stands for, sorted by name.

    :param pattern: a path or URL, with *, ? and [...] in its last part; or a folder, of which the Parquet files
        are taken, or all files if it has none. Names that begin with a dot or "_" are left out, and so are the
        lock files of Excel (~$).
    :raises InputError: when there is none, or one is a link to a file that is not there.
    """
    here = Location(pattern if is_remote(pattern) else Path(pattern).as_posix())
    folder, slash, last = here.location.rpartition("/")
    has_wildcards = any(sign in last for sign in _wildcards(pattern))
    in_folder = any(sign in folder for sign in _wildcards(pattern))
    if not ((has_wildcards or in_folder) and is_remote(pattern)) and here.state() is not None:
        return [here.location]
    if in_folder:
        raise UsageError(f'"{pattern}" has a wildcard in a folder', hint="use wildcards in the last part only")
    if has_wildcards:
        names = [name for name in _names(Location(folder + slash or ".")) if fnmatch.fnmatchcase(name, last)]
        names = [name for name in names if last.startswith(".") or not name.startswith(".")]  # as in a shell
        found = [f"{folder}{slash}{name}" for name in names]
    else:
        names = [name for name in _names(here) if not name.startswith((".", "_"))]
        names = [name for name in names if name.lower().endswith((".parquet", ".pq"))] or names
        found = [f"{here.location.rstrip('/')}/{name}" for name in names]
    if not found:
        raise _no_files(pattern)
    for path in found:
        if not is_remote(path) and not os.path.exists(path):  # noqa: PTH110 (False for a loop of links)
            hint = "remove the link, or mount what it leads to"
            raise InputError("is a link to a file that is not there", source=path, hint=hint)
    return sorted(found)


def _names(folder: Location) -> list[str]:
    """Return the names of the files of a folder, without lock files, with links to files that are not there."""
    names = list(folder.states())
    if folder.is_local:
        links = (path for path in folder.local().glob("*") if path.is_symlink())
        names += [path.name for path in links if not os.path.exists(path)]  # noqa: PTH110
    return [name for name in names if not name.startswith(LOCK_FILE)]


def _wildcards(pattern: str) -> str:
    """Return the signs that stand for other characters: in addresses of the web a ? begins a query."""
    return "*" if WEB.match(pattern) else "*?["


def _no_files(pattern: str) -> InputError:
    if is_remote(pattern) or not Path(pattern).is_dir():
        return InputError("no such file", source=pattern, hint="check the path; quote a pattern: 'reviews/*.csv'")
    is_nested = any(Path(pattern).rglob("*.parquet"))
    hint = f"join its Parquet files: {PARQUET_FOLDER.format(pattern)}" if is_nested else "name a folder with files"
    return InputError("has no files", source=pattern, hint=hint)


@contextmanager
def local_copy(path: str) -> Iterator[Path]:
    """Yield the path of a local file; of a remote one that of a copy, which is deleted in the end.

    :param path: a path or a URL.
    :yield: the path.
    :raises InputError: for a remote file that cannot be read.
    :raises InbedderError: for a full disk.
    """
    if not is_remote(path):
        yield Path(path)
        return
    with ExitStack() as stack:
        with explain_full_temp():
            copy = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="inbedder-"))) / "copy"
            with Location(path).open() as remote, copy.open("wb") as stream:
                shutil.copyfileobj(remote, stream, BLOCK_BYTES)
        yield copy


def shown_name(path: str) -> str:
    """Return the name of a file for messages and results: an address without its query, which may be a key.

    :param path: a path or a URL.
    """
    return path.partition("?")[0] if WEB.match(path) else path


def _local_states(folder: Path) -> dict[str, FileState]:
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, _state_of_entry(entry)) for entry in entries if entry.is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InbedderError(f"{folder} cannot be listed: {reason_of(error)}") from error
    return {name: state for name, state in found if state is not None}


def _state_of_entry(entry: os.DirEntry[str]) -> FileState | None:
    """Return the state of a file in a listing; None where another process has removed or renamed it meanwhile."""
    try:
        state = entry.stat()
    except FileNotFoundError:
        return None
    return FileState(state.st_size, state.st_mtime)


def _state(info: Any) -> FileState:  # noqa: ANN401
    modified = None if info.mtime_ns is None else info.mtime_ns / 1e9
    return FileState(info.size or 0, modified)


def _filesystem(location: str) -> tuple[Any, str]:
    """Return the file system of a URL, with the credentials of the environment, and the path in it."""
    import pyarrow as pa
    import pyarrow.fs as pafs

    scheme = SCHEME.match(location)
    kind = scheme[1].lower() if scheme else "file"
    if kind not in (*NATIVE, *THROUGH_FSSPEC) or "::" in location:
        known = ", ".join(f"{name}://" for name in (*NATIVE, *THROUGH_FSSPEC))
        raise UsageError(f"{location} cannot be opened: no such kind of address", hint=f"one of {known}")
    try:
        if kind in NATIVE:
            filesystem, path = pafs.FileSystem.from_uri(location)
            return filesystem, path
        import fsspec

        wrapped, path = fsspec.core.url_to_fs(location)
        return pafs.PyFileSystem(pafs.FSSpecHandler(wrapped)), path
    except (ImportError, OSError, ValueError, TypeError, pa.ArrowException) as error:
        hint = f"is a package missing? {kind}:// needs one that fsspec or pyarrow can use"
        raise UsageError(f"{location} cannot be opened: {reason_of(error)}", hint=hint) from error


@contextmanager
def explained(what: str, shown: str) -> Iterator[None]:
    """Turn the errors of a file system into errors of the input.

    :param what: what failed.
    :param shown: the file, in messages.
    """
    import pyarrow as pa

    try:
        yield
    except InbedderError:
        raise
    except FileNotFoundError as error:
        raise InputError("no such file", source=shown, hint="was it moved or deleted? check the path") from error
    except (OSError, pa.ArrowException) as error:
        if getattr(error, "errno", None) in DISK_FULL:  # of the file that it is copied to
            raise
        raise InputError(f"{what}: {reason_of(error)}", source=shown) from error


def reason_of(error: BaseException) -> str:
    """Return the message of an error in one line.

    :param error: of a file system.
    """
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(reason).splitlines()[0][:300]
