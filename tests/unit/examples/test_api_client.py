"""The example client works against a real server."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from heimdall.service.api import create_app
from heimdall.service.auth import Role, create_token
from heimdall.service.database.migrate import migrate
from heimdall.service.database.store import Store
from heimdall.service.settings import Settings

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Address and token."""
    settings = Settings(home=tmp_path, accelerator="cpu")
    store = Store(settings.database)
    migrate(store)
    with store.writing() as session:
        token = create_token(session, "example", Role.OPERATOR)
    server = uvicorn.Server(uvicorn.Config(create_app(settings, store), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", token
    server.should_exit = True
    thread.join()
    store.close()


def test_the_example_locates_stores_and_follows_a_job(served: tuple[str, str]) -> None:
    url, token = served
    command = [sys.executable, EXAMPLES / "api_client.py", EXAMPLES / "rocket.jsonl", "--url", url, "--train"]
    environment = {**os.environ, "HEIMDALL_TOKEN": token}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    assert len(lines) == 7
    assert all(": ok, 4" in line and " bound " in line for line in lines[:5])
    assert lines[5].endswith("50 observations")
    assert lines[6].endswith("cancelled")
