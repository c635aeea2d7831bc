"""One start of the service at a time: two that build and create the same containers would break each other."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from heimdall.deploy.compose.engine import Engine
from heimdall.deploy.note import make_folder


@contextmanager
def one_at_a_time(engine: Engine) -> Iterator[None]:
    """Waits, and says so, while another `heimdall up` works on this folder."""
    with (make_folder(engine.project) / "up.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            engine.tell("Another heimdall up works here: waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
