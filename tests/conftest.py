"""Where the real recordings lie, for the tests that need them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings: HEIMDALL_REAL_DATA, or ../shared/data beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("HEIMDALL_REAL_DATA") or beside)
    if not folder.is_dir():
        pytest.skip(f"no real recordings: neither HEIMDALL_REAL_DATA nor {beside} is there")
    return folder
