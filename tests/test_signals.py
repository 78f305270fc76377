"""Signals that stop the process."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

from inbedder_cli.signals import AGAIN, STOPPING, interrupt_on_signals


@pytest.fixture(autouse=True)
def heeded():
    """None of the signals is ignored, as those of a shell's background job are."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in STOPPING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_interrupts_and_names_itself(number):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt) as raised, interrupt_on_signals():
        os.kill(os.getpid(), number)
    assert raised.value.args == (number,)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", STOPPING)
def test_an_error_that_a_library_made_of_the_interrupt_is_the_interrupt(number):
    with pytest.raises(KeyboardInterrupt) as raised, interrupt_on_signals():
        try:
            os.kill(os.getpid(), number)
        except KeyboardInterrupt as interrupt:
            raise ImportError("initialization failed") from interrupt
    assert raised.value.args == (number,)


def test_another_error_stays_what_it_is():
    with pytest.raises(ImportError, match="no such module"), interrupt_on_signals():
        raise ImportError("no such module")


class Thing:
    """Its destructor is where the signal comes."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)


def lost_by_compiled_code():
    with contextlib.suppress(BaseException):
        os.kill(os.getpid(), signal.SIGTERM)


def lost_in_a_destructor():
    Thing()


@pytest.mark.parametrize("lose", [lost_by_compiled_code, lost_in_a_destructor])
def test_an_interrupt_that_was_lost_is_raised_again(lose, capsys):
    with pytest.raises(KeyboardInterrupt) as raised, interrupt_on_signals():
        lose()
        time.sleep(10)
    assert raised.value.args == (signal.SIGTERM,)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [None, ImportError("initialization failed")])
def test_what_is_cleaned_up_is_not_interrupted_again(error):
    cleaned = False
    with pytest.raises(KeyboardInterrupt), interrupt_on_signals():
        try:
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            except KeyboardInterrupt:
                if error:
                    raise error from None
                raise
        finally:
            time.sleep(5 * AGAIN)
            cleaned = True
    assert cleaned


def test_the_import_of_torch_is_not_interrupted(monkeypatch):
    spec = ModuleSpec("torch", None)
    spec._initializing = True
    torch = ModuleType("torch")
    torch.__spec__ = spec
    monkeypatch.setitem(sys.modules, "torch", torch)
    imported = False
    with pytest.raises(KeyboardInterrupt), interrupt_on_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(3 * AGAIN)
        imported = True
        spec._initializing = False
        time.sleep(10)
    assert imported


def test_nothing_is_left_behind():
    def state():
        return [signal.getsignal(number) for number in [*STOPPING, signal.SIGALRM]], sys.unraisablehook

    before = state()
    with pytest.raises(KeyboardInterrupt), interrupt_on_signals():
        os.kill(os.getpid(), signal.SIGTERM)
    assert state() == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
