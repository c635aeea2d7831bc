"""The documented commands on three kinds of host: without the NVIDIA toolkit, with it, and with a driver upgraded under it.

The last falls back to the CPU and returns to the GPU, and nobody does anything for it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .test_docker_compose import TINY_TRAINING

pytestmark = [pytest.mark.docker, pytest.mark.slow]

AVAILABLE = ("python3", "-c", "import torch; print(torch.cuda.is_available())")
BACK_S = 150.0


def in_training(running, *command: str) -> subprocess.CompletedProcess[str]:
    return running.try_run("docker", "exec", "heimdall-training", *command)


def wait_for(running, what: str, reached) -> None:
    end = time.monotonic() + BACK_S
    while not reached():
        assert time.monotonic() < end, (
            f"{what}\n{running.compose('ps', '--all')}\n{running.compose('logs', '--tail', '20')}"
        )
        time.sleep(1)


def test_on_a_host_without_the_toolkit_each_line_of_the_list_answers(running) -> None:
    running.offer_gpu("off")
    running.compose("up", "-d", "--build", "training")
    running.wait_until_healthy()
    smi = in_training(running, "nvidia-smi")
    assert smi.returncode != 0
    assert len((smi.stdout + smi.stderr).splitlines()) == 1
    assert "HEIMDALL_ACCELERATOR=gpu docker compose up -d training" in smi.stderr
    assert in_training(running, *AVAILABLE).stdout == "False\n"
    assert "standby" not in running.states()


def test_driver_570_is_not_too_old_for_the_torch_of_the_image(running) -> None:
    script = (
        "from heimdall.doctor.facts import wheels; from heimdall.doctor.host import Host; from pathlib import Path; "
        "print(wheels.installed_torch(Host(Path('/'))).oldest_driver)"
    )
    assert int(in_training(running, "python3", "-c", script).stdout) <= 570


def test_with_the_toolkit_the_gpu_is_in_the_container_and_a_stand_by_beside_it(running) -> None:
    running.offer_gpu("on")
    (running.folder / ".env").write_text("HEIMDALL_ACCELERATOR=gpu\nHEIMDALL_STANDBY_AFTER_S=15\n")
    running.compose("up", "-d", "--build", "training")
    running.wait_until_healthy()
    assert "NVIDIA-SMI" in in_training(running, "nvidia-smi").stdout
    assert running.states()["standby"] == "healthy"
    assert running.inspect("standby")["HostConfig"]["DeviceRequests"] is None


def test_a_driver_upgrade_and_a_restart_of_docker_cost_the_gpu_and_not_the_jobs_and_the_way_back_needs_nobody(
    running,
) -> None:
    (running.folder / ".env").write_text("HEIMDALL_ACCELERATOR=gpu\nHEIMDALL_STANDBY_AFTER_S=15\n")
    running.offer_gpu("on")
    running.compose("up", "-d")
    running.wait_until_healthy()  # a worker that is still starting takes longer to leave than the engine waits
    running.offer_gpu("mismatch")
    wait_for(running, "Docker cannot start it", lambda: running.inspect("training")["State"]["ExitCode"] == 128)
    assert "driver/library version mismatch" in running.inspect("training")["State"]["Error"]
    wait_for(running, "the API answers again", lambda: running.states().get("api") == "healthy")
    job = running.wait_for_job(running.api("/jobs", TINY_TRAINING)["id"], lambda seen: seen["finished_utc"] is not None)
    assert job["state"] == "succeeded", job["error"]
    assert (job["accelerator"]["requested"], job["accelerator"]["used"]) == ("gpu", "cpu")
    assert "could not start it" in job["accelerator"]["reason"]
    assert "docker inspect" in job["accelerator"]["reason"]
    insists = running.api("/jobs", TINY_TRAINING | {"needs": {"gpu": True}})
    assert "heimdall up" in running.api(f"/jobs/{insists['id']}")["waiting"]
    running.api(f"/jobs/{insists['id']}/cancel", {})
    running.offer_gpu("on")
    wait_for(running, "the GPU is back", lambda: running.states().get("training") == "healthy")
    wait_for(running, "the stand-in sleeps", lambda: "asleep" in running.try_run(*ASLEEP).stdout)


ASLEEP = ("docker", "compose", "exec", "-T", "standby", "healthcheck.py", "8002", "/health")


def test_a_server_that_hangs_is_started_again(running) -> None:
    running.offer_gpu("off")
    running.compose("up", "-d")
    running.wait_until_healthy()
    before = running.inspect("api")["State"]["StartedAt"]
    init = running.inspect("api")["State"]["Pid"]
    (server,) = map(int, Path(f"/proc/{init}/task/{init}/children").read_text().split())
    os.kill(server, signal.SIGSTOP)
    check = "echo 11 > /tmp/heimdall-health-failures; healthcheck.py 8000 /health --end-a-hung-server"
    running.try_run("docker", "compose", "exec", "-T", "api", "sh", "-c", check)
    wait_for(running, "the container starts again", lambda: running.inspect("api")["State"]["StartedAt"] != before)
    running.wait_until_healthy()
