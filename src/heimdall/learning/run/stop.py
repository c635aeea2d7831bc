"""Stopping a training from outside: at the next step's end, or at once where nothing would be lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from heimdall.errors import HeimdallError


class StoppedError(HeimdallError):
    """Stopped by a signal; the run can be resumed."""

    exit_code = 75


class StopSignal:
    """SIGTERM and SIGINT as a request. A second SIGINT interrupts whatever is going on."""

    def __init__(self) -> None:
        self.requested = False
        self._interruptible = False
        self._before: dict[int, Any] = {}

    def listen(self) -> None:
        """Take the signals over, also from a library that has taken them in the meantime."""
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.signal(number, self._receive)
            self._before.setdefault(number, before)

    def release(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Within, a request raises `StoppedError` at once: for work that a resumed run repeats anyway."""
        self.check()
        self._interruptible = True
        try:
            yield
        except StoppedError:
            raise
        except Exception as error:
            # A library may have wrapped what the signal raised within it, as torch.onnx does.
            if self.requested:
                raise StoppedError("stopped") from error
            raise
        finally:
            self._interruptible = False
        self.check()  # or swallowed it

    def check(self) -> None:
        if self.requested:
            raise StoppedError("stopped")

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
        if self._interruptible:
            raise StoppedError("stopped")
