"""`heimdall up` ends with a healthy service on every host, and says what it could not have."""

from __future__ import annotations

import json

import pytest

pytestmark = [pytest.mark.docker, pytest.mark.slow]


def start(running, *arguments: str) -> tuple[dict, str]:
    done = running.heimdall("up", "--json", "--no-build", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def assert_on_the_cpu(running, outcome: dict, told: str) -> None:
    assert outcome["healthy"]
    assert (outcome["accelerator"], outcome["fell_back"]) == ("cpu", True)
    assert outcome["reason"] in told
    assert all(line in told for line in outcome["fix"])
    assert "HEIMDALL_ACCELERATOR=cpu\n" in (running.folder / ".env").read_text()
    running.wait_until_healthy()


def test_without_toolkit_and_card_it_takes_the_cpu_and_advises_nothing(running) -> None:
    running.offer_gpu("off")
    outcome, told = start(running)
    assert_on_the_cpu(running, outcome, told)
    assert "could not select device driver" in outcome["reason"]
    assert outcome["fix"] == []
    assert "To get it" not in told


def test_with_a_driver_library_mismatch_it_takes_the_cpu_and_says_why_and_what_to_type(running) -> None:
    running.offer_gpu("mismatch")
    outcome, told = start(running)
    assert_on_the_cpu(running, outcome, told)
    assert "driver/library version mismatch" in outcome["reason"]
    assert outcome["fix"]
    smi = running.try_run("docker", "exec", "heimdall-training", "nvidia-smi")
    assert smi.returncode != 0
    assert "driver/library version mismatch" in smi.stderr


def test_a_gpu_that_the_worker_cannot_use_is_given_up_and_the_users_own_settings_stay(running) -> None:
    running.offer_gpu("on")
    mine = "# mine\nHEIMDALL_TRAINING_MEMORY=3g\nHEIMDALL_ACCELERATOR=gpu-ids\n"
    (running.folder / ".env").write_text(mine)
    outcome, told = start(running)
    assert_on_the_cpu(running, outcome, told)
    assert outcome["trials"][0] == {"accelerator": "gpu-cdi", "ok": True, "detail": outcome["trials"][0]["detail"]}
    assert (running.folder / ".env").read_text().startswith("# mine\nHEIMDALL_TRAINING_MEMORY=3g\n")
    (backup,) = running.folder.glob(".env.backup*")
    assert backup.read_text() == mine
    assert backup.name in told
    before = running.started()
    again, _ = start(running)
    assert again["accelerator"] == "cpu"
    assert running.started() == before


def test_plain_compose_uses_the_choice_from_then_on(running) -> None:
    running.offer_gpu("on")
    (running.folder / ".env").write_text("HEIMDALL_ACCELERATOR=gpu\n")
    running.compose("up", "-d", "training")
    assert running.inspect("training")["HostConfig"]["DeviceRequests"]


def test_a_folder_that_is_not_the_project_is_one_line_and_exit_2(deployment, tmp_path) -> None:
    done = deployment.heimdall("up", "--project", str(tmp_path))
    assert done.returncode == 2
    assert "no docker-compose.yml" in done.stderr
    assert len(done.stderr.splitlines()) == 1
