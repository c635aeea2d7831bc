"""How a training is laid out on a cluster, and that what its workers tell lands where a local one puts it."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console

from heimdall.errors import InputError
from heimdall.learning.cluster.starter import WorkerReports
from heimdall.learning.cluster_layout import Cluster, cluster_for, room_on
from heimdall.learning.data.pools import SceneStream
from heimdall.learning.run.checkpoint import fetch_to, open_store
from heimdall.learning.run.progress import ProgressReport
from heimdall.learning.run.tracking import OFF, Tracker
from heimdall.recipes import Recipe
from heimdall.runs.writer import RunWriter


@pytest.mark.parametrize(("workers", "expected"), [(None, (None, None)), ("3", (3, 3)), ("2:8", (2, 8))])
def test_workers_are_a_number_or_the_least_and_the_most(
    workers: str | None, expected: tuple[int | None, int | None]
) -> None:
    cluster = cluster_for("ray:head:6379", workers, None)
    assert (cluster.least, cluster.most) == expected


@pytest.mark.parametrize("workers", ["0", "4:2", "many", "-1", "1:2:3"])
def test_other_numbers_of_workers_are_refused(workers: str) -> None:
    with pytest.raises(InputError, match="--workers"):
        cluster_for("ray", workers, None)


def test_workers_take_one_gpu_each_where_there_are_gpus() -> None:
    room = room_on([(64, 8), (64, 8), (8, 0)], Cluster("a:1"), want_gpus=True)
    assert (room.least, room.most, room.gpus, room.there) == (16, 16, True, 16)


def test_workers_without_gpus_are_one_a_node_with_all_its_cores() -> None:
    room = room_on([(8, 0), (8, 0)], Cluster("a:1"), want_gpus=False)
    assert (room.most, room.gpus, room.cores, room.there) == (2, False, 8, 2)


@pytest.mark.parametrize(("workers", "cores"), [(1, 5), (2, 5), (3, 2), (4, 2), (5, 1), (10, 1)])
def test_cores_are_shared_so_that_all_workers_fit(workers: int, cores: int) -> None:
    room = room_on([(5, 0), (5, 0)], Cluster("a:1", workers, workers), want_gpus=False)
    assert (room.cores, room.there >= workers) == (cores, True)


def test_a_cluster_that_is_too_small_shows_what_it_has_room_for() -> None:
    room = room_on([(1, 0)], Cluster("a:1", 2, 4), want_gpus=False)
    assert (room.least, room.most, room.there) == (2, 4, 1)


@pytest.mark.usefixtures("synthetic_scenes")
@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_any_number_of_workers_shares_a_batch_without_loss_or_repetition(tiny: Recipe, workers: int) -> None:
    whole = SceneStream(tiny).batch(1)
    parts = [SceneStream(tiny, rank=rank, world=workers).batch(1) for rank in range(workers)]
    together = torch.cat([part.truth_m for part in parts])
    assert {tuple(place) for place in together.tolist()} == {tuple(place) for place in whole.truth_m.tolist()}
    assert len(together) == tiny.batch_size


@pytest.mark.usefixtures("synthetic_scenes")
def test_a_pools_fingerprint_tells_its_scenes(tiny: Recipe) -> None:
    told: dict[int, str] = {}

    def tell(number: int, pool: object) -> None:
        told[number] = pool.fingerprint  # type: ignore[attr-defined]

    stream, again = SceneStream(tiny, on_pool=tell), SceneStream(tiny)
    first, second = stream.pool(0).fingerprint, stream.pool(1).fingerprint
    assert told == {0: first, 1: second}
    assert first == again.pool(0).fingerprint != second


@pytest.mark.parametrize("remote", [False, True])
def test_a_checkpoint_put_into_the_store_comes_back_whole(tmp_path: Path, remote: bool) -> None:
    store = open_store("memory://checkpoints/run" if remote else str(tmp_path / "store"))
    source, target = tmp_path / "source", tmp_path / "deep" / "target"
    assert fetch_to(store, "never-put.ckpt", target) is False
    for content in (b"first", b"second, and longer"):
        source.write_bytes(content)
        store.put(source, "last.ckpt")
        assert fetch_to(store, "last.ckpt", target) is True
        assert target.read_bytes() == content
    store.delete("last.ckpt")
    assert fetch_to(store, "last.ckpt", target) is False


def test_a_store_that_nothing_reaches_is_refused() -> None:
    with pytest.raises(InputError, match="--storage"):
        open_store("nowhere://bucket/path")


@pytest.fixture
def news(tiny: Recipe, tmp_path: Path) -> WorkerReports:
    folder = RunWriter(tmp_path)
    console = Console(file=StringIO(), force_terminal=False)
    return WorkerReports(folder, ProgressReport(tiny, folder, console), Tracker(OFF, "run"))


def test_what_workers_tell_lands_in_the_run_folder(news: WorkerReports, tmp_path: Path) -> None:
    progress = {"phase": "train", "step": 3, "loss": 1.5, "eta_s": 9.0, "updated_utc": "2025-01-01T00:00:00+00:00"}
    news.hear("begun", 0, 2)
    news.hear("document", "progress.json", dict(progress))
    news.hear("document", "calibration.json", {"scenes": 7})
    news.hear("line", "metrics.jsonl", {"step": 3, "time_utc": "now", "loss": 1.5})
    news.hear("ended", 0, "")
    folder = RunWriter(tmp_path)
    told = folder.read_json("progress.json")
    assert (told["step"], told["phase"], told["workers"]) == (3, "train", 2)
    assert folder.read_json("calibration.json") == {"scenes": 7}
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["loss"] == 1.5
    assert (news.phase, news.ended) == ("train", (0, ""))
    assert folder.read_json("warnings.json") is None


def test_a_second_start_of_the_workers_is_a_warning(news: WorkerReports, tmp_path: Path) -> None:
    news.hear("begun", 0, 2)
    news.hear("begun", 40, 1)
    warning = RunWriter(tmp_path).read_json("warnings.json")[0]
    assert warning["code"] == "started-again"
    assert "step 40" in warning["message"]
