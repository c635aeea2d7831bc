"""Environment, shared memory, disk, and the recipe's memory."""

from __future__ import annotations

from typing import Any

import pytest

from heimdall.doctor.facts import Plan
from heimdall.doctor.facts.training_plan import plan_for_recipe, read_plan
from heimdall.doctor.host import Space

GIB = 2**30


def test_void_is_what_cdi_itself_sets_and_with_devices_there_it_hides_nothing(machine: Any) -> None:
    machine.move_inside()
    machine.environment["NVIDIA_VISIBLE_DEVICES"] = "void"
    assert machine.faults() == []


@pytest.mark.parametrize("value", ["", "-1", "-1,0", "none", "NoDevFiles"])
def test_every_way_to_hide_the_cards_from_cuda_is_known(machine: Any, value: str) -> None:
    machine.environment["CUDA_VISIBLE_DEVICES"] = value
    assert [fault.name for fault in machine.faults()] == ["environment"]


@pytest.mark.parametrize("value", ["0", "0,1", "GPU-5d49bdf4", "MIG-1"])
def test_a_choice_of_cards_hides_nothing(machine: Any, value: str) -> None:
    machine.environment["CUDA_VISIBLE_DEVICES"] = value
    assert machine.faults() == []


@pytest.mark.parametrize(
    ("value", "faults"), [("compute", 1), ("utility,graphics", 1), ("compute,utility", 0), ("all", 0)]
)
def test_a_container_needs_compute_and_utility(machine: Any, value: str, faults: int) -> None:
    machine.move_inside()
    machine.environment["NVIDIA_DRIVER_CAPABILITIES"] = value
    assert len(machine.faults()) == faults


def test_variables_of_the_toolkit_mean_nothing_outside_a_container(machine: Any) -> None:
    machine.environment |= {"NVIDIA_VISIBLE_DEVICES": "none", "NVIDIA_DRIVER_CAPABILITIES": "graphics"}
    assert machine.faults() == []


def test_a_machine_without_a_card_has_no_fault_in_its_environment(bare: Any) -> None:
    bare.environment["CUDA_VISIBLE_DEVICES"] = ""
    assert bare.faults() == []


@pytest.mark.parametrize(
    ("size", "status"),
    [("65536k", "fault"), ("262144k", "warning"), ("1g", "ok"), ("2097152k", "ok"), ("512m", "warning")],
)
def test_shared_memory_is_judged_by_what_loaders_need(bare: Any, size: str, status: str) -> None:
    bare.write("/proc/mounts", f"shm /dev/shm tmpfs rw,nosuid,size={size} 0 0\n")
    assert bare.finding("shared_memory").status == status


def test_shared_memory_without_a_limit_in_its_mount_is_measured(bare: Any) -> None:
    bare.write("/proc/mounts", "tmpfs /dev/shm tmpfs rw 0 0\n")
    bare.space = Space(8 * GIB, 8 * GIB)
    assert "8192 MiB" in bare.finding("shared_memory").evidence


def test_the_training_containers_own_shared_memory_counts_on_the_host(machine: Any) -> None:
    machine.training()
    answer = machine.answers["docker inspect heimdall-training"]
    machine.says("docker inspect heimdall-training", answer.stdout.replace(str(2 * GIB), str(64 * 2**20)))
    fault = machine.finding("shared_memory")
    assert fault.status == "fault"
    assert "in the training container" in fault.evidence


@pytest.mark.parametrize(("free", "status"), [(0.5, "fault"), (5, "warning"), (50, "ok")])
def test_disk_space_is_judged_by_what_images_and_checkpoints_take(bare: Any, free: float, status: str) -> None:
    bare.space = Space(100 * GIB, int(free * GIB))
    assert bare.finding("disk_space").status == status


def test_a_recipe_that_fits_is_fine_and_a_larger_one_goes_on_in_parts(machine: Any) -> None:
    assert _plan_finding(machine, Plan("large", 20 * GIB)).status == "ok"
    larger = _plan_finding(machine, Plan("large", 30 * GIB, "fits with recompute_activations=true"))
    assert larger.status == "warning"
    assert larger.fix == ("# fits with recompute_activations=true", "heimdall train --recipe large --plan")


def test_a_recipe_of_which_not_even_one_scene_fits_is_a_fault(machine: Any) -> None:
    assert _plan_finding(machine, Plan("huge", 300 * GIB, divisible=False)).status == "fault"


def test_the_smallest_card_decides(machine: Any) -> None:
    machine.nvml(memory_bytes=8 * GIB)
    assert _plan_finding(machine, Plan("large", 20 * GIB)).status == "warning"


def test_without_a_card_the_plan_cannot_be_judged(bare: Any) -> None:
    assert _plan_finding(bare, Plan("large", 20 * GIB)).status == "unknown"


def test_a_recipe_whose_plan_cannot_be_had_is_said_to_be_unknown(machine: Any) -> None:
    finding = next(item for item in machine.report(recipe="large").findings if item.name == "memory_plan")
    assert finding.status == "unknown"


def _plan_finding(machine: Any, plan: Plan) -> Any:
    return next(item for item in machine.report(plan=plan).findings if item.name == "memory_plan")


def test_the_plan_is_found_wherever_the_document_has_it() -> None:
    document = {"recipe": "large", "memory": {"needed_bytes": 8429000000, "accumulation": 2, "advice": "in 2 parts"}}
    assert read_plan(document) == Plan("large", 8429000000, "in 2 parts")


@pytest.mark.parametrize(
    "document", [None, [], {}, {"needed_bytes": "8"}, {"needed_bytes": -1}, {"needed_bytes": True}]
)
def test_a_document_without_the_peak_is_no_plan(document: object) -> None:
    assert read_plan(document) is None


def test_the_training_command_is_asked_for_the_recipe(bare: Any) -> None:
    key = "-P -m heimdall train --recipe large --plan --json"
    bare.run = lambda command, timeout_s: bare.answers[" ".join(command[1:])]
    bare.says(key, 'a remark is no JSON\n{"needed_bytes": 1000}')
    assert plan_for_recipe(bare.host(), "large") is None
    bare.says(key, {"needed_bytes": 1000})
    assert plan_for_recipe(bare.host(), "large") == Plan("large", 1000)
