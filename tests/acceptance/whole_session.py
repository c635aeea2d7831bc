"""An afternoon with Heimdall, each command a process: `whole_session.py MODEL.heimdall`, in an empty folder."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from pathlib import Path

HEIMDALL = [sys.executable, "-m", "heimdall"]
TINY = ("steps=2", "batch_size=2", "validate_every=2", "scenes.pool=8", "scenes.passes=2", "scenes.validation=8")
PORT, START_S = 8000, 180.0


def main(model: str) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    heimdall("simulate", "scenes", "--seed", "1")
    (scene,) = Path("scenes").iterdir()
    heimdall("locate", str(scene))
    heimdall("locate", str(scene), "--model", model, "--output", "fix.html")
    settings = [part for setting in (*TINY, "scenes.calibration=16") for part in ("--set", setting)]
    heimdall("train", "--recipe", "quick", "--accelerator", "cpu", "--run-dir", "run", *settings)
    serve()


def heimdall(*arguments: str) -> None:
    subprocess.run([*HEIMDALL, *arguments], check=True)


def serve() -> None:
    environment = os.environ | {"HEIMDALL_HOME": str(Path("served").absolute()), "HEIMDALL_PORT": str(PORT)}
    service = subprocess.Popen([*HEIMDALL, "serve"], env=environment)
    try:
        deadline_s = time.monotonic() + START_S
        while answer("/ready") != 200:
            assert time.monotonic() < deadline_s, "the service did not become ready"
            time.sleep(0.5)
        assert answer("/") in (200, 302, 303, 307)
    finally:
        service.terminate()
        service.wait(90)


def answer(path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


if __name__ == "__main__":
    main(sys.argv[1])
