"""At most one slot of a receiver is taken from this computer at a time, by whatever program of ours."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.network.address import Address


@contextmanager
def one_slot(address: Address) -> Iterator[None]:
    """Raises CaptureError where another recording on this computer holds the receiver. The kernel frees it after a crash."""
    name = hashlib.sha256(f"{address.host.lower()}:{address.port}{address.path}".encode()).hexdigest()[:24]
    with (_folder() / name).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CaptureError(Fault.IN_USE, "another recording on this computer holds it") from None
        yield


def _folder() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    base = Path(runtime) if runtime and Path(runtime).is_dir() else Path(tempfile.gettempdir())
    folder = base / f"heimdall-slots-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
        # In a folder for everybody anybody could have made it, with links in it to files of ours.
        raise CaptureError(Fault.DISK, f"{folder} is not a folder of your own: remove it, or set XDG_RUNTIME_DIR")
    return folder
