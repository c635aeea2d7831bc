"""The dashboard and the alerts ask for what the service tells, and Prometheus understands them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from heimdall.service.api import create_app
from heimdall.service.health import metrics
from heimdall.service.health.load import look
from heimdall.service.health.monitor import Degraded, Health, Probe
from heimdall.service.health.statistics import WorkStatistics
from heimdall.service.queue.jobs import QueueStatistics

MONITORING = Path(__file__).resolve().parents[4] / "docker" / "monitoring"
GPU = {"memory_total_bytes": 24e9, "memory_used_bytes": 1e9, "busy": 0.5, "temperature_c": 60}


def expressions() -> Iterator[str]:
    for rule in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]:
        yield rule["expr"]
    for panel in json.loads((MONITORING / "grafana-dashboard.json").read_text())["panels"]:
        yield from (target["expr"] for target in panel["targets"])


def degraded() -> str:
    raise Degraded("a reason")


@pytest.fixture
def told(settings, store) -> dict[str, set[str]]:
    """The labels of every sample that the API and a worker with a GPU tell."""
    work = WorkStatistics()
    work.started["train"] += 1
    work.end("1", "train", "finished")
    probe = Probe("gpu", degraded)
    probe.look()
    load = look(with_gpu=False) | {"gpus": [GPU]}
    worker = metrics.registry_of(
        metrics.Sources(Health([probe]), lambda: QueueStatistics({"queued": 1}), work=work, load=lambda: load)
    )
    client = TestClient(create_app(settings, store))
    client.get("/health")
    found: dict[str, set[str]] = {"up": {"job", "instance"}}
    for text in (metrics.render(worker).decode(), client.get("/metrics").text):
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_metric_and_label_that_is_asked_for_is_told(told):
    asked = set()
    for expression in expressions():
        plain = re.sub(r'"[^"]*"', '""', expression)
        names = set(re.findall(r"\b(?:up|heimdall_\w+)\b", plain))
        assert names, expression
        assert names <= set(told), expression
        labels = set(re.findall(r"(\w+)=~?\"\"", plain))
        for words in re.findall(r"\bby \(([^)]*)\)", plain):
            labels |= {word.strip() for word in words.split(",")}
        assert labels <= set().union(*(told[name] for name in names)) | {"job"}, expression
        asked |= names
    assert {name for name in told if name.startswith(("heimdall_gpu", "heimdall_attempts_ended"))} - asked <= {
        "heimdall_attempts_ended_created"
    }


def test_the_targets_are_services_of_the_stack():
    (scrape,) = yaml.safe_load((MONITORING / "prometheus.yml").read_text())["scrape_configs"]
    services = yaml.safe_load((MONITORING.parents[1] / "docker-compose.yml").read_text())["services"]
    targets = scrape["static_configs"][0]["targets"]
    assert {target.partition(":")[0] for target in targets} <= set(services)


def test_prometheus_takes_the_rules_and_the_configuration():
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool: apt-get install prometheus")
    for kind, name in (("rules", "alerts.yml"), ("config", "prometheus.yml")):
        said = subprocess.run([promtool, "check", kind, MONITORING / name], capture_output=True, text=True)
        assert said.returncode == 0, said.stderr


def test_prometheus_takes_every_query_of_the_dashboard(tmp_path):
    """As the expression of a rule, which is checked as a query is."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool: apt-get install prometheus")
    panels = json.loads((MONITORING / "grafana-dashboard.json").read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(queries)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    said = subprocess.run([promtool, "check", "rules", path], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr


def test_steps_a_second_are_those_of_the_jobs_that_move(monkeypatch):
    now_s = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    work = WorkStatistics()
    for second in range(3):
        now_s[0] += 2.0
        work.step("1", 10 * second)
        work.step("2", 4 * second)
    assert work.steps_per_s() == pytest.approx(7.0)
    work.end("2", "train", "lost")
    assert work.steps_per_s() == pytest.approx(5.0)
    now_s[0] += 1000.0
    assert work.steps_per_s() == 0.0
