"""One card that does not work beside one that does: the one is named, and the other is used."""

from __future__ import annotations

from typing import Any

import pytest

SECOND = "0000:02:00.0"
ROW = "NVIDIA GeForce RTX 3090, GPU-aaa, 24576, 8.6, [N/A], 580.95.05\n"
FELL_OFF = "NVRM: Xid (PCI:0000:02:00): 79, pid=1234, name=python3, GPU has fallen off the bus."


def two_cards(grow: Any, said: str = ROW, *lines: str) -> Any:
    tree = grow("ubuntu", "6.8.0-60-generic")
    tree.healthy()
    tree.card(address=SECOND)
    tree.smi(said)
    tree.log(*lines)
    return tree


def warned(report: Any, name: str) -> Any:
    found = next(finding for finding in report.findings if finding.name == name)
    assert (found.status, report.verdict, report.exit_code) == ("warning", "gpu", 0)
    return found


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"NVRM: GPU {SECOND}: RmInitAdapter failed! (0x26:0x65:1472)", "RmInitAdapter"),
        (f"NVRM: GPU {SECOND} does not have the necessary power cables connected.", "power cables"),
    ],
)
def test_a_card_that_did_not_start_is_named(line: str, says: str, grow: Any) -> None:
    found = warned(two_cards(grow, ROW, line).report(), "card_not_started")
    assert says in found.cause
    assert f"That is {SECOND}; NVIDIA GeForce RTX 3090 beside it answers" in found.cause


def test_a_card_that_is_not_listed_is_spoken_of_even_if_nothing_says_why(grow: Any) -> None:
    found = warned(two_cards(grow).report(), "card_not_started")
    assert "NVML lists 1 of the 2 cards on the bus" in found.evidence


@pytest.mark.parametrize("driver", ["vfio-pci", "nouveau"])
def test_a_card_that_is_left_to_another_driver_is_not_missed(driver: str, grow: Any) -> None:
    tree = grow("ubuntu", "6.8.0-60-generic")
    tree.healthy()
    tree.card(address=SECOND, driver=driver)
    tree.smi(ROW)
    assert not [finding for finding in tree.report().findings if finding.status == "warning"]


@pytest.mark.parametrize(
    "said",
    [
        ROW,
        f"{ROW}Unable to determine the device handle for GPU1: {SECOND}: Unknown Error\n",
        f"{ROW}[GPU is lost], [GPU is lost], [GPU is lost], [GPU is lost], [GPU is lost], [GPU is lost]\n",
    ],
    ids=["left out", "refused", "in its row"],
)
def test_a_lost_card_is_named_and_the_other_used(said: str, grow: Any) -> None:
    report = two_cards(grow, said, FELL_OFF).report()
    found = warned(report, "gpu_lost")
    assert f"That is {SECOND}; NVIDIA GeForce RTX 3090 beside it answers" in found.cause
    assert found.alternatives[0].fix == (
        "HEIMDALL_ACCELERATOR=gpu-ids HEIMDALL_GPU_IDS=GPU-aaa docker compose up -d training",
    )
    assert [finding.name for finding in report.findings].count("card_not_started") == 0


def test_a_reset_is_of_the_lost_card_alone(grow: Any) -> None:
    line = "NVRM: Xid (PCI:0000:02:00): 120, GSP task exception: store access page fault"
    found = warned(two_cards(grow, ROW, line).report(), "gpu_lost")
    assert found.commands == (f"sudo nvidia-smi --gpu-reset -i {SECOND}",)


def test_the_only_card_that_is_lost_is_a_fault_as_before(grow: Any) -> None:
    tree = grow("ubuntu", "6.8.0-60-generic")
    tree.healthy()
    tree.smi("Unable to determine the device handle for GPU0: 0000:01:00.0: Unknown Error\n")
    report = tree.report()
    assert report.verdict == "cpu"
    assert [finding.name for finding in report.findings if finding.status == "fault"] == ["gpu_lost"]


def test_inside_a_container_the_cards_of_the_host_are_not_missed(machine: Any) -> None:
    machine.move_inside()
    machine.card(SECOND)
    assert not [finding for finding in machine.report().findings if finding.status == "warning"]
