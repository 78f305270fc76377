"""Registries of named plugins, such as clustering algorithms: built-in ones, and those that users register.

Built-in entries are given as "module:attribute" and imported on first use, so that their names can be listed
without importing their dependencies.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Generic, TypeVar

from inbedder_cli.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from inbedder_cli.clustering.base import ClusterAlgorithm

T = TypeVar("T")


class Registry(Generic[T]):
    """Maps names to objects of one kind.

    :param kind: what an entry is called in messages, for example "algorithm".
    :param entries: the built-in entries, as "module:attribute".
    """

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._entries: dict[str, T | str] = dict(entries)

    def register(self, name: str, entry: T) -> None:
        """Add an entry, or replace the one of the same name.

        :param name: the name of the entry.
        :param entry: the object.
        """
        self._entries[name] = entry

    def unregister(self, name: str) -> None:
        """Remove an entry.

        :param name: the name it was registered under.
        """
        self._entries.pop(name, None)

    def check(self, name: str) -> str:
        """Return the name if it is registered.

        :param name: the name of an entry.
        :raises UsageError: for an unknown name; the hint lists the registered names.
        """
        if name not in self._entries:
            raise UsageError(
                f'unknown {self.kind} "{name}"', hint=f"{did_you_mean(name, self)}use one of: {', '.join(self)}"
            )
        return name

    def __getitem__(self, name: str) -> T:
        """Return the entry of a name, importing it if needed.

        :param name: the name of an entry.
        :raises UsageError: for an unknown name.
        """
        entry = self._entries[self.check(name)]
        if isinstance(entry, str):
            module, _, attribute = entry.partition(":")
            entry = getattr(import_module(module), attribute)
            self._entries[name] = entry
        return entry

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._entries)

    def __contains__(self, name: object) -> bool:
        """Return whether a name is registered."""
        return name in self._entries


# Declared here because options and the command line need the names without importing the algorithms.
algorithms: Registry[type[ClusterAlgorithm]] = Registry(
    "algorithm",
    {
        "kmeans": "inbedder_cli.clustering.kmeans:KMeansClusterer",
        "hdbscan": "inbedder_cli.clustering.hdbscan:HDBSCANClusterer",
    },
)


def check_suffixes(name: str, suffixes: Sequence[str], owners: Mapping[str, str]) -> None:
    """Check the suffixes of a format of files that is to be registered.

    :param name: of the format.
    :param suffixes: of its files.
    :param owners: name of the format of each suffix that is known.
    :raises ValueError: when a suffix is malformed or belongs to another format.
    """
    for suffix in suffixes:
        if not suffix.startswith(".") or suffix != suffix.lower():
            raise ValueError(f'the suffix "{suffix}" must be in lower case and start with a dot')
        if owners.get(suffix, name) != name:
            raise ValueError(f'the suffix "{suffix}" belongs to the format "{owners[suffix]}"')
