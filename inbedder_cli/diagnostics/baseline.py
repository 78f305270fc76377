"""The question-blind baseline: the same texts, encoded under a neutral question instead of the user's.

Measures under the user's question are compared with those of the baseline. The difference is the effect of the
question. Without a difference, the encoder does not follow the instruction.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.encoders import Encoder
    from inbedder_cli.options import ClusterOptions, EncodeOptions
    from inbedder_cli.progress import Reporter

BASELINE_INSTRUCTION = "What does the text say?"
ROWS = 500  # size of the sample that is encoded a second time
CPU_ROWS = 150  # on a CPU, where encoding takes most of a run (benchmarks/workers.md: what that costs)
DIFFERENT = 0.2  # agreement below which the question made the clusters
SAME = 0.5  # agreement at or above which it changed little
OBVIOUS = 0.3  # agreement of the baseline's clusters with the answers, from which the texts divide that way anyway


@dataclass(frozen=True)
class BaselineSample:
    """Rows of a corpus, encoded under the neutral question.

    :param rows: row numbers in the corpus, from 0.
    :param vectors: their vectors, float32, shape (len(rows), n_features).
    """

    rows: list[int]
    vectors: npt.NDArray[np.float32]


@dataclass(frozen=True)
class BaselineAgreement:
    """Agreement of the clusters of a question with those of the neutral question.

    :param ami: adjusted mutual information (Vinh et al. 2010): 1 for the same clusters, about 0 by chance.
    :param n_rows: number of rows that were compared.
    :param answers_ami: adjusted mutual information of the neutral question's clusters and the answers to the
        user's question: high where the texts divide much by these answers anyway; None without answers.
    """

    ami: float
    n_rows: int
    answers_ami: float | None = None


def encode_baseline(
    corpus: Corpus,
    encoder: Encoder,
    options: EncodeOptions,
    reporter: Reporter = SILENT,
    noun: str = "texts",
) -> BaselineSample:
    """Return at most 500 rows, on a CPU 150, encoded under the neutral question.

    The choice of rows depends on the texts alone, not on their order. The smaller sample is a part of the larger.

    :param corpus: the rows.
    :param encoder: the encoder that the user's question is encoded with.
    :param options: how it encodes; no answers are decoded.
    :param reporter: receives messages and progress, unless all texts are cached.
    :param noun: what the rows hold.
    :return: the sample.
    """
    from inbedder_cli.encoders.cache.cached_encoder import n_new_texts

    seen: Counter[str] = Counter()
    keys: dict[int, bytes] = {}
    for row in corpus.readable:
        text = corpus.texts[row]
        keys[row] = _digest(f"{seen[text]} {text}")  # with one key, all copies of a text would be in or out
        seen[text] += 1
    n_rows = CPU_ROWS if encoder.device.startswith("cpu") else ROWS
    ranked = sorted(corpus.readable, key=keys.__getitem__)[:n_rows]
    texts, options = [corpus.texts[row] for row in ranked], replace(options, answers=False)
    if n_new := n_new_texts(encoder, texts, BASELINE_INSTRUCTION, options):
        what = f"{n_new:,} {noun} under a neutral question"
        reporter.info(f"encoding {what}, as a baseline (skip with --no-baseline)")
    encoded = encoder.encode(texts, BASELINE_INSTRUCTION, options, reporter if n_new else SILENT)
    return BaselineSample(ranked, encoded.vectors)


def baseline_agreement(
    labels: Sequence[int | None],
    options: ClusterOptions,
    sample: BaselineSample,
    answers: Sequence[str | None] | None = None,
) -> BaselineAgreement | None:
    """Return the agreement of clusters with those of the baseline vectors of the same rows.

    The baseline vectors are clustered by the same algorithm, into as many clusters, none of which are merged. Rows
    in no cluster are left out.

    :param labels: cluster of each row of the corpus before any were merged: -1 for noise, None where the row was
        not clustered.
    :param options: the options used for these clusters, with `k` filled in.
    :param sample: the baseline vectors.
    :param answers: answer of each row of the corpus to the user's question, if there are answers.
    :return: the agreement; None if one side has fewer than two clusters.
    """
    import numpy as np
    from sklearn.metrics import adjusted_mutual_info_score

    from inbedder_cli.clustering import NOISE, fit_clusters
    from inbedder_cli.errors import InputError
    from inbedder_cli.explanation.variants import canonical_answers

    kept = [
        i for i, row in enumerate(sample.rows)
        if labels[row] not in (None, NOISE) and np.isfinite(sample.vectors[i]).all()
    ]  # fmt: skip
    clusters = [labels[sample.rows[i]] for i in kept]
    if len(set(clusters)) < 2:
        return None
    options = replace(options, stability=False, min_cluster_size=None)
    try:
        baseline = fit_clusters(sample.vectors[kept], options).labels
    except InputError:  # fewer distinct rows than clusters
        return None
    if len(set(baseline.tolist())) < 2:
        return None
    said = None if answers is None else canonical_answers([answers[sample.rows[i]] or "" for i in kept])
    return BaselineAgreement(
        float(adjusted_mutual_info_score(clusters, baseline)),
        len(kept),
        None if said is None else float(adjusted_mutual_info_score(said, baseline)),
    )


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
