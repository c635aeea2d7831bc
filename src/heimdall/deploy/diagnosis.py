"""What the doctor says about this host, in the words a start needs."""

from __future__ import annotations

import re
from pathlib import Path

from heimdall.deploy.accelerator_choice import HostView
from heimdall.doctor import Report, examine, torch_release_for
from heimdall.doctor.facts import Facts
from heimdall.doctor.facts.driver.versions import as_numbers
from heimdall.doctor.facts.wheels import DRIVER_FOR_CUDA
from heimdall.doctor.host import Host

FIX_LINES_MAX = 8


def look_at_host(project: Path) -> HostView:
    """The first fault that keeps the GPU from being used, and the torch release for the driver."""
    report = examine(project=project)
    facts = Facts(Host(project=project))
    # The oldest card decides: a wheel for newer ones alone would leave it without kernels.
    capability = min((gpu.capability for gpu in facts.nvml.gpus if gpu.capability), default=None)
    release = torch_release_for(facts.driver_version, capability) if _is_new_enough(facts.driver_version) else None
    return HostView(*_fault(report), _for_build(release, project), facts.has_card)


def _is_new_enough(driver_version: str | None) -> bool:
    """Whether any release of torch runs on this driver; if none does, choosing one would only cost a build."""
    return bool(driver_version) and as_numbers(driver_version)[0] >= DRIVER_FOR_CUDA[12]


def _fault(report: Report) -> tuple[str, tuple[str, ...]]:
    if report.verdict == "gpu":
        return "", ()
    fix = next((finding.fix for finding in report.findings if finding.status == "fault" and finding.fix), ())
    return report.reason, fix[:FIX_LINES_MAX]


def _for_build(release: str | None, project: Path) -> str | None:
    """Empty where it is the release that the images are built with anyway, so that no second image is made of it."""
    pinned = re.search(r"^ARG TORCH_VERSION=(\S+)", (project / "Dockerfile").read_text(), re.MULTILINE)
    return "" if pinned and release == pinned[1] else release
