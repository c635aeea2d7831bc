"""What a training says of the time that is left."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from heimdall.learning.calibration.fit import calibrate
from heimdall.learning.data.pools import calibration_pool
from heimdall.learning.model.network import EvidenceNetwork
from heimdall.learning.model.shape import shape_of
from heimdall.learning.run import progress
from heimdall.learning.run.progress import ProgressReport
from heimdall.runs.writer import RunWriter


@pytest.fixture
def clock_s(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_the_time_left_falls_while_the_network_is_calibrated(tmp_path, tiny, clock_s):
    folder = RunWriter(tmp_path)
    folder.make()
    report = ProgressReport(tiny, folder, Console(quiet=True))
    report.phase("calibrate", tiny.steps)
    left_s = []

    def passes(told):
        def hear(share):
            clock_s[0] += 10.0
            told(share)
            left_s.append(json.loads((tmp_path / "progress.json").read_bytes())["eta_s"])

        return hear

    simulated, fitted = map(passes, report.calibration())
    pool = calibration_pool(tiny, "cpu", simulated)
    calibrate(EvidenceNetwork(shape_of(tiny.network)).eval(), pool, report=fitted)
    assert len(left_s) >= 4
    assert left_s[-1] == 0
    assert left_s[-1] < left_s[-2] < left_s[-3]
