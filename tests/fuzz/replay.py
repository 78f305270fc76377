"""A worker process that says what a file says, instead of encoding: python -m tests.fuzz.replay"""

from __future__ import annotations

import sys
from pathlib import Path

SAID = "said.bin"

if __name__ == "__main__":
    sys.stdin.buffer.read(100)  # it is a worker that has got its work
    sys.stdout.buffer.write(Path(SAID).read_bytes())
