"""Readers of a run folder see whole documents, also when the writer dies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heimdall.files.atomic import replacing
from heimdall.runs.writer import RunWriter


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    path.write_bytes(b"good")

    def dies() -> None:
        with replacing(path, durable=True) as temporary:
            temporary.write_bytes(b"half")
            raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        dies()
    assert path.read_bytes() == b"good"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_for_its_owner_is_never_anybody_elses(tmp_path: Path) -> None:
    path = tmp_path / "receivers.json"
    (tmp_path / ".receivers.json.tmp").write_text("left by a kill")
    with replacing(path, mode=0o600) as temporary:
        assert temporary.stat().st_mode & 0o777 == 0o600
        temporary.write_text("{}")
    assert path.stat().st_mode & 0o777 == 0o600


def test_progress_keeps_what_was_said_before(tmp_path: Path) -> None:
    folder = RunWriter(tmp_path)
    folder.report_progress(phase="train", step=1, now=True)
    folder.report_progress(step=2, now=True)
    document = folder.read_json("progress.json")
    assert (document["phase"], document["step"]) == ("train", 2)
    assert document["updated_utc"].endswith("+00:00")


def test_progress_is_not_written_for_every_step(tmp_path: Path) -> None:
    folder = RunWriter(tmp_path)
    for step in range(5):
        folder.report_progress(step=step)
    assert folder.read_json("progress.json")["step"] == 0


def test_metrics_are_one_object_a_line(tmp_path: Path) -> None:
    folder = RunWriter(tmp_path)
    folder.append_metrics(10, {"loss": 1.5})
    folder.append_metrics(20, {"loss": 1.25})
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["loss"]) for line in lines] == [(10, 1.5), (20, 1.25)]


def test_a_warning_said_twice_stands_once(tmp_path: Path) -> None:
    folder = RunWriter(tmp_path)
    for _ in range(2):
        folder.warn("cpu-fallback", "no GPU")
    assert folder.read_json("warnings.json") == [{"code": "cpu-fallback", "message": "no GPU"}]
