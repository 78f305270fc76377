"""The short form of `python -m tests.models.poison`: every nth poisoned model, through the command."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.models.poison import cases


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory, and fork")
def test_some_poisoned_models_end_with_a_typed_error():
    command = [sys.executable, "-m", "tests.models.poison", "--every", "240"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_cases_have_names_of_their_own():
    names = [name for name, _ in cases()]
    assert len(names) > 1000
    assert len(names) - len(set(names)) < 10  # values that are cut to the same beginning
