"""Questions about health are answered at once, whatever is broken."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request

import pytest

from heimdall.errors import HeimdallError
from heimdall.service.health import metrics, probes
from heimdall.service.health.gpu import GpuState, GpuWatch, NoGpuWatch
from heimdall.service.health.monitor import FIRST_ANSWER_S, Degraded, Health, Probe, Status
from heimdall.service.health.server import HealthServer
from heimdall.service.health.statistics import DiskRoom
from heimdall.service.queue.jobs import QueueStatistics


def fails(error: Exception):
    def look() -> str:
        raise error

    return look


@pytest.mark.parametrize(
    ("look", "status", "detail"),
    [
        (lambda: "fine", Status.OK, "fine"),
        (fails(Degraded("on the CPU")), Status.DEGRADED, "on the CPU"),
        (fails(HeimdallError("gone")), Status.FAILED, "gone"),
        (fails(OSError("first line\nsecond")), Status.FAILED, "first line"),
        (fails(KeyError()), Status.FAILED, "KeyError"),
    ],
)
def test_a_look_is_told_with_its_reason_in_one_line(look, status, detail):
    seen = Probe("it", look).look()
    assert (seen.status, seen.detail, seen.ok) == (status, detail, status is Status.OK)
    assert seen.latency_ms >= 0


def test_only_a_failure_makes_the_whole_unready():
    def readiness(*looks):
        health = [Probe(str(number), look) for number, look in enumerate(looks)]
        for probe in health:
            probe.look()
        return Health(health).readiness()

    assert readiness(lambda: "ok", fails(Degraded("slow"))).ready
    assert not readiness(lambda: "ok", fails(OSError("gone"))).ready


def test_a_look_that_never_returns_is_a_failure_and_the_answer_does_not_wait_for_it():
    release = threading.Event()
    probe = Probe("stuck", lambda: str(release.wait(60)), limit_s=0.05)
    health = Health([probe, Probe("fine", lambda: "fine")])
    health.start()
    began_s = time.monotonic()
    first = health.readiness()
    assert time.monotonic() - began_s < FIRST_ANSWER_S + 0.4
    time.sleep(0.1)
    stuck, fine = health.readiness().dependencies
    release.set()
    health.stop()
    assert not first.ready
    assert (stuck.status, stuck.detail) == (Status.FAILED, "no answer within 0.05 s")
    assert fine.ok


def gpu_saying(state):
    watch = NoGpuWatch()
    watch.state = state
    return watch


LOST = GpuState(False, "NVML says 999")
FOUND = GpuState(True, None, ("0",))


@pytest.mark.parametrize(
    ("accelerator", "state", "status"),
    [
        ("gpu", LOST, Status.FAILED),
        ("auto", LOST, Status.DEGRADED),
        ("cpu", GpuState(False, None), Status.OK),
        ("gpu", FOUND, Status.OK),
        ("auto", FOUND, Status.OK),
        ("gpu", None, Status.FAILED),
    ],
)
def test_a_missing_gpu_fails_where_it_is_required_and_is_told_where_it_is_wished_for(accelerator, state, status):
    seen = Probe("gpu", probes.look_at_gpu(accelerator, gpu_saying(state))).look()
    assert seen.status is status
    if state is LOST:
        assert "NVML says 999" in seen.detail


class Driver:
    """A GPU whose fate the test decides."""

    def __init__(self):
        self.reason, self.proof, self.proofs = None, FOUND, 0

    def glance(self):
        return self.reason

    def prove(self):
        self.proofs += 1
        return self.proof


def test_a_gpu_that_is_lost_later_is_noticed_and_one_that_comes_back_is_proved_again():
    driver = Driver()
    watch = GpuWatch(driver.prove, driver.glance)
    assert watch.state is None
    watch.look()
    assert watch.state == FOUND
    driver.reason = "GPU is lost"
    watch.look()
    assert watch.state == GpuState(False, "GPU is lost")
    driver.reason = None
    watch.look()
    assert (watch.state, driver.proofs) == (FOUND, 2)


def test_a_gpu_is_not_proved_again_and_again_nor_while_a_training_uses_it():
    driver = Driver()
    watch = GpuWatch(driver.prove, driver.glance, idle=lambda: False)
    for _ in range(5):
        watch.look()
    assert driver.proofs == 1
    driver.reason = "lost"
    watch.look()
    driver.reason = None
    watch.look()
    assert (watch.state, driver.proofs) == (GpuState(False, "lost"), 1)


def test_a_driver_that_hangs_makes_the_gpu_unusable(monkeypatch):
    monkeypatch.setattr("heimdall.service.health.gpu.GLANCE_LIMIT_S", -1.0)
    watch = GpuWatch(lambda: FOUND, lambda: None)
    assert not watch.state.usable
    assert "hangs" in watch.state.reason


@pytest.fixture
def serve():
    servers = []

    def start(*looks, alive=lambda: True):
        health = Health([Probe(name, look) for name, look in looks])
        server = HealthServer(
            "127.0.0.1", 0, health, metrics.Sources(health, lambda: QueueStatistics({"queued": 2}, stranded=1)), alive
        )
        servers.append(server)
        health.start()
        server.start()
        return server.port

    yield start
    for server in servers:
        server.stop()


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_ready_is_503_with_the_name_and_reason_of_what_fails_while_health_is_200(serve):
    port = serve(("database", lambda: "ok"), ("gpu", fails(HeimdallError("no kernel ran"))))
    status, body = get(port, "/ready")
    document = json.loads(body)
    assert (status, document["ready"]) == (503, False)
    assert [(seen["name"], seen["ok"], seen["detail"]) for seen in document["dependencies"]] == [
        ("database", True, "ok"),
        ("gpu", False, "no kernel ran"),
    ]
    assert get(port, "/health")[0] == 200


def test_a_degraded_gpu_is_ready_and_a_warning_among_the_metrics(serve):
    port = serve(("gpu", fails(Degraded('driver says "no"'))))
    assert get(port, "/ready")[0] == 200
    body = get(port, "/metrics")[1]
    assert 'heimdall_warning{dependency="gpu"} 1.0' in body
    assert 'heimdall_dependency_up{dependency="gpu"} 0.0' in body
    assert 'heimdall_jobs{state="queued"} 2.0' in body
    assert "heimdall_jobs_stranded 1.0" in body
    assert "heimdall_ready 1.0" in body


def test_a_stuck_worker_is_not_alive_and_an_unknown_path_is_404(serve):
    port = serve(alive=lambda: False)
    assert get(port, "/health")[0] == 503
    assert get(port, "/nothing")[0] == 404


def test_a_taken_port_is_told_in_one_line(serve):
    port = serve()
    health = Health([])
    with pytest.raises(HeimdallError, match="HEIMDALL_HEALTH_PORT"):
        HealthServer("127.0.0.1", port, health, metrics.Sources(health), lambda: True)


def test_a_full_disk_is_told_with_how_much_is_free(tmp_path):
    assert "GB free" in probes.look_at_disk(tmp_path, 0.0, DiskRoom())()
    with pytest.raises(HeimdallError, match="delete old runs"):
        probes.look_at_disk(tmp_path, 1e9, DiskRoom())()
