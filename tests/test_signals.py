"""Signals that stop the process."""

from __future__ import annotations

import os
import signal

import pytest

from inbedder_cli.signals import STOPPING, interrupt_on_signals


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
