"""Each tree has its finding with its commands, and no report says what does not exist there or makes it worse."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from heimdall.doctor.facts.driver.distribution import distribution
from heimdall.doctor.finding import LISTED_BY, is_safe
from heimdall.doctor.host import Host

from .case import Case
from .commands import NEVER, OWN_TOOLS, TOOLS, report_lines
from .host_cases import GIVEN
from .hosts import lxc, nixos
from .thread_cases import PUBLIC
from .thread_hosts import over, pascal_about_to_be_lost

CASES = (*GIVEN, *PUBLIC)


@pytest.fixture(scope="module")
def examined(grow: Any) -> Callable[[Case], tuple[Any, Any]]:
    """Each tree is planted and examined once, with its report, for all the laws that it must keep."""
    known: dict[str, tuple[Any, Any]] = {}

    def examine_once(case: Case) -> tuple[Any, Any]:
        if case.source not in known:
            tree = case.plant(grow)
            known[case.source] = (tree, tree.report())
        return known[case.source]

    return examine_once


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.source)
def test_the_tree_has_its_finding_with_its_commands(case: Case, examined: Any) -> None:
    _, report = examined(case)
    found = [finding for finding in report.findings if finding.name == case.finding]
    assert [finding.status for finding in found] == [case.status]
    assert case.says in found[0].cause
    assert case.seen in found[0].evidence
    if case.commands:
        assert found[0].commands == case.commands
    if case.status == "fault":
        faults = [finding.name for finding in report.findings if finding.status == "fault"]
        assert faults[0] == case.finding
        assert report.verdict == "cpu"


def test_an_error_whose_cause_is_gone_asks_for_a_new_start_and_not_for_a_reboot(grow: Any) -> None:
    report = over(grow).report()
    assert [finding.name for finding in report.findings if finding.status == "fault"] == ["training_not_started"]
    assert report.verdict == "gpu"


def test_a_reboot_that_would_take_the_card_away_is_in_no_list(grow: Any) -> None:
    report = pascal_about_to_be_lost(grow).report()
    assert not any(line == "sudo reboot" for finding in report.findings for line in finding.fix)
    assert report.reason.endswith("heimdall doctor")


def test_a_container_of_another_branch_than_its_host_takes_the_hosts(grow: Any) -> None:
    tree = lxc(grow)
    tree.write("/etc/os-release", 'ID=ubuntu\nVERSION_ID="22.04"\n')
    tree.dpkg({"libnvidia-compute-535": "535.183.01-0ubuntu1", "nvidia-utils-535": "535.183.01-0ubuntu1"})
    tree.loaded("550.163.01")
    found = next(finding for finding in tree.report().findings if finding.name == "driver_library_mismatch")
    assert found.commands[-1].endswith("'libnvidia-compute-550=550.163.01-*' 'nvidia-utils-550=550.163.01-*'")


def test_there_are_thirty_trees_after_public_threads() -> None:
    assert len({case.source for case in PUBLIC if re.match(r"[\w.-]+/[\w.-]+#\d+", case.source)}) >= 30


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.source)
def test_nothing_is_said_that_does_not_exist_there_or_makes_it_worse(case: Case, examined: Any) -> None:
    tree, report = examined(case)
    family = distribution(Host(tree.root, live=False, environment={})).family
    text = "\n".join(report_lines(report))
    for tool, pattern in TOOLS.items():
        if tool not in OWN_TOOLS.get(family, set()):
            assert not re.search(pattern, text), tool
    assert not NEVER.search(text)
    host = Host(tree.root, live=False, environment={})
    if (
        host.in_container
        or (tree.root / "usr/bin/nvidia-uninstall").exists()
        or (tree.root / "etc/nv_tegra_release").exists()
    ):
        assert "dkms" not in re.sub(r"--\S*dkms", "", text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.source)
def test_every_list_can_be_pasted_in_its_order(case: Case, examined: Any) -> None:
    """Nothing stands after a reboot but remarks; no remark begins an alternative; the reason ends in one safe command."""
    _, report = examined(case)
    fixes = [finding.fix for finding in report.findings]
    fixes += [way.fix for finding in report.findings for way in finding.alternatives]
    for fix in fixes:
        after = fix[fix.index("sudo reboot") + 1 :] if "sudo reboot" in fix else ()
        assert all(line.startswith("#") for line in after)
        assert not any(re.match(r"# or\b", line) for line in fix)
    end = report.reason.rpartition(": ")[2]
    if report.verdict == "cpu":
        assert end == LISTED_BY or any(end == line for fix in fixes for line in fix)
        assert is_safe(end)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.source)
def test_every_finding_says_how_sure_it_is_and_from_what(case: Case, examined: Any) -> None:
    for finding in examined(case)[1].as_dict()["findings"]:
        assert finding["confidence"] in ("certain", "likely", "unknown")
        assert finding["source"]
        assert isinstance(finding["alternatives"], list)


def test_a_well_nixos_has_no_fault(grow: Any) -> None:
    report = nixos(grow).report()
    assert [finding for finding in report.findings if finding.status == "fault"] == []
    assert report.verdict == "gpu"
