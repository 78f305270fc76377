"""The table of `inbedder tune`: what is chosen, and what leaves nothing."""

from __future__ import annotations

import io

from rich.console import Console

from inbedder_cli.clustering import SizeScore
from inbedder_cli.report.tuning_view import CLIFF, print_tuning


def shown(tuning):
    stream = io.StringIO()
    print_tuning(Console(file=stream, width=200, highlight=False), tuning)
    return stream.getvalue()


def test_the_size_that_cluster_takes_is_marked_and_one_without_clusters_says_so():
    sizes = [
        SizeScore(5, 6, 0.1, 0.7, cliff=False, chosen=True),
        SizeScore(8, 3, 0.2, 0.6, cliff=True),
        SizeScore(16, 0, 1.0, 0.0, cliff=True),
    ]
    out = shown(sizes)
    rows = [line.split() for line in out.splitlines() if line.split() and line.split()[0].isdigit()]
    assert rows == [
        ["5", "6", "10%", "0.70", "chosen"],
        ["8", "3", "20%", "0.60", "cliff"],
        ["16", "0", "100%", "no", "clusters"],
    ]
    assert "without --min-cluster-size, cluster takes 5" in out
    assert CLIFF in out
    assert CLIFF not in shown([sizes[0], sizes[2]])
