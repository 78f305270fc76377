"""Folders and files that may be remote, behind one interface: local paths, s3://, gs://, hf://, https://."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from inbedder_cli.errors import InbedderError, InputError, UsageError, WriteError
from inbedder_cli.output.files import atomic_write
from inbedder_cli.untrusted import UnsafeFileError, check_regular, read_regular

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

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
WILDCARDS = "*?["
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class FileState:
    """A file as a listing shows it.

    :param size: in bytes.
    :param modified: seconds since 1970; None where the store does not tell.
    """

    size: int
    modified: float | None


@dataclass(frozen=True)
class Store:
    """A folder, local or remote, whose files are written whole or not at all.

    :param location: a path, or a URL such as s3://bucket/folder. It may name a file, whose name is then "".
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
        """Return the path of a file in a local store.

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

        with _explained("cannot be listed", self.shown(folder)):
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
                raise InputError(f"cannot be read: {_reason(error)}", source=self.shown(name)) from error
            return None if stat.S_ISDIR(found.st_mode) else FileState(found.st_size, found.st_mtime)
        import pyarrow.fs as pafs

        with _explained("cannot be read", self.shown(name)):
            info = self._remote[0].get_file_info(self.inner(name))
        return _state(info) if info.type == pafs.FileType.File else None

    @contextmanager
    def open(self, name: str = "") -> Iterator[Any]:
        """Yield what `pyarrow.parquet.ParquetFile` opens: the path of a regular file, or a remote file.

        :param name: of the file, relative to the folder.
        :yield: a path, or a readable and seekable stream.
        :raises InputError: for a file that is missing or cannot be read.
        """
        with _explained("cannot be read", self.shown(name)):
            if self.is_local:
                if name:
                    self._check_own(name)
                check_regular(self.local(name), follow_links=not name)
                yield str(self.local(name))
            else:
                with self._remote[0].open_input_file(self.inner(name)) as stream:
                    yield stream

    def read(self, name: str, max_bytes: int) -> bytes | None:
        """Return the contents of a small file; None if there is none.

        :param name: of the file, relative to the folder.
        :param max_bytes: its largest size.
        :raises InputError: for a larger file, or one that cannot be read.
        """
        if self.state(name) is None:
            return None
        with _explained("cannot be read", self.shown(name)):
            if self.is_local:
                self._check_own(name)
                return read_regular(self.local(name), max_bytes)
            with self._remote[0].open_input_stream(self.inner(name)) as stream:
                content: bytes = stream.read(max_bytes + 1)
            if len(content) > max_bytes:
                raise UnsafeFileError(f"is larger than {max_bytes / 1e6:,.0f} MB")
            return content

    def write(self, name: str, content: Path | Buffer) -> None:
        """Write a file whole: under a temporary name that is then renamed, or as one remote object.

        :param name: of the file, relative to the folder; folders above it are made.
        :param content: its bytes, or a local file that is copied.
        :raises WriteError: when it cannot be written; what was there is as it was.
        """
        hint = "finished shards are kept; free some space or choose another folder, and run it again"
        try:
            if self.is_local:
                path = self.local(name)
                self._check_own(name)
                path.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(path) as stream:
                    _copy(content, stream)
            else:
                filesystem = self._remote[0]
                if filesystem.type_name not in ("s3", "gcs"):  # which have no folders
                    filesystem.create_dir(self.inner(name).rpartition("/")[0], recursive=True)
                with filesystem.open_output_stream(self.inner(name)) as stream:
                    _copy(content, stream)
        except InbedderError as error:
            raise WriteError(str(error), hint=hint) from error
        except (OSError, NotImplementedError) as error:
            raise WriteError(f"cannot write {self.shown(name)}: {_reason(error)}", hint=hint) from error

    def _check_own(self, name: str) -> None:
        """Check that a file is in this folder: with a link a folder of somebody else could name any other file.

        :raises UnsafeFileError: for a link, also of a folder between.
        """
        folders = PurePosixPath(name).parents
        for path in (self.local(name), *(self.local(str(folder)) for folder in folders if folder.name)):
            if path.is_symlink():
                raise UnsafeFileError(f"{path} is a link, which files of shards may not be")

    def remove(self, name: str) -> None:
        """Delete a file, if it is there.

        :param name: of the file, relative to the folder.
        :raises WriteError: when it cannot be deleted.
        """
        if self.state(name) is None:
            return
        try:
            if self.is_local:
                self.local(name).unlink(missing_ok=True)
            else:
                self._remote[0].delete_file(self.inner(name))
        except OSError as error:
            raise WriteError(f"cannot delete {self.shown(name)}: {_reason(error)}") from error


def is_remote(location: str) -> bool:
    """Return whether a location is a URL.

    :param location: a path or a URL.
    """
    return SCHEME.match(location) is not None


def expand_pattern(pattern: str) -> list[str]:
    """Return the files that a pattern, a folder or the name of a file stands for, sorted by name.

    :param pattern: a path or URL, with *, ? and [...] in its last part; or a folder, of which the Parquet files
        are taken, or all files if it has none. Names that begin with a dot or "_" are left out.
    :raises InputError: when there is none.
    """
    folder, _, last = pattern.rpartition("/")
    if any(sign in folder for sign in WILDCARDS):
        raise UsageError(f'"{pattern}" has a wildcard in a folder', hint="use wildcards in the last part only")
    if any(sign in last for sign in WILDCARDS):
        names = [name for name in Store(_folder_of(pattern, folder)).states() if fnmatch.fnmatchcase(name, last)]
        found = [f"{folder}/{name}" if folder or pattern.startswith("/") else name for name in names]
    elif Store(pattern).state() is not None:
        return [pattern]
    else:
        names = [name for name in Store(pattern).states() if not name.startswith((".", "_"))]
        names = [name for name in names if name.lower().endswith((".parquet", ".pq"))] or names
        found = [f"{pattern.rstrip('/')}/{name}" for name in names]
    if not found:
        raise InputError(
            "no such file", source=pattern, hint="check the path; quote a pattern: 'reviews/*.parquet'"
        )
    return sorted(found)


def _copy(content: Path | Buffer, stream: Any) -> None:  # noqa: ANN401
    if isinstance(content, Path):
        with content.open("rb") as source:
            shutil.copyfileobj(source, stream, BLOCK_BYTES)
    else:
        stream.write(content)


def _folder_of(pattern: str, folder: str) -> str:
    return folder or ("/" if pattern.startswith("/") else ".")


def _local_states(folder: Path) -> dict[str, FileState]:
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.stat()) for entry in entries if entry.is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InbedderError(f"{folder} cannot be listed: {_reason(error)}") from error
    return {name: FileState(state.st_size, state.st_mtime) for name, state in found}


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
        raise UsageError(f"{location} cannot be opened: {_reason(error)}", hint=hint) from error


@contextmanager
def _explained(what: str, shown: str) -> Iterator[None]:
    """Turn the errors of a file system into errors of the input."""
    import pyarrow as pa

    try:
        yield
    except InbedderError:
        raise
    except FileNotFoundError as error:
        raise InputError("no such file", source=shown, hint="was it moved or deleted? check the path") from error
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{what}: {_reason(error)}", source=shown) from error


def _reason(error: BaseException) -> str:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(reason).splitlines()[0][:300]
