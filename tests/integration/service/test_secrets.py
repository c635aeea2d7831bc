"""What the worker knows, the program of a job cannot find out, though both run as the same user."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import pytest

from heimdall.service.queue.jobs import State
from heimdall.service.worker.program import confine

from .conftest import Site

WORD = "a-word-that-only-the-worker-knows"
PROBE = Path(__file__).with_name("curious.py")


@pytest.fixture
def secret_file():
    """Not in the usual folder for temporary files, where programs work."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="heimdall-secrets-") as folder:
        path = Path(folder, "admin_token")
        path.write_text(WORD)
        yield path


@pytest.fixture
def curious_site(tmp_path, secret_file):
    environment = {
        "HEIMDALL_ADMIN_TOKEN_FILE": str(secret_file),
        "HEIMDALL_BROKER_PASSWORD": WORD,
        "AWS_SECRET_ACCESS_KEY": WORD,
        "SOMEBODY_ELSES_API_TOKEN": WORD,
        "CURIOUS_ABOUT": str(secret_file),
    }
    site = Site(tmp_path / "home", environment, program=[sys.executable, str(PROBE)])
    yield site
    site.close()


@pytest.mark.skipif(not confine.landlock_version(), reason="this kernel has no Landlock")
def test_a_jobs_program_finds_no_secret_in_files_environments_or_other_processes(curious_site):
    curious_site.start_worker()
    job_id = curious_site.submit()
    curious_site.wait_state(job_id, State.SUCCEEDED, State.FAILED)
    folder = curious_site.settings.runs / job_id
    seen = json.loads((folder / "seen.json").read_text())
    assert seen["looked_at"] >= 4, "it looked at the file, at its own environment, and at other processes"
    assert seen["found_in"] == []
    assert seen["own_file"] == "written and read", "what it makes itself it can read"
