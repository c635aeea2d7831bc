"""What a map page does with the service's time."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from heimdall.service.errors import BusyError
from heimdall.web.map import map_page

from ..conftest import Site, Visitor


def test_a_page_that_is_closed_lets_go_of_what_it_wanted_to_see(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = threading.Event(), threading.Event()

    def endless(parts: object, choice: object, deadline: map_page.Deadline) -> None:
        begun.set()
        try:
            while True:
                deadline.check()
                time.sleep(0.01)
        except BusyError:
            ended.set()
            raise

    monkeypatch.setattr(map_page, "locate_chosen", endless)
    session_id = site.put_session("slow")

    async def look(visitor: Visitor) -> None:
        await visitor.open(f"/?session={session_id}")
        assert await asyncio.to_thread(begun.wait, 30)
        assert visitor.user.client is not None
        visitor.user.client.delete()
        assert await asyncio.to_thread(ended.wait, 5)

    site.visit(look)
