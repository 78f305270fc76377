"""Options that have no effect are refused with what they do not go with."""

from __future__ import annotations

import pytest

from inbedder_cli.clustering import check_idle_options
from inbedder_cli.errors import UsageError
from inbedder_cli.options import ClusterOptions


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        (ClusterOptions(k=6, k_max=9), "--k-max has no effect with -k 6", "leave out --k-max, or use -k auto"),
        (ClusterOptions(k=6, k_min=3), "--k-min has no effect with -k 6", "leave out --k-min, or use -k auto"),
        (
            ClusterOptions(min_cluster_size=9),
            "--min-cluster-size is for hdbscan, and has no effect with --algorithm kmeans",
            "leave out --min-cluster-size, or use --algorithm hdbscan",
        ),
        (
            ClusterOptions("hdbscan", k=6),
            "-k is for kmeans, and has no effect with --algorithm hdbscan",
            "leave out -k, or use --algorithm kmeans",
        ),
        (
            ClusterOptions("hdbscan", k_max=9),
            "--k-max is for kmeans, and has no effect with --algorithm hdbscan",
            "leave out --k-max, or use --algorithm kmeans",
        ),
    ],
)
def test_an_option_without_an_effect_is_refused(options, message, hint):
    with pytest.raises(UsageError) as found:
        check_idle_options(options)
    assert (str(found.value), found.value.hint) == (message, hint)


@pytest.mark.parametrize(
    "options",
    [
        ClusterOptions(),
        ClusterOptions(k=6),
        ClusterOptions(k=6, k_min=2, k_max=20),
        ClusterOptions(k_min=3, k_max=9),
        ClusterOptions("hdbscan", min_cluster_size=9),
    ],
)
def test_options_that_have_an_effect_are_none_of_them(options):
    check_idle_options(options)
