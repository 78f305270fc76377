"""Things of one kind by name, such as clustering algorithms: the package's own, and those that users register.

The package's own are named as "module:attribute" and imported when they are first asked for, so that their names
can be listed without loading what they need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Generic, TypeVar

from inbedder_cli.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inbedder_cli.clustering.base import ClusterAlgorithm

T = TypeVar("T")


class Registry(Generic[T]):
    """A table from names to things of one kind.

    :param kind: what one thing is called in messages, for example "algorithm".
    :param entries: the package's own, as "module:attribute".
    """

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._entries: dict[str, T | str] = dict(entries)

    def register(self, name: str, thing: T) -> None:
        """Add a thing, or replace the one of that name.

        :param name: what users call it.
        :param thing: what the name stands for.
        """
        self._entries[name] = thing

    def unregister(self, name: str) -> None:
        """Remove a thing.

        :param name: what it was registered as.
        """
        self._entries.pop(name, None)

    def check(self, name: str) -> str:
        """Return the name.

        :param name: what a user asks for.
        :raises UsageError: when nothing has that name; the hint lists the names that there are.
        """
        if name not in self._entries:
            raise UsageError(
                f'unknown {self.kind} "{name}"', hint=f"{did_you_mean(name, self)}use one of: {', '.join(self)}"
            )
        return name

    def __getitem__(self, name: str) -> T:
        """Return the thing of that name.

        :param name: what a user asks for.
        :raises UsageError: when nothing has that name.
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
        """Whether a thing has that name."""
        return name in self._entries


# Declared here, where importing costs nothing: options and the command line need the names alone.
algorithms: Registry[type[ClusterAlgorithm]] = Registry(
    "algorithm",
    {
        "kmeans": "inbedder_cli.clustering.kmeans:KMeansClusterer",
        "hdbscan": "inbedder_cli.clustering.hdbscan:HDBSCANClusterer",
    },
)
