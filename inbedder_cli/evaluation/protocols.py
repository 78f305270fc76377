"""How vectors become clusters and cosines: `ours`, or the paper's own."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering import center_and_normalize
from inbedder_cli.evaluation.settings import ProtocolName

if TYPE_CHECKING:
    import numpy.typing as npt

    from inbedder_cli.evaluation.settings import EvaluateOptions

    Vectors = npt.NDArray[np.float32]
    Labels = npt.NDArray[np.int64]

PAPER_BATCH = 500
PAPER_TOKENS = 512


@dataclass(frozen=True)
class Protocol:
    """How vectors become clusters and cosines.

    `ours`: vectors are centered over the task and scaled to unit length, since the shared question would dominate
    every cosine. KMeans runs once per seed; scores are means over the seeds.

    `paper`: vectors as they are, and one run of MiniBatchKMeans (batch 500, n_init "auto") on prompts of at most
    512 tokens. The reference code (zhang-yu-wei/InBedder, 3d95d4fa) sets no seed; here it is 0.

    :param name: `ours` or `paper`.
    :param seeds: number of KMeans runs (`ours`).
    :param n_init: restarts of each run (`ours`).
    """

    name: ProtocolName = ProtocolName.ours
    seeds: int = 10
    n_init: int = 10

    def points(self, vectors: Vectors) -> Vectors:
        """Return the vectors of one question's texts, ready for cosines and KMeans.

        :param vectors: shape (n_texts, n_features).
        :return: the same shape; centered and normalized under `ours`.
        """
        return vectors if self.name is ProtocolName.paper else center_and_normalize(vectors)[0]

    def fits(self, vectors: Vectors, k: int) -> list[Labels]:
        """Return the cluster labels of each run.

        :param vectors: shape (n_texts, n_features).
        :param k: number of clusters.
        :return: one array of shape (n_texts,) per run.
        """
        from sklearn.cluster import KMeans, MiniBatchKMeans
        from sklearn.exceptions import ConvergenceWarning

        points = self.points(vectors)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different vectors than clusters
            if self.name is ProtocolName.paper:
                model = MiniBatchKMeans(k, batch_size=PAPER_BATCH, n_init="auto", random_state=0)
                return [np.asarray(model.fit_predict(points), np.int64)]
            return [
                np.asarray(KMeans(k, n_init=self.n_init, random_state=seed).fit_predict(points), np.int64)
                for seed in range(self.seeds)
            ]


def protocol_of(options: EvaluateOptions) -> Protocol:
    """Return the protocol that the options ask for.

    :param options: `paper` ignores `seeds` and `n_init`.
    :return: the protocol with its number of runs.
    """
    if options.protocol is ProtocolName.paper:
        return Protocol(ProtocolName.paper, seeds=1, n_init=1)
    return Protocol(ProtocolName.ours, options.seeds, options.n_init)
