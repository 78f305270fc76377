"""The one neutral question: what an encoder's vectors would be without the user's.

Whatever is measured under a user's question is shown beside the same encoder under this one. A difference
between the two is what the question did; without one, the encoder does not follow instructions.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.encoders import Encoder
    from inbedder_cli.options import EncodeOptions
    from inbedder_cli.progress import Reporter
    from inbedder_cli.results import ClusteringResult

BASELINE_INSTRUCTION = "What does the text say?"
ROWS = 500  # that are read once more
SAME = 0.5  # agreement from which the question changed little


@dataclass(frozen=True)
class BaselineSample:
    """Some rows of a corpus, read under the neutral question.

    :param rows: their numbers in the corpus.
    :param vectors: float32, shape (len(rows), hidden_size).
    """

    rows: list[int]
    vectors: npt.NDArray[np.float32]


@dataclass(frozen=True)
class BaselineAgreement:
    """How alike clusters are to those that the neutral question gives.

    :param ami: adjusted mutual information (Vinh et al. 2010): 1 for the same clusters, about 0 by chance.
    :param n_rows: on so many rows.
    """

    ami: float
    n_rows: int


def encode_baseline(
    corpus: Corpus, encoder: Encoder, options: EncodeOptions, reporter: Reporter = SILENT
) -> BaselineSample:
    """Read at most 500 rows under the neutral question; which ones depends on the texts alone."""
    seen: Counter[str] = Counter()
    keys: dict[int, bytes] = {}
    for row in corpus.readable:
        keys[row] = _digest(f"{seen[corpus.texts[row]]} {corpus.texts[row]}")  # no text crowds out the others
        seen[corpus.texts[row]] += 1
    ranked = sorted(corpus.readable, key=keys.__getitem__)[:ROWS]
    reporter.info(f"reading {len(ranked):,} rows without the question, to see what it changes (--no-baseline)")
    texts = [corpus.texts[row] for row in ranked]
    encoded = encoder.encode(texts, BASELINE_INSTRUCTION, replace(options, answers=False), reporter)
    return BaselineSample(ranked, encoded.vectors)


def baseline_agreement(run: ClusteringResult, sample: BaselineSample) -> BaselineAgreement | None:
    """Return how alike a run's clusters are to those of the baseline vectors of the same rows.

    The baseline vectors are clustered like the run's, into as many clusters; rows in no cluster of the run are
    left out. None where one side has fewer than two clusters.
    """
    import numpy as np
    from sklearn.metrics import adjusted_mutual_info_score

    from inbedder_cli.clustering import NOISE, fit_clusters
    from inbedder_cli.errors import InputError

    labels = run.labels
    kept = [
        i for i, row in enumerate(sample.rows)
        if labels[row] not in (None, NOISE) and np.isfinite(sample.vectors[i]).all()
    ]  # fmt: skip
    ours = [labels[sample.rows[i]] for i in kept]
    if len(set(ours)) < 2:
        return None
    options = replace(run.clustering.options, stability=False, min_cluster_size=None)
    try:
        baseline = fit_clusters(sample.vectors[kept], options).labels
    except InputError:  # fewer different rows than clusters
        return None
    if len(set(baseline.tolist())) < 2:
        return None
    return BaselineAgreement(float(adjusted_mutual_info_score(ours, baseline)), len(kept))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
