"""Reads texts for the tests, each text once under each question."""

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
class Reader:
    """An encoder with fixed options that remembers what it read since it last forgot.

    :param baseline: ask the neutral question instead of each task's own.
    """

    encoder: Encoder
    options: EncodeOptions
    baseline: bool = False
    reporter: Reporter = SILENT
    group: str = ""
    memory: dict[str, dict[str, npt.NDArray[np.float32]]] = field(default_factory=dict)

    def vectors(self, texts: Sequence[str], instruction: str) -> npt.NDArray[np.float32]:
        """Return one vector per text, float32, shape (n_texts, hidden_size).

        :raises ModelError: when a vector is not finite.
        """
        question = BASELINE_INSTRUCTION if self.baseline else instruction
        known = self.memory.setdefault(question, {})
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            found = self.encoder.encode(new, question, self.options, self.reporter).vectors
            if bad := int((~np.isfinite(found).all(axis=1)).sum()):
                raise ModelError(
                    f"{bad:,} of {len(new):,} vectors of {self.encoder.description} are not finite",
                    hint="try --dtype float32",
                )
            known.update(zip(new, found, strict=True))
        return np.stack([known[text] for text in texts])

    def turn_to(self, group: str) -> None:
        """Forget what was read for another group of tasks: their texts do not come again."""
        if group != self.group:
            self.group = group
            self.memory.clear()
