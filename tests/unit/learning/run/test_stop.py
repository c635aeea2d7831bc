"""A stop is taken at a place where nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal

import pytest

from heimdall.learning.run.stop import StoppedError, StopSignal


@pytest.fixture
def stop():
    signals = StopSignal()
    signals.listen()
    yield signals
    signals.release()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_remembered_and_interrupts_nothing(stop: StopSignal, number: int) -> None:
    os.kill(os.getpid(), number)
    assert stop.requested
    with pytest.raises(StoppedError):
        stop.check()


def test_work_that_may_be_repeated_is_interrupted_at_once(stop: StopSignal) -> None:
    done = []

    def work() -> None:
        with stop.interruptible():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("went on after the signal")

    with pytest.raises(StoppedError):
        work()
    # Not begun again either.
    with pytest.raises(StoppedError):
        work()
    assert not done


def _wraps() -> None:
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except Exception as error:
        raise ValueError("failed to convert") from error


def _swallows() -> None:
    with contextlib.suppress(Exception):
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("library", [_wraps, _swallows])
def test_a_library_that_hides_the_interruption_is_stopped_all_the_same(stop, library) -> None:
    with pytest.raises(StoppedError), stop.interruptible():
        library()


def test_an_error_without_a_request_stays_what_it_is(stop) -> None:
    with pytest.raises(ZeroDivisionError), stop.interruptible():
        raise ZeroDivisionError


def test_a_second_interrupt_from_the_keyboard_is_final(stop: StopSignal) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_afterwards_the_signals_are_whose_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM)
    signals = StopSignal()
    signals.listen()
    signals.listen()
    signals.release()
    assert signal.getsignal(signal.SIGTERM) is before
