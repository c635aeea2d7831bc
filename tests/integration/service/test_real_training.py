"""What holds for the stand-in holds for `heimdall train`: killed and resumed, it ends with the very same weights."""

from __future__ import annotations

import importlib.util
import os
import signal
import zipfile

import pytest

from heimdall.service.queue.jobs import State

from .conftest import Site
from .test_kill import programs_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the extra `train` is not installed"),
]
SMALL = {
    "steps": 24,
    "batch_size": 8,
    "checkpoint_every_s": 0.2,
    "validate_every": 12,
    "scenes.pool": 32,
    "scenes.passes": 4,
    "scenes.validation": 16,
    "scenes.calibration": 32,
}


def test_killed_with_its_program_and_with_its_worker_a_training_ends_with_the_weights_of_an_undisturbed_one(tmp_path):
    site = Site(tmp_path / "home", program=None, lease_s=15.0)
    try:
        worker = site.start_worker()
        undisturbed = site.submit(**SMALL)
        site.wait_state(undisturbed, State.SUCCEEDED, State.FAILED, limit_s=300)
        disturbed = site.submit(**SMALL)
        reach(site, disturbed, step=5, attempt=1)
        for process in programs_of(disturbed):
            os.kill(process, signal.SIGKILL)
        reach(site, disturbed, step=14, attempt=2)
        worker.kill()
        worker.wait()
        site.start_worker()
        job = site.wait_state(disturbed, State.SUCCEEDED, State.FAILED, limit_s=300)
        assert job.attempts == 3, site.told(disturbed)
        assert network(site, disturbed) == network(site, undisturbed)
        assert (job.accelerator_requested, job.accelerator_used) == ("cpu", "cpu")
    finally:
        site.close()


def reach(site, job_id: str, *, step: int, attempt: int) -> None:
    """The attempt runs, the step has been made, by it or before it, and there is a checkpoint to go on from."""

    def reached(job) -> bool:
        return job.attempts == attempt and (job.step or 0) >= step and job.checkpoint is not None

    site.wait(job_id, reached, limit_s=300)


def network(site, job_id: str) -> bytes:
    with zipfile.ZipFile(site.settings.runs / job_id / "quick.heimdall") as bundle:
        return bundle.read("model.onnx")
