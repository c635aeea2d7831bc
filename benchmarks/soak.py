"""Use a service hard for a while, kill parts of it at random, and look at what is left: no error 500, no lost row, memory
flat, no leftover file.

    python benchmarks/soak.py --minutes 60 [--database postgresql+psycopg://USER@HOST:PORT/EMPTY]

A server of its own in a folder of its own, on SQLite unless an empty database is named. Three clients locate, store and
delete sessions, and train, pause, resume and cancel; meanwhile the server, its worker or a training program is killed
(SIGKILL) now and then. Exits 1 and names each fault if there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

TRAINING = {
    "steps": 8,
    "scenes.pool": 64,
    "scenes.passes": 8,
    "scenes.validation": 32,
    "scenes.calibration": 192,
    "network.cells": 16,
    "network.decoder_width": 8,
    "network.token_width": 8,
}
FINAL = ("succeeded", "failed", "cancelled")
BACK_S = 90.0
"""How long a server may take to answer again after it was killed, on a busy machine."""
SETTLED_S = 45.0
"""Memory counts from so long after a server's start: models are loaded, threads are there."""
MOST_GROWTH, SLACK_BYTES = 1.15, 30e6
SWEPT_S = 12.0
"""A temporary file so old is no longer about to be used (heimdall.files.atomic)."""
LEFTOVERS = (".leaving-*", ".incoming-*", "*.tmp", "*.part", "*.packed", "heimdall-scratch-*")


class Server:
    """`heimdall serve` with its worker, started again whenever it is gone."""

    def __init__(self, home: Path, database: str | None) -> None:
        self.home, self.database, self.token = home, database, secrets.token_hex(20)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.memory_bytes: list[list[int]] = []
        """One list for each life, once it has settled."""
        self._log = (home / "server.log").open("a")
        self.start()

    def start(self) -> None:
        temporary = self.home / "tmp"
        temporary.mkdir(exist_ok=True)
        settings = {"HOME": str(self.home / "heimdall"), "PORT": str(self.port), "ACCELERATOR": "cpu", "LEASE_S": "15"}
        settings |= {
            "ADMIN_TOKEN": self.token,
            "HEALTH_PORT": "0",
            "DISK_FREE_MIN_GB": "0.1",
            "LOCATE_PER_MINUTE": "100000",
        }
        if self.database:
            settings["DATABASE_URL"] = self.database
        environment = os.environ | {f"HEIMDALL_{name}": value for name, value in settings.items()}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "heimdall", "serve", "--worker"],
            env=environment | {"TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"},
            stdout=self._log,
            stderr=self._log,
        )
        self.begun_s = time.monotonic()
        self.memory_bytes.append([])
        end_s = time.monotonic() + BACK_S
        while not self._answers():
            if time.monotonic() > end_s:
                raise SystemExit(f"the server does not start: see {self.home}/server.log")
            time.sleep(0.3)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/health", timeout=3).status_code == 200
        except httpx.HTTPError:
            return False

    def weigh(self) -> None:
        if time.monotonic() - self.begun_s > SETTLED_S and (size := _resident_bytes(self.process.pid)):
            self.memory_bytes[-1].append(size)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)


class Soak:
    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.faults: list[str] = []
        self.counts: Counter[str] = Counter()
        self.sessions: set[str] = set()
        self.unsure: set[str] = set()
        """Sessions whose deletion was under way when the server died."""
        self.jobs: set[str] = set()
        self.over = threading.Event()
        self._seed = seed
        self._down_s = 0.0
        """Until then an answer may fail to come."""

    def run(self, minutes: float) -> None:
        end_s = time.monotonic() + 60 * minutes
        clients = [self._locate, self._store, self._train]
        threads = [threading.Thread(target=self._repeat, args=(each, n)) for n, each in enumerate(clients)]
        for each in threads:
            each.start()
        chance = random.Random(self._seed)
        next_kill_s = time.monotonic() + 30
        while time.monotonic() < end_s:
            self.server.weigh()
            if time.monotonic() > next_kill_s:
                # The last half of the time belongs to one server, whose memory is looked at.
                whole = end_s - time.monotonic() > 30 * minutes and chance.random() < 0.4
                self._kill("serve" if whole else chance.choice(["worker", "train"]))
                next_kill_s = time.monotonic() + chance.uniform(15, 40)
            time.sleep(1.0)
        self.over.set()
        for each in threads:
            each.join()
        self._settle()

    def _repeat(self, work: Callable[[httpx.Client, random.Random], None], number: int) -> None:
        chance = random.Random(self._seed + number + 1)
        headers = {"Authorization": f"Bearer {self.server.token}"}
        address = f"http://127.0.0.1:{self.server.port}/api/v1/"
        with httpx.Client(base_url=address, headers=headers, timeout=90) as client:
            while not self.over.is_set():
                try:
                    work(client, chance)
                except httpx.HTTPError as error:
                    self.counts["no answer"] += 1
                    if time.monotonic() > self._down_s and not self.over.is_set():
                        self.faults.append(f"no answer though the server was not killed: {error!r}")
                    time.sleep(1.0)

    def ask(self, client: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
        answer = client.request(method, path, **options)
        self.counts[f"{method} {path.split('/')[0]} {answer.status_code}"] += 1
        if answer.status_code >= 500 and answer.status_code not in (503, 507):
            self.faults.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer

    def _locate(self, client: httpx.Client, chance: random.Random) -> None:
        rows = [row(chance, f"m{number}") for number in range(chance.randint(1, 5))]
        form = chance.choice(["json", "json", "geojson", "html"])
        self.ask(client, "POST", "locate", params={"format": form}, json={"observations": rows})
        time.sleep(0.1)

    def _store(self, client: httpx.Client, chance: random.Random) -> None:
        content = "".join(json.dumps(row(chance, f"m{number}")) + "\n" for number in range(20))
        answer = self.ask(client, "POST", "sessions", files={"files": ("m.jsonl", content)})
        if answer.status_code == 201:
            self.sessions.add(answer.json()["id"])
        if len(self.sessions) > 20:
            chosen = chance.choice(sorted(self.sessions))
            self.unsure.add(chosen)
            self.sessions.discard(chosen)
            if self.ask(client, "DELETE", f"sessions/{chosen}").status_code == 204:
                self.unsure.discard(chosen)
        time.sleep(0.5)

    def _train(self, client: httpx.Client, chance: random.Random) -> None:
        answer = self.ask(client, "POST", "jobs", json={"kind": "train", "recipe": "quick", "overrides": TRAINING})
        if answer.status_code != 201:
            return
        job_id = answer.json()["id"]
        self.jobs.add(job_id)
        end_s = time.monotonic() + 240
        while not self.over.is_set() and time.monotonic() < end_s:
            if self.ask(client, "GET", f"jobs/{job_id}").json().get("state") in FINAL:
                return
            if chance.random() < 0.02:
                action = chance.choice(["pause", "resume", "cancel"])
                self.ask(client, "POST", f"jobs/{job_id}/{action}")
            self.ask(client, "GET", f"jobs/{job_id}/log", params={"offset": -1000})
            time.sleep(1.0)
        self.ask(client, "POST", f"jobs/{job_id}/resume")

    def _kill(self, what: str) -> None:
        pid = self.server.process.pid if what == "serve" else _program(self.server.process.pid, what)
        if pid is None:
            return
        self.counts[f"killed {what}"] += 1
        if what == "serve":
            self._down_s = time.monotonic() + BACK_S
        os.kill(pid, signal.SIGKILL)
        if what == "serve":
            self.server.process.wait()
            self.server.start()
            self._down_s = time.monotonic() + 5.0

    def _settle(self) -> None:
        """Everything to its end; then a restart, which clears away what a kill has left."""
        headers = {"Authorization": f"Bearer {self.server.token}"}
        with httpx.Client(
            base_url=f"http://127.0.0.1:{self.server.port}/api/v1/", headers=headers, timeout=60
        ) as client:
            for job_id in self.jobs:
                self.ask(client, "POST", f"jobs/{job_id}/cancel")
            end_s = time.monotonic() + 120
            while (states := self._states(client)) and not set(states.values()) <= set(FINAL):
                if time.monotonic() > end_s:
                    self.faults.append(f"jobs do not end: {states}")
                    break
                time.sleep(1.0)
            self._check_rows(client, states)
        self.server.stop()
        time.sleep(SWEPT_S)
        self.server.start()
        time.sleep(5)
        self.server.stop()
        self._check_files()
        self._check_memory()

    def _states(self, client: httpx.Client) -> dict[str, str]:
        listed = self.ask(client, "GET", "jobs", params={"limit": 500}).json()["jobs"]
        return {each["id"]: each["state"] for each in listed}

    def _check_rows(self, client: httpx.Client, states: dict[str, str]) -> None:
        listed = {each["id"] for each in self.ask(client, "GET", "sessions").json()["sessions"]}
        if lost := self.sessions - listed:
            self.faults.append(f"sessions are lost: {lost}")
        if lost := self.jobs - set(states):
            self.faults.append(f"jobs are lost: {lost}")
        self.counts.update(f"job {state}" for state in states.values())
        for session_id in listed:
            if not (self.server.home / "heimdall" / "data" / "sessions" / session_id).is_dir():
                self.faults.append(f"the files of session {session_id} are gone")

    def _check_files(self) -> None:
        for pattern in LEFTOVERS:
            self.faults += [f"left behind: {path}" for path in self.server.home.rglob(pattern)]
        alive = [pid for pid in _processes() if str(self.server.home) in _environment(pid)]
        self.faults += [f"still runs: {_command(pid)}" for pid in alive]

    def _check_memory(self) -> None:
        longest = max(self.server.memory_bytes, key=len)
        if len(longest) < 20:
            self.faults.append("no server lived long enough to look at its memory: give it more minutes")
            return
        part = len(longest) // 4
        before, after = statistics.median(longest[:part]), statistics.median(longest[-part:])
        print(f"memory of the server: {before / 1e6:.0f} MB, {len(longest)} s later {after / 1e6:.0f} MB")
        if after > MOST_GROWTH * before + SLACK_BYTES:
            self.faults.append(f"memory grows: {before / 1e6:.0f} to {after / 1e6:.0f} MB")


def row(chance: random.Random, name: str) -> dict[str, Any]:
    """Four receivers that have timed a transmitter somewhere between them."""
    places = {"A": (50.2, 10.1), "B": (49.8, 10.3), "C": (50.1, 9.6), "D": (49.9, 9.7)}
    measurements = [
        {
            "receiver": receiver,
            "latitude_deg": latitude,
            "longitude_deg": longitude,
            "height_m": 100.0,
            "toa_s": chance.uniform(0, 5e-5),
            "clock_sigma_s": 1e-6,
        }
        for receiver, (latitude, longitude) in places.items()
    ]
    return {"id": name, "frequency_hz": 150e6, "bandwidth_hz": 25e3, "measurements": measurements}


def _program(root: int, what: str) -> int | None:
    """A descendant of the server: `heimdall worker`, or the program of a training."""
    parents = {pid: _parent(pid) for pid in _processes()}
    found, front = set(), {root}
    while front:
        front = {pid for pid, parent in parents.items() if parent in front} - found
        found |= front
    word = f"heimdall\0{what}\0"
    return next((pid for pid in sorted(found, reverse=True) if word in _command(pid)), None)


def _processes() -> Iterator[int]:
    yield from (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""


def _command(pid: int) -> str:
    return _read(pid, "cmdline")


def _environment(pid: int) -> str:
    return "" if pid == os.getpid() else _read(pid, "environ")


def _parent(pid: int) -> int:
    return int((_read(pid, "stat").rpartition(")")[2].split() or ["", "0"])[1])


def _resident_bytes(pid: int) -> int:
    lines = dict(line.split(":", 1) for line in _read(pid, "status").splitlines() if ":" in line)
    return int(lines.get("VmRSS", "0 kB").split()[0]) * 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", help="an empty PostgreSQL database; SQLite where none is named")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        server = Server(Path(folder), given.database)
        soak = Soak(server, given.seed)
        try:
            soak.run(given.minutes)
        finally:
            if server.process.poll() is None:
                server.process.kill()
        for what, count in sorted(soak.counts.items()):
            print(f"{count:6d} {what}")
        print("\n".join(dict.fromkeys(soak.faults)) or "no fault")
        return 1 if soak.faults else 0


if __name__ == "__main__":
    sys.exit(main())
