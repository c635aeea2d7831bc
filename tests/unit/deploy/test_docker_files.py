"""The small programs of the images, and what the Dockerfile says of itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import heimdall

REPOSITORY = Path(__file__).parents[3]
DOCKER = REPOSITORY / "docker"


def program(name: str, note: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """As it stands in the image, with another place for what the host says."""
    text = (DOCKER / name).read_text().replace("/run/heimdall-host/training.json", str(note))
    return subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=False)


def test_nvidia_smi_without_a_gpu_says_in_one_line_why_and_what_to_type(tmp_path):
    done = program("nvidia-smi", tmp_path / "none", HEIMDALL_ACCELERATOR="auto")
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert "HEIMDALL_ACCELERATOR=cpu" in done.stderr
    assert "HEIMDALL_ACCELERATOR=gpu docker compose up -d training" in done.stderr


def test_nvidia_smi_without_a_gpu_tells_what_heimdall_up_saw_on_the_host(tmp_path):
    note = tmp_path / "training.json"
    fix = ["# in the folder:", "sudo reboot"]
    note.write_text(json.dumps({"reason": "driver/library version mismatch", "fix": fix, "seen_utc": "noon"}))
    done = program("nvidia-smi", note, HEIMDALL_ACCELERATOR="auto")
    assert done.stderr.endswith(
        "driver/library version mismatch (seen by heimdall up at noon); on the host, type: sudo reboot; heimdall up\n"
    )


def test_nvidia_smi_that_the_toolkit_did_not_lay_in_is_not_called_a_missing_request(tmp_path):
    assert "was asked for" in program("nvidia-smi", tmp_path / "none", HEIMDALL_ACCELERATOR="gpu").stderr


@pytest.mark.parametrize("packed", [False, True])
def test_the_revision_is_read_from_the_files_of_git(tmp_path, packed):
    git = tmp_path / ".git"
    (git / "refs/heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "packed-refs").write_text("# pack-refs with: peeled\nabc123 refs/heads/main\n" if packed else "")
    if not packed:
        (git / "refs/heads/main").write_text("abc123\n")
    run = [sys.executable, str(DOCKER / "revision.py"), str(tmp_path)]
    assert subprocess.check_output(run, env={}, text=True) == "abc123\n"
    assert subprocess.check_output(run, env={"REVISION": "told"}, text=True) == "told\n"
    assert subprocess.check_output([*run[:2], str(git)], env={}, text=True) == "\n"


def test_the_version_on_the_images_is_the_programs():
    assert re.findall(r"^ARG VERSION=(\S+)", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE) == [
        heimdall.__version__
    ]


def test_a_server_that_hangs_is_ended_once_it_has_answered_before(tmp_path, monkeypatch):
    source = (
        (DOCKER / "healthcheck.py").read_text().replace("/tmp/heimdall-health-failures", str(tmp_path / "failures"))
    )
    module = {"__name__": "healthcheck"}
    exec(source, module)
    sent = []
    module["end_server"].__globals__["os"] = type(
        "os", (), {"kill": lambda pid, sent_: sent.append(sent_), "listdir": os.listdir}
    )
    for _ in range(30):
        module["mind"](False)
    assert sent == []  # it has never answered: it may still be migrating a database
    module["mind"](True)
    for _ in range(12):
        module["mind"](False)
    assert [each.name for each in sent] == ["SIGTERM"] * 6 + ["SIGKILL"]
    module["mind"](True)
    module["mind"](False)
    assert len(sent) == 7


def test_up_needs_nothing_but_the_standard_library(tmp_path):
    """Without site-packages, from the source tree, in a folder that is not the project."""
    run = [sys.executable, "-S", "-m", "heimdall.deploy", "--project", str(tmp_path)]
    began_s = time.monotonic()
    done = subprocess.run(run, env={"PYTHONPATH": str(REPOSITORY / "src")}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "no docker-compose.yml" in done.stderr
    assert time.monotonic() - began_s < 10
