"""Folders of shards, local or remote, whose files are written whole or not at all."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.locations import Location, explained, reason_of
from inbedder_cli.errors import InbedderError, WriteError
from inbedder_cli.output.files import atomic_write
from inbedder_cli.untrusted import UnsafeFileError, read_regular

if TYPE_CHECKING:
    from typing_extensions import Buffer

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Store(Location):
    """A folder, local or remote, whose files are written whole or not at all.

    :param location: a path, or a URL such as s3://bucket/folder. It may name a file, whose name is then "".
    """

    def read(self, name: str, max_bytes: int) -> bytes | None:
        """Return the contents of a small file; None if there is none.

        :param name: of the file, relative to the folder.
        :param max_bytes: its largest size.
        :raises InputError: for a larger file, or one that cannot be read.
        """
        if self.state(name) is None:
            return None
        with explained("cannot be read", self.shown(name)):
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
            raise WriteError(f"cannot write {self.shown(name)}: {reason_of(error)}", hint=hint) from error

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
            raise WriteError(f"cannot delete {self.shown(name)}: {reason_of(error)}") from error


def _copy(content: Path | Buffer, stream: Any) -> None:  # noqa: ANN401
    if isinstance(content, Path):
        with content.open("rb") as source:
            shutil.copyfileobj(source, stream, BLOCK_BYTES)
    else:
        stream.write(content)
