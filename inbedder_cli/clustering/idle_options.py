"""Clustering options that have no effect beside others."""

from __future__ import annotations

from inbedder_cli.errors import UsageError
from inbedder_cli.options import ClusterOptions
from inbedder_cli.registry import algorithms

OPTIONS = {"k": "-k", "k_min": "--k-min", "k_max": "--k-max", "min_cluster_size": "--min-cluster-size"}
RANGE = {"k_min", "k_max"}  # of the k that is selected


def idle_names(algorithm: str, *, selects_k: bool) -> set[str]:
    """Return the names of the fields of `ClusterOptions` that have no effect.

    :param algorithm: name of a registered algorithm.
    :param selects_k: whether k is to be selected.
    """
    kind = algorithms[algorithm]
    return (
        (set() if kind.takes_k else {"k", *RANGE})
        | (set() if kind.takes_min_cluster_size else {"min_cluster_size"})
        | (set() if selects_k else RANGE)
    )


def check_idle_options(options: ClusterOptions) -> None:
    """Refuse options that have no effect, as far as they differ from the defaults.

    :param options: what the user chose.
    :raises UsageError: for the first such option; it names what the option does not go with.
    """
    algorithm, idle = options.algorithm, idle_names(options.algorithm, selects_k=options.k is None)
    default = ClusterOptions()
    for name, option in OPTIONS.items():
        if name not in idle or getattr(options, name) == getattr(default, name):
            continue
        if name in RANGE and algorithms[algorithm].takes_k:
            raise UsageError(
                f"{option} has no effect with -k {options.k}", hint=f"leave out {option}, or use -k auto"
            )
        takers = [other for other in algorithms if name not in idle_names(other, selects_k=True)]
        raise UsageError(
            f"{option} is for {', '.join(takers)}, and has no effect with --algorithm {algorithm}",
            hint=f"leave out {option}, or use --algorithm {takers[0]}",
        )
