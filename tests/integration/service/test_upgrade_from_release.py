"""A whole service of an earlier commit is stopped under a real training; the one of today takes its home folder over."""

from __future__ import annotations

import io
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest

from heimdall.runs.reader import RunReader

from .test_serve import serving, state_of, wait_for

EARLIER = "b984a74"
"""The last commit before the tables, the run folder and the checkpoint were written by other modules."""
STEPS = 80
RECIPE = {
    "steps": STEPS,
    "batch_size": 16,
    "checkpoint_every_s": 2,
    "scenes.pool": 128,
    "scenes.validation": 32,
    "scenes.calibration": 128,
}


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source tree of that commit."""
    repository = Path(__file__).parents[3]
    command = ["git", "-C", str(repository), "archive", EARLIER, "src"]
    archive = subprocess.run(command, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"commit {EARLIER} is not in this clone: {archive.stderr.decode().strip()}")
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as file:
        file.extractall(folder, filter="data")
    return folder / "src"


@pytest.mark.slow
def test_a_training_of_an_earlier_commit_goes_on_from_its_step_and_makes_a_model(earlier, tmp_path):
    home = tmp_path / "home"
    with serving(home, tmp_path / "old", PYTHONPATH=str(earlier)) as (process, client):
        token = client.headers["Authorization"]
        made = client.post("/api/v1/jobs", json={"kind": "train", "recipe": "quick", "overrides": RECIPE})
        job_id = made.json()["id"]
        wait_for(lambda: (client.get(f"/api/v1/jobs/{job_id}").json()["progress"]["step"] or 0) > 20, limit_s=240)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    folder = RunReader(home / "runs" / job_id)
    stopped = [row["step"] for row in folder.metrics()]
    with serving(home, tmp_path / "new", authorization=token) as (_, client):
        wait_for(lambda: state_of(client, job_id) in ("succeeded", "failed"), limit_s=240)
        job = client.get(f"/api/v1/jobs/{job_id}").json()
        assert job["state"] == "succeeded", job["error"]
        went_on = [row["step"] for row in folder.metrics()][len(stopped) :]
        assert 0 < stopped[-1] < went_on[0]
        assert went_on[-1] == STEPS
        assert [model["job"] for model in client.get("/api/v1/models").json()["models"]] == [job_id]
