"""A slot is held by one recording at a time, in a folder that nobody else can have prepared."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.network.address import parse_address
from heimdall.capture.slots import one_slot

KIWI = parse_address("kiwi://kiwi.example.org:8073")


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / f"heimdall-slots-{os.getuid()}"


def test_a_second_recording_is_told_and_the_next_gets_in() -> None:
    with one_slot(KIWI), pytest.raises(CaptureError) as refused, one_slot(KIWI):
        pass
    assert refused.value.fault is Fault.IN_USE
    with one_slot(KIWI):
        pass


def test_a_folder_that_leads_elsewhere_is_not_used(runtime: Path, tmp_path: Path) -> None:
    """In a temporary folder for all, anybody could make links in our name to files of ours."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    runtime.symlink_to(elsewhere)
    with pytest.raises(CaptureError, match="not a folder of your own"), one_slot(KIWI):
        pass
    assert list(elsewhere.iterdir()) == []
