"""What becomes of a request to locate whose sender does not wait for it."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from heimdall.service.api.routes import locate
from heimdall.service.concurrent_locating import Deadline
from heimdall.service.errors import BusyError


def test_work_that_was_abandoned_ends_without_a_word_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "_LOOK_EVERY_S", 0.0)
    told: list[dict[str, Any]] = []

    async def gone() -> bool:
        return True

    async def ask() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        work: Future[bytes] = Future()
        request: Any = SimpleNamespace(is_disconnected=gone)
        with pytest.raises(ClientDisconnect):
            await locate._waited_for(request, work, Deadline(60.0))
        work.set_exception(BusyError("the client no longer waits for this", 2.0))
        await asyncio.sleep(0.01)
        gc.collect()

    asyncio.run(ask())
    assert told == []
