"""An encoder backend whose texts may fail, kill the process, print, or take long; its reference is a folder."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from inbedder_cli.errors import ModelError
from tests.encoders.toy import ToyEncoder


def first_time(folder, name):
    """Return whether no process has been here before."""
    try:
        (Path(folder) / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class BrokenEncoder(ToyEncoder):
    def __init__(self, reference, **_):
        super().__init__("x")
        self.folder = reference
        if (Path(reference) / "cannot load").exists() and "child" in sys.argv[0]:
            raise ModelError("these weights are damaged", hint="fetch them again")
        if (Path(reference) / "cannot start").exists() and "child" in sys.argv[0]:
            sys.exit("no library here")

    def encode_batches(self, texts, instruction, options=None, reporter=None, known=()):
        sys.stdout.write("libraries print what they like")
        for rows in super().encode_batches(texts, instruction, None, reporter, known):
            (text,) = rows
            if "slow" in text:
                time.sleep(0.05)
            if "hang" in text:
                (Path(self.folder) / f"pid {os.getpid()}").touch()
                time.sleep(60)
            if "fails" in text:
                raise ModelError(f"cannot encode: {text}")
            if "kills" in text or ("dies once" in text and first_time(self.folder, "died")):
                os.kill(os.getpid(), signal.SIGKILL)
            yield rows
