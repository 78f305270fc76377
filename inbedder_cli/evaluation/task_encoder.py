"""Vectors for the tests: every text is encoded once under each question."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.diagnostics.baseline import BASELINE_INSTRUCTION
from inbedder_cli.errors import ModelError
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from inbedder_cli.encoders import Encoder
    from inbedder_cli.options import EncodeOptions
    from inbedder_cli.progress import Reporter


@dataclass
class TaskEncoder:
    """An encoder with fixed options that keeps the vectors of the current group of tasks.

    :param encoder: the encoder under test.
    :param options: pooling, layer and prompt length of every call.
    :param baseline: ask the neutral question instead of each task's own.
    :param reporter: shows progress.
    :param group: the current group of tasks; tasks of one group share their texts.
    :param memo: vectors by question and text.
    """

    encoder: Encoder
    options: EncodeOptions
    baseline: bool = False
    reporter: Reporter = SILENT
    group: str = ""
    memo: dict[str, dict[str, npt.NDArray[np.float32]]] = field(default_factory=dict)

    def vectors(self, texts: Sequence[str], instruction: str) -> npt.NDArray[np.float32]:
        """Return one vector per text.

        :param texts: may repeat; each different text is encoded once.
        :param instruction: the task's question; replaced by the neutral one in a baseline.
        :return: float32, shape (n_texts, n_features).
        :raises ModelError: when a vector is not finite.
        """
        question = BASELINE_INSTRUCTION if self.baseline else instruction
        known = self.memo.setdefault(question, {})
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            vectors = self.encoder.encode(new, question, self.options, self.reporter).vectors
            if bad := int((~np.isfinite(vectors).all(axis=1)).sum()):
                raise ModelError(
                    f"{bad:,} of {len(new):,} vectors of {self.encoder.description} are not finite",
                    hint="try --dtype float32",
                )
            known.update(zip(new, vectors, strict=True))
        return np.stack([known[text] for text in texts])

    def start_group(self, group: str) -> None:
        """Drop the vectors of the previous group: its texts do not occur again.

        :param group: name of the group that the next tasks belong to.
        """
        if group != self.group:
            self.group = group
            self.memo.clear()
