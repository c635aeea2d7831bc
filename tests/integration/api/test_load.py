"""Many at once: nobody is lost, and memory does not grow with their number."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from heimdall.cli.learning.benchmark_load import TimedReply, locate_at_once

pytestmark = pytest.mark.slow

AT_ONCE = 200
MOST_GROWTH_MB = 150.0


def memory_mb(process: int) -> float:
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[1]) / 1024


def test_two_hundred_at_once_are_all_located(served, make_bundle, measurements, tmp_path):
    headers = {"Authorization": f"Bearer {served.token}"}
    bundle, session = make_bundle(), tmp_path / "m.jsonl"
    session.write_bytes(measurements())
    files = [("files", (bundle.name, bundle.read_bytes()))]
    model = httpx.post(f"{served.address}/api/v1/models", headers=headers, files=files, timeout=60).json()["id"]

    def at_once(count: int) -> list[TimedReply]:
        query = {"method": "learned", "model": model}
        return asyncio.run(locate_at_once(served.address, served.token, session, count, query))

    at_once(1)
    before_mb = memory_mb(served.process)
    answers = at_once(AT_ONCE)
    assert [answer.status for answer in answers] == [200] * AT_ONCE
    assert len({answer.document["fixes"][0]["latitude_deg"] for answer in answers}) == 1
    assert memory_mb(served.process) - before_mb < MOST_GROWTH_MB


def test_the_benchmark_says_how_long_they_took_and_that_none_was_lost(served, measurements, tmp_path):
    session = tmp_path / "m.jsonl"
    session.write_bytes(measurements())
    command = [sys.executable, "-m", "heimdall", "benchmark", "load", session, "--address", served.address, "--json"]
    environment = os.environ | {"HEIMDALL_TOKEN": served.token}
    done = subprocess.run([*command, "--count", "5"], env=environment, capture_output=True, check=True)
    told = json.loads(done.stdout)
    assert told["statuses"] == {"200": 5}
    assert 0 < told["median_ms"] <= told["q95_ms"]


@pytest.mark.parametrize(("token", "address"), [(None, None), ("heimdall_wrong", "http://127.0.0.1:9")])
def test_a_service_that_cannot_be_asked_is_one_line(token, address, measurements, tmp_path):
    session = tmp_path / "m.jsonl"
    session.write_bytes(measurements())
    environment = {name: value for name, value in os.environ.items() if name != "HEIMDALL_TOKEN"}
    environment |= {"HEIMDALL_TOKEN": token} if token else {}
    options = ["--address", address] if address else []
    command = [sys.executable, "-m", "heimdall", "benchmark", "load", session, *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2)
    assert len(done.stderr.strip().splitlines()) == 1
