#!/opt/heimdall/bin/python
"""Print what the server inside this container answers, exit 0 when it is 200: `healthcheck.py PORT PATH`.

Docker starts a container again whose program has ended, and does nothing about one that hangs. So with
`--end-a-hung-server` the server that has answered once and then fails this check again and again is asked to end, and at
last killed; the restart policy does the rest.

http.client rather than urllib: a proxy in the environment must not be asked for the loopback.
"""

import contextlib
import http.client
import os
import signal
import sys
from pathlib import Path

FAILURES = Path("/tmp/heimdall-health-failures")
"""How often in a row it has failed since it answered; not there before the first answer. /tmp is the container's own."""
ASK_AFTER, KILL_AFTER = 6, 12
"""Checks in a row, one every 15 s: a server has 90 s to come to itself, and 90 s more to write checkpoints."""


def ask(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read().decode(errors="replace")


def check(port: int, path: str) -> bool:
    try:
        status, body = ask(port, path)
    except (OSError, http.client.HTTPException) as error:
        print(f"{path} on port {port}: {error}")
        return False
    print(body)
    return status == 200


def mind(ok: bool) -> None:
    """Count failures in a row, and end the server that has had too many."""
    if ok:
        FAILURES.write_text("0")
    elif FAILURES.exists():
        failures = int(FAILURES.read_text() or 0) + 1
        FAILURES.write_text(str(failures))
        if failures >= ASK_AFTER:
            end_server(signal.SIGKILL if failures >= KILL_AFTER else signal.SIGTERM, failures)


def end_server(signal_: signal.Signals, failures: int) -> None:
    """The eldest child of the container's init; without an init the server is process 1, which only SIGTERM reaches."""
    children = sorted(pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent(pid) == 1)
    server = children[0] if children and has_init() else 1
    print(f"failed {failures} times in a row: {signal_.name} to process {server}, so that the container starts again")
    with contextlib.suppress(OSError):
        os.kill(server, signal_)


def parent(pid: int) -> int:
    try:
        # The second field is the program's name in brackets and may hold anything.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def has_init() -> bool:
    return "init" in Path("/proc/1/comm").read_text()


def main(port: int, path: str, *options: str) -> int:
    ok = check(port, path)
    if "--end-a-hung-server" in options:
        mind(ok)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:]))
