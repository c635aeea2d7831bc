"""What a job's program is started with, and what it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heimdall.errors import InputError
from heimdall.runs.reader import Result, RunReader
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Job, OnlineReceiver
from heimdall.service.storage.run_reader import run_folder
from heimdall.service.worker.program import launch
from heimdall.service.worker.program.launch import Slot, Tools


@pytest.fixture
def folder(taken: Job, tools: Tools) -> RunReader:
    folder = run_folder(tools.settings, taken.id)
    folder.make()
    return folder


def test_a_training_is_started_with_its_recipe_its_accelerator_and_its_folder(taken, folder, tools):
    taken.accelerator_requested = None
    command = launch.command_for(taken, folder, tools)
    assert command[: len(tools.settings.command)] == tools.settings.command
    told = command[len(tools.settings.command) :]
    assert told == ["train", "--recipe", "quick", "--accelerator", "cpu", "--run-dir", str(folder.path)]


def test_a_training_that_was_begun_goes_on_and_one_that_needs_a_gpu_says_so(taken, folder, tools):
    folder.log.write_text("step 7\n")
    taken.needs_gpu, taken.accelerator_requested = True, "gpu"
    command = launch.command_for(taken, folder, tools)
    assert command[-3:] == ["--require-gpu", "--resume", str(folder.path)]
    assert command[command.index("--accelerator") + 1] == "gpu"


def test_a_model_that_is_not_registered_is_named(taken, folder, tools):
    taken.kind, taken.arguments = "fine-tune", {"recipe": "quick", "model": "0" * 16, "data": []}
    with pytest.raises(InputError, match=f"no model {'0' * 16}"):
        launch.command_for(taken, folder, tools)


def test_a_job_of_another_version_is_told_in_one_line_what_to_do(taken, folder, tools):
    taken.arguments = {"recipe": "quick", "colour": "red"}
    with pytest.raises(InputError, match=r"made by another version .*colour.*create it anew") as caught:
        launch.command_for(taken, folder, tools)
    assert "\n" not in str(caught.value)


def test_a_program_sees_its_job_and_its_device_and_none_of_the_workers_secrets(taken, folder, tools, monkeypatch):
    started: dict[str, Any] = {}
    monkeypatch.setattr(launch, "WatchedProcess", lambda command, **given: started.update(given, command=command))
    monkeypatch.setenv("HEIMDALL_DATABASE_URL", "postgresql://heimdall:hunter2@db/heimdall")
    monkeypatch.setenv("HEIMDALL_TOKEN", "hunter2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    slot = Slot("gpu:1", {"CUDA_VISIBLE_DEVICES": "1"})
    launch.start(["program", "train"], taken, slot, folder, tools.settings)
    environment = started["environment"]
    assert "hunter2" not in str(environment)
    assert environment["CUDA_VISIBLE_DEVICES"] == "1"
    assert (environment["HEIMDALL_JOB_ID"], environment["HEIMDALL_LEASE"]) == (taken.id, taken.lease)
    assert started["command"][-3:] == ["--", "program", "train"]
    assert started["patience_s"] < tools.settings.lease_s
    assert started["lock"] == folder.lock


def _receiver(name: str, **values: Any) -> OnlineReceiver:
    usual = {"password": "hunter2", "ppm": 0.0, "enabled": True, "note": "", "created_by": "test"}
    return OnlineReceiver(id=name, name=name, address=f"kiwi://{name}.example:8073", **(usual | values))


def test_receivers_that_are_switched_on_are_listed_for_the_owner_alone_and_forgotten_after(
    taken: Job, folder: RunReader, tools: Tools, store: Store
) -> None:
    with store.writing() as session:
        session.add_all([_receiver("north"), _receiver("south", enabled=False)])
    path = launch._receivers(folder, tools)
    assert path.stat().st_mode & 0o077 == 0
    text = path.read_text()
    assert ("north" in text, "hunter2" in text, "south" in text) == (True, True, False)
    launch.forget_receivers(folder)
    launch.forget_receivers(folder)
    assert not path.exists()


def test_a_model_is_stored_once_however_often_that_is_tried(taken: Job, folder: RunReader, tools: Tools) -> None:
    (folder.path / "quick.heimdall").write_bytes(b"bundle")
    first, again = (
        launch.store_model(taken, Result(model="quick.heimdall"), folder, tools.artifacts) for _ in range(2)
    )
    assert first == again
    assert first is not None
    assert first.size_bytes == len(b"bundle")
    assert tools.artifacts.names(f"models/{taken.id}") == [first.artifact]


def test_a_result_without_a_model_stores_none_and_one_that_is_missing_is_named(
    taken: Job, folder: RunReader, tools: Tools, tmp_path: Path
) -> None:
    assert launch.store_model(taken, Result(), folder, tools.artifacts) is None
    with pytest.raises(InputError, match=r"names quick\.heimdall, which is not in the run folder"):
        launch.store_model(taken, Result(model="quick.heimdall"), folder, tools.artifacts)
