"""The embedded broker: kombu's file-system transport, made safe against being killed in the middle of a write.

The original writes messages and tables in place, so that a reader can meet half of one, and stops on it. Here every file
appears whole or not at all: it is written under another name and then renamed.
"""

# mypy: disable-error-code="override,no-untyped-call"
# (kombu ships partial types)

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.transport.filesystem import exchange_queue_t
from kombu.utils.json import dumps, loads

SCHEME = "heimdall-files"
STALE_S = 600.0
POLLING_S = 0.2


class Channel(filesystem.Channel):
    """Messages are files: written whole, taken by renaming, so that each has one consumer."""

    def _put(self, queue: str, payload: Any, **_options: Any) -> None:
        name = f"{time.time_ns():020d}_{uuid.uuid4()}.{queue}.msg"
        _write_whole(Path(self.data_folder_out) / name, dumps(payload))

    def _get(self, queue: str) -> Any:
        for name in sorted(os.listdir(self.data_folder_in)):
            if name.partition(".")[2] != f"{queue}.msg":
                continue
            message = Path(self.data_folder_in) / name
            taken = message.with_suffix(".taken")
            with suppress(FileNotFoundError):  # another consumer was quicker
                message.rename(taken)
                payload = loads(taken.read_bytes())
                taken.unlink()
                return payload
        raise Empty

    def get_table(self, exchange: str) -> list[Any]:
        try:
            return [exchange_queue_t(*row) for row in loads(self._exchange_file(exchange).read_bytes())]
        except FileNotFoundError:
            return []

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        row = exchange_queue_t(routing_key or "", pattern or "", queue or "")
        self._rewrite(exchange, lambda table: table if row in table else [row, *table])

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *args: Any, **options: Any) -> None:
        self._purge(queue)
        row = exchange_queue_t(routing_key or "", pattern or "", queue or "")
        self._rewrite(exchange, lambda table: [other for other in table if other != row])

    def _rewrite(self, exchange: str, change: Callable[[list[Any]], list[Any]]) -> None:
        file = self._exchange_file(exchange)
        with _locked(file.with_suffix(".lock")):
            before = self.get_table(exchange)
            after = change(before)
            if after != before:
                _write_whole(file, dumps(after))


class Transport(filesystem.Transport):
    Channel = Channel


TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"


def transport_options(folder: Path) -> dict[str, Any]:
    """For Celery's `broker_transport_options`; makes the folders."""
    messages, control = folder / "messages", folder / "control"
    for path in (messages, control):
        path.mkdir(parents=True, exist_ok=True)
    clear_stale(folder)
    return {
        "data_folder_in": str(messages),
        "data_folder_out": str(messages),
        "control_folder": str(control),
        "polling_interval": POLLING_S,
    }


def clear_stale(folder: Path) -> None:
    """Drop what nobody came to fetch: pings to the dead, and notifications whose work the database knows anyway."""
    for path in (folder / "messages").iterdir():
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > STALE_S:
                path.unlink()


def _write_whole(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.new")
    temporary.write_text(text)
    temporary.rename(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
