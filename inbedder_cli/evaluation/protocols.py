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

    `ours`: vectors are centred over the task and scaled to unit length (every row was read under the same
    question, which would dominate every cosine); KMeans, once per seed; the mean and the standard deviation.

    `paper`: vectors as they are; one run of MiniBatchKMeans (batch 500, n_init "auto"), with prompts of at
    most 512 tokens. The reference code (zhang-yu-wei/InBedder, 3d95d4fa) leaves its seed to chance; here it is 0.

    :param seeds: number of KMeans runs (`ours`).
    :param n_init: restarts of each (`ours`).
    """

    name: ProtocolName = ProtocolName.ours
    seeds: int = 10
    n_init: int = 10

    def points(self, vectors: Vectors) -> Vectors:
        """Return the vectors of one question's texts, shape (n, hidden_size), ready for cosines and KMeans."""
        return vectors if self.name is ProtocolName.paper else center_and_normalize(vectors)[0]

    def fits(self, vectors: Vectors, k: int) -> list[Labels]:
        """Return each run's labels, shape (n,): `k` clusters of the vectors."""
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
    """Return the protocol that the options ask for."""
    if options.protocol is ProtocolName.paper:
        return Protocol(ProtocolName.paper, seeds=1, n_init=1)
    return Protocol(ProtocolName.ours, options.seeds, options.n_init)
