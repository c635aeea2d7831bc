"""The pages about the service say what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from heimdall.service.api import create_app
from heimdall.service.health import metrics
from heimdall.service.health.load import look
from heimdall.service.health.monitor import Degraded, Health, Probe
from heimdall.service.health.statistics import WorkStatistics
from heimdall.service.queue.jobs import State
from heimdall.service.settings import Settings
from heimdall.service.settings_table import settings_table

DOCS = Path(__file__).parents[3] / "docs"
JOBS = (DOCS / "explanation" / "jobs.md").read_text()
HEALTH = (DOCS / "reference" / "health.md").read_text()
ROUTES = (DOCS / "reference" / "http-api.md").read_text()


def test_the_table_of_settings_has_every_setting_with_its_default():
    rows = settings_table().splitlines()[2:]
    assert len(rows) == len(Settings.model_fields)
    assert "| `HEIMDALL_PORT` | `8000` | Port of `heimdall serve`. |" in rows


def test_every_route_is_in_the_document(settings, store):
    for path in create_app(settings, store).openapi()["paths"]:
        last = path.removeprefix("/api/v1")
        assert last in ROUTES or f"`/{last.rsplit('/', 1)[1]}`" in ROUTES, path


BUSY = look(with_gpu=False)


@pytest.mark.parametrize("state", State)
def test_every_state_is_in_the_document(state):
    assert f"`{state}`" in JOBS


def test_every_metric_is_in_the_document():
    def look() -> str:
        raise Degraded("reason")

    probe = Probe("gpu", look)
    probe.look()
    text = metrics.render(
        metrics.registry_of(metrics.Sources(Health([probe]), work=WorkStatistics(), load=lambda: BUSY))
    ).decode()
    for name in re.findall(r"^# TYPE (\w+)", text, re.MULTILINE):
        assert f"`{name}" in HEALTH, name
