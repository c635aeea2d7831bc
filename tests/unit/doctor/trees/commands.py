"""Commands of a report: what makes it worse, and whose tools they are."""

from __future__ import annotations

import re
from typing import Any

# What makes it worse, or does not exist there.
NEVER = re.compile(r"\bkill\b|docker (?:stop|rm)\b|rm -|(?:mv|rm) /usr/lib/|apt-mark hold \S*linux-(?:modules|objects)")
TOOLS = {
    "apt": r"\b(?:apt|apt-get|apt-mark|dpkg)\b",
    "dnf": r"\bdnf\b",
    "zypper": r"\bzypper\b",
    "pacman": r"\bpacman\b",
    "nixos": r"\bnixos-rebuild\b",
    "update-initramfs": r"\bupdate-initramfs\b",
}
OWN_TOOLS = {
    "ubuntu": {"apt", "update-initramfs"},
    "debian": {"apt", "update-initramfs"},
    "fedora": {"dnf"},
    "rhel": {"dnf"},
    "suse": {"zypper"},
    "arch": {"pacman"},
    "nixos": {"nixos"},
}


def report_lines(report: Any) -> list[str]:
    fixes = [finding.fix for finding in report.findings]
    fixes += [way.fix for finding in report.findings for way in finding.alternatives]
    return [line for fix in fixes for line in fix] + [report.reason]
