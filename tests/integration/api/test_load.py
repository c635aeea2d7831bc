"""Many at once: nobody is lost, and memory does not grow with their number."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.slow

AT_ONCE = 200
MOST_GROWTH_MB = 150.0


def memory_mb(process: int) -> float:
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[1]) / 1024


def test_two_hundred_at_once_are_all_located(served, make_bundle, measurements):
    async def run() -> list[httpx.Response]:
        headers = {"Authorization": f"Bearer {served.token}"}
        limits = httpx.Limits(max_connections=AT_ONCE)
        async with httpx.AsyncClient(
            base_url=f"{served.address}/api/v1/", headers=headers, timeout=300, limits=limits
        ) as client:
            bundle = make_bundle()
            model = await client.post("models", files=[("files", (bundle.name, bundle.read_bytes()))])
            query = {"method": "learned", "model": model.json()["id"]}

            async def locate() -> httpx.Response:
                return await client.post("locate", params=query, files=[("files", ("m.jsonl", measurements()))])

            await locate()
            before.append(memory_mb(served.process))
            return await asyncio.gather(*(locate() for _ in range(AT_ONCE)))

    before: list[float] = []
    answers = asyncio.run(run())
    assert [answer.status_code for answer in answers] == [200] * AT_ONCE
    assert len({answer.json()["fixes"][0]["latitude_deg"] for answer in answers}) == 1
    assert memory_mb(served.process) - before[0] < MOST_GROWTH_MB
