"""Plain sentence similarity (STS): what a model loses, or keeps, by following instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.evaluation.scores import Score
from inbedder_cli.evaluation.settings import Part, ProtocolName

if TYPE_CHECKING:
    from inbedder_cli.evaluation.protocols import Protocol
    from inbedder_cli.evaluation.reader import Reader
    from inbedder_cli.evaluation.tasks import SimilarityTask

# The reference code's own question for STS-B (zhang-yu-wei/InBedder, 3d95d4fa).
SIMILARITY_INSTRUCTION = "Extract key words from the sentence."


def score_similarity(task: SimilarityTask, reader: Reader, protocol: Protocol) -> list[Score]:
    """Return the Spearman correlation of cosine and score; vectors are centred under the protocol `ours`."""
    from inbedder_cli.evaluation.awareness import pair_cosines
    from inbedder_cli.evaluation.metrics import spearman

    scores = pair_cosines(task.pairs, reader, centred=protocol.name is ProtocolName.ours)
    value = spearman(scores, np.array([pair.score for pair in task.pairs], np.float64))
    return [Score(Part.sts, task.name, "Spearman", value, len(task.pairs))]
