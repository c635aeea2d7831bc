"""The worker that stands in takes the jobs of one that is away, and hands them back when it is there again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from heimdall.service.queue.jobs import State

from .conftest import Site, free_port

pytestmark = pytest.mark.slow


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_jobs_go_on_where_the_stand_in_is_and_back_where_they_belong(tmp_path):
    site = Site(tmp_path / "home", stands_in_for="training", standby_after_s=3.0)
    told = site._environment("standby", free_port())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEIMDALL_")} | told
    standby = subprocess.Popen([sys.executable, "-m", "heimdall.service.worker.standby"], env=environment)
    try:
        job_id = site.submit(steps=400, step_s=0.1)
        job = site.wait_state(job_id, State.RUNNING)
        assert job.worker == "standby"
        site.settings = site.settings.model_copy(update={"stands_in_for": None})
        site.start_worker("training")
        job = site.wait(job_id, lambda seen: seen.worker == "training" and seen.state == State.RUNNING)
        assert any("put back" in line for line in site.told(job_id))
        assert standby.wait(60) == 0  # Docker starts it again, and it sleeps
    finally:
        standby.kill()
        standby.wait()
        site.close()


def test_asleep_it_is_a_fraction_of_a_worker(tmp_path):
    site = Site(tmp_path / "home", stands_in_for="training", standby_after_s=600.0)
    told = site._environment("standby", port := free_port())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEIMDALL_")} | told
    standby = subprocess.Popen([sys.executable, "-m", "heimdall.service.worker.standby"], env=environment)
    try:
        check = [sys.executable, str(Path(__file__).parents[3] / "docker/healthcheck.py"), str(port), "/health"]
        while subprocess.run(check, check=False, capture_output=True).returncode:
            assert standby.poll() is None
        print(f"asleep: {resident_mb(standby.pid):.0f} MB resident")
        assert resident_mb(standby.pid) < 100
    finally:
        standby.kill()
        standby.wait()
        site.close()
