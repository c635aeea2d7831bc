"""Twenty jobs on two machines that share no folder and are killed at random: each job is done once, as if undisturbed.

The machines are network namespaces; database, notifier and store are real servers (PostgreSQL, Redis or Valkey, OpenStack
Swift). Two of the jobs are real trainings.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from heimdall.service.queue import jobs
from heimdall.service.queue.jobs import FINAL, State

from .conftest import STANDIN, Site, free_port, reach
from .network import Network, network_of
from .swift_store import MISSING, Swift, installed
from .test_kill import assert_never_at_once, undisturbed
from .test_real_training import SMALL
from .test_s3 import model_content

pytestmark = [pytest.mark.slow, pytest.mark.postgres]
JOBS, REAL, STEPS = 20, 2, 24
TINY = SMALL | {"steps": 12, "scenes.pool": 16, "scenes.validation": 8, "scenes.calibration": 16}
SEED = 5
KILLS, FOR_REAL, LEASE_S = 6, 2, 6.0
LIMIT_S = 400.0


@dataclass
class Machine:
    name: str
    site: Site
    prefix: list[str]
    worker: subprocess.Popen[bytes] | None = None
    back_s: float = 0.0

    def start(self) -> None:
        self.worker = self.site.start_worker(self.name, self.prefix)

    def kill(self, away_s: float) -> None:
        assert self.worker is not None
        self.worker.kill()
        self.worker.wait()
        self.worker, self.back_s = None, time.monotonic() + away_s


@pytest.fixture
def network() -> Iterator[Network]:
    with network_of(2) as network:
        if not network.separate:
            print("no network namespaces can be made here: both machines have the address of the loopback")
        yield network


@pytest.fixture
def machines(network, postgres_on, tmp_path) -> Iterator[list[Machine]]:
    redis = shutil.which("valkey-server") or shutil.which("redis-server")
    if redis is None or not installed():
        pytest.skip(MISSING if redis else "no Redis or Valkey server: install `valkey-server` or `redis-server`")
    (tmp_path / "swift").mkdir()
    (tmp_path / "traces").mkdir()
    swift = Swift(tmp_path / "swift", network.host)
    port = free_port()
    command = [redis, "--bind", network.host, "--port", str(port), "--protected-mode", "no", "--save", ""]
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        database = f"{stack.enter_context(postgres_on(network.host))}/postgres"
        stack.callback(_end, subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL))
        stack.callback(swift.stop)
        swift.start()
        reach(swift, patch)
        shared = {
            "database_url": database,
            "broker_url": f"redis://{network.host}:{port}/0",
            "artifacts": "s3://fleet/heimdall",
            "program": [sys.executable, str(STANDIN)],
            "heartbeat_s": 0.5,
            "lease_s": LEASE_S,
        }
        more = {"STANDIN_TRACES": str(tmp_path / "traces"), "STANDIN_OR_REAL": "1", "OMP_NUM_THREADS": "1"}
        made = []
        for number, prefix in enumerate(network.machines):
            site = Site(tmp_path / f"home{number}", more, **shared)
            stack.callback(site.close)
            made.append(Machine(f"machine{number}", site, list(prefix)))
        yield made


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()


def test_each_of_twenty_jobs_is_done_once_while_workers_on_two_machines_are_killed_at_random(machines, tmp_path):
    chance = random.Random(SEED)
    site = machines[0].site
    begun_s = time.monotonic()
    quick = [site.submit(steps=STEPS, step_s=0.08) for _ in range(JOBS // 2)]
    real = [site.submit(**TINY) for _ in range(REAL)]
    quick += [site.submit(steps=STEPS, step_s=0.08) for _ in range(JOBS - REAL - len(quick))]
    kills = disturb(machines, [*real, *quick], set(real), chance)
    took_s = time.monotonic() - begun_s
    for job_id in [*real, *quick]:
        assert site.job(job_id).state == State.SUCCEEDED, site.told(job_id)
        assert [line for line in site.told(job_id) if line.startswith("succeeded")] == ["succeeded: finished"]
    for job_id in quick:
        assert_never_at_once(trace(tmp_path / "traces" / job_id))
        assert model_content(site, job_id, tmp_path) == undisturbed(STEPS).encode()
    alone = trained_alone(tmp_path / "alone")
    for job_id in real:
        assert network_of_bundle(site, job_id, tmp_path) == alone
    workers = {site.job(job_id).worker for job_id in [*real, *quick]}
    attempts = sum(site.job(job_id).attempts for job_id in [*real, *quick])
    moved = sum(len(machines_of(site, job_id)) > 1 for job_id in [*real, *quick])
    print(f"\n{JOBS} jobs, {kills} kills, {attempts} starts, {moved} moved to another machine, {took_s:.0f} s")
    assert kills == KILLS
    assert any(site.job(job_id).attempts > 1 for job_id in real), "a real training was disturbed"
    assert workers == {machine.name for machine in machines}
    assert not any((machine.site.settings.home / "artifacts").exists() for machine in machines)


def disturb(machines: list[Machine], job_ids: list[str], real: set[str], chance: random.Random) -> int:
    """Keep the workers running and kill one now and then, sometimes for longer than a lease, until all jobs are done.

    Between two kills something must have come forward, or a slow machine would be killed for ever. The last ones are for
    workers with a real training that has left a checkpoint.
    """
    kills, seen, deadline_s, next_s = 0, forward(machines[0].site), time.monotonic() + LIMIT_S, 0.0
    while pending := [job_id for job_id in job_ids if machines[0].site.job(job_id).state not in FINAL]:
        now_s = time.monotonic()
        assert now_s < deadline_s, [machines[0].site.told(job_id) for job_id in pending]
        for machine in machines:
            if machine.worker is None and now_s >= machine.back_s:
                machine.start()
        if kills < KILLS and now_s >= next_s and forward(machines[0].site) != seen:
            victims = busy(machines, None if kills < KILLS - FOR_REAL else real)
            if victims:
                chance.choice(victims).kill(away_s=chance.choice([0.0, 0.5, 1.5 * LEASE_S]))
                kills, seen, next_s = kills + 1, forward(machines[0].site), time.monotonic() + chance.uniform(0.0, 2.0)
        time.sleep(0.1)
    return kills


def forward(site: Site) -> set[tuple[str, bool, str | None]]:
    """What is done and what was carried."""
    with site.store.reading() as session:
        found = jobs.find(session, limit=JOBS)
    return {(job.id, job.state == State.SUCCEEDED, job.carried) for job in found}


def busy(machines: list[Machine], real: set[str] | None) -> list[Machine]:
    """Those that run a job, or one of these that has been carried."""
    with machines[0].site.store.reading() as session:
        running = jobs.find(session, state=State.RUNNING)
    names = {job.worker for job in running if real is None or (job.id in real and job.carried)}
    return [machine for machine in machines if machine.worker is not None and machine.name in names]


def machines_of(site: Site, job_id: str) -> set[str]:
    started = [line.rsplit(" on ", 1)[1] for line in site.told(job_id) if line.startswith("running: attempt")]
    return set(started)


def trace(path: Path) -> list[tuple[int, int, float]]:
    return [(int(process), int(step), float(at)) for process, step, at in map(str.split, path.read_text().splitlines())]


def network_of_bundle(site: Site, job_id: str, place: Path) -> bytes:
    (place / job_id).mkdir()
    (place / job_id / "model").write_bytes(model_content(site, job_id, place / job_id))
    with zipfile.ZipFile(place / job_id / "model") as bundle:
        return bundle.read("model.onnx")


def trained_alone(folder: Path) -> bytes:
    changes = [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "heimdall", "train", "--recipe", "quick", "--accelerator", "cpu"]
    # One thread, as the jobs have: the order in which numbers are added is part of the weights.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HEIMDALL_HOME": str(folder.with_suffix(".home"))}
    line = [*command, "--run-dir", str(folder), *changes]
    subprocess.run(line, check=True, capture_output=True, env=environment, cwd=folder.parent)
    with zipfile.ZipFile(folder / "quick.heimdall") as bundle:
        return bundle.read("model.onnx")
