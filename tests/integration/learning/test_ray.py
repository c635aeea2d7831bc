"""A training on a Ray cluster ends like one on this machine, also when a node is lost or the person stops it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("ray", reason="trains on a Ray cluster: pip install 'heimdall[scale]'")

pytestmark = pytest.mark.slow

_CHANGES = {
    "steps": 24,
    "batch_size": 8,
    "validate_every": 8,
    "checkpoint_every_s": 0,
    "network.cells": 16,
    "network.decoder_width": 8,
    "network.token_width": 8,
    "scenes.pool": 32,
    "scenes.passes": 2,
    "scenes.validation": 16,
    "scenes.calibration": 16,
}
_RAY = str(Path(sys.executable).with_name("ray"))
_MARK = "HEIMDALL_TEST_NODE"
_PATIENCE_S = 900.0


def _environment(**more: str) -> dict[str, str]:
    quiet = {"OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", "PYTHONSAFEPATH": "1", "RAY_worker_niceness": "0"}
    return {name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | quiet | more


def _command(folder: Path, *more: str) -> list[str]:
    changes = [word for name, value in _CHANGES.items() for word in ("--set", f"{name}={value}")]
    words = ["train", "--recipe", "quick", "--accelerator", "cpu", "--track", "off", *changes, *more]
    return [sys.executable, "-m", "heimdall", *words, "--run-dir", str(folder)]


def _ended(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=_PATIENCE_S)
    assert done.returncode == 0, done.stderr


def _checkpoint(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "checkpoints" / "last.ckpt", map_location="cpu", weights_only=False)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _pools(folder: Path) -> dict[int, str]:
    return {each["pool"]: each["sha256"] for each in _lines(folder / "pools.jsonl")}


def _step(folder: Path) -> int:
    with suppress(FileNotFoundError):
        return int(json.loads((folder / "progress.json").read_text())["step"])
    return 0


def _wait_for(condition: Callable[[], bool]) -> None:
    until_s = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < until_s, "it did not happen in time"
        time.sleep(0.1)


def _assert_same_training(folder: Path, alone: Path) -> None:
    """Weights and losses within rounding, and the same scenes."""
    assert _pools(folder) == _pools(alone)
    mine, expected = _checkpoint(folder), _checkpoint(alone)
    assert mine["global_step"] == expected["global_step"] == _CHANGES["steps"]
    for name, tensor in mine["state_dict"].items():
        torch.testing.assert_close(tensor, expected["state_dict"][name], atol=1e-5, rtol=1e-4, msg=name)
    for name in ("loss", "validation_loss"):
        last = [_lines(each / "metrics.jsonl")[-1][name] for each in (folder, alone)]
        assert last[0] == pytest.approx(last[1], rel=1e-5), name
    scores = [json.loads((each / "result.json").read_text())["scores"] for each in (folder, alone)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-3)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The training by one process, without Ray."""
    folder = tmp_path_factory.mktemp("alone")
    _ended(_command(folder), _environment())
    return folder


def test_two_workers_on_ray_end_with_the_weights_of_one_process(alone: Path, tmp_path: Path) -> None:
    _ended(_command(tmp_path, "--on", "ray", "--workers", "2"), _environment())
    _assert_same_training(tmp_path, alone)
    progress = json.loads((tmp_path / "progress.json").read_text())
    assert (progress["phase"], progress["workers"]) == ("done", 2)
    assert not (tmp_path / "warnings.json").exists()


def test_a_training_stopped_on_ray_goes_on_without_it(alone: Path, tmp_path: Path) -> None:
    words = _command(tmp_path / "run", "--on", "ray", "--workers", "1", "--storage", str(tmp_path / "store"))
    process = subprocess.Popen(words, env=_environment(), stderr=subprocess.PIPE, text=True)
    _wait_for(lambda: _step(tmp_path / "run") >= 5 or process.poll() is not None)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 75, said
    assert 5 <= _checkpoint(tmp_path / "run")["global_step"] < _CHANGES["steps"]
    assert not (tmp_path / "run" / "result.json").exists()
    _ended(_command(tmp_path / "run", "--resume", str(tmp_path / "run")), _environment())
    _assert_same_training(tmp_path / "run", alone)


@dataclass
class _Nodes:
    """A head and a second node, each a `ray start` of its own with room for one worker."""

    address: str
    inside: list[str]
    """What a command is preceded by to run beside the head."""
    environment: dict[str, str]
    second: str
    """Mark in the environment of everything on the second node."""

    def kill_second(self) -> int:
        return _kill_marked(self.second)


def _kill_marked(mark: str) -> int:
    """Kill -9 every process with the mark, the raylet and its workers; returns how many there were."""
    wanted, killed = f"{_MARK}={mark}".encode(), 0
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)
                killed += 1
    return killed


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[_Nodes]:
    """Each in a network namespace with an address of its own; on one address where namespaces cannot be made."""
    marks = secrets.token_hex(6), secrets.token_hex(6)
    names = [f"hd{mark[:8]}" for mark in marks]
    apart = _make_namespaces(names)
    places = ["10.77.31.1", "10.77.31.2"] if apart else ["127.0.0.1", "127.0.0.1"]
    address = f"{places[0]}:6379" if apart else f"127.0.0.1:{_free_port()}"
    # A lost node is noticed sooner than by Ray's defaults, and its place is not waited for as long.
    hasty = {
        "RAY_health_check_initial_delay_ms": "1000",
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_timeout_ms": "3000",
        "RAY_health_check_failure_threshold": "3",
        "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "20",
    }
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    environment = _environment(**hasty, **token, GLOO_SOCKET_IFNAME="hdveth" if apart else "lo")
    inside = [["ip", "netns", "exec", name] if apart else [] for name in names]
    roles = (["--head", "--port", address.rpartition(":")[2], "--include-dashboard", "false"], ["--address", address])
    processes = []
    try:
        for role, place, into, mark in zip(roles, places, inside, marks, strict=True):
            sizes = ["--num-cpus", "1", "--object-store-memory", "100000000", "--node-ip-address", place]
            words = [*into, _RAY, "start", *role, *sizes, "--block"]
            log = tmp_path / f"{mark}.log"
            with log.open("w") as file:
                processes.append(subprocess.Popen(words, env=environment | {_MARK: mark}, stdout=file, stderr=file))
            _wait_for(lambda log=log: "Ray runtime started" in log.read_text())
        yield _Nodes(f"ray:{address}", inside[0], environment, marks[1])
    finally:
        for mark in marks:
            _kill_marked(mark)
        for process in processes:
            process.wait()
        for name in names if apart else []:
            subprocess.run(["ip", "netns", "del", name], check=False)


def _make_namespaces(names: list[str]) -> bool:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    commands = [["netns", "add", name] for name in names]
    commands += [
        ["link", "add", "hdveth", "netns", names[0], "type", "veth", "peer", "name", "hdveth", "netns", names[1]]
    ]
    for number, name in enumerate(names, start=1):
        commands += [
            ["-n", name, "addr", "add", f"10.77.31.{number}/24", "dev", "hdveth"],
            ["-n", name, "link", "set", "hdveth", "up"],
            ["-n", name, "link", "set", "lo", "up"],
        ]
    return all(subprocess.run(["ip", *words], check=False, capture_output=True).returncode == 0 for words in commands)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_a_training_that_loses_a_node_ends_once_as_if_nothing_had_happened(
    nodes: _Nodes, alone: Path, tmp_path: Path
) -> None:
    """Kill -9 of a raylet and its worker in the middle: the rest goes on from the last checkpoint, with the same scenes."""
    folder = tmp_path / "run"
    words = [*nodes.inside, *_command(folder, "--on", nodes.address, "--workers", "1:2")]
    process = subprocess.Popen(words, env=nodes.environment, stderr=subprocess.PIPE, text=True)
    _wait_for(lambda: _step(folder) >= 5 or process.poll() is not None)
    begun_with = json.loads((folder / "progress.json").read_text())["workers"]
    assert nodes.kill_second() > 1
    _, said = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 0, said
    assert begun_with == 2
    warnings = json.loads((folder / "warnings.json").read_text())
    assert [each["code"] for each in warnings] == ["started-again"]
    assert "1 of them" in warnings[0]["message"]
    assert "done" in said
    _assert_same_training(folder, alone)
