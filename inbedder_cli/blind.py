"""The one neutral question: what an encoder's vectors would be without the user's.

Whatever is measured under a user's question is shown beside the same encoder under this one. A difference
between the two is what the question did; without one, the encoder does not follow instructions.
"""

from __future__ import annotations

BLIND_INSTRUCTION = "What does the text say?"
