"""The common start of receivers that are recorded together."""

from __future__ import annotations

import asyncio

_PATIENCE_S = 10.0
"""Receivers that are ready wait so long for the others."""


class Start:
    """All that come together begin together: when each is ready or has failed, or patience with the slowest ends."""

    def __init__(self, expected: int) -> None:
        self._waiting, self._begun, self._any_ready = expected, asyncio.Event(), False

    @property
    def begun(self) -> bool:
        return self._begun.is_set()

    async def wait(self) -> None:
        await self._begun.wait()

    def ready(self) -> None:
        if not self._any_ready:
            self._any_ready = True
            asyncio.get_running_loop().call_later(_PATIENCE_S, self._begun.set)
        self.gone()

    def gone(self) -> None:
        self._waiting -= 1
        if self._waiting == 0:
            self._begun.set()
