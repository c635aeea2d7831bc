"""Whether Secure Boot refuses a module that nobody signed: the firmware's switch, shim's own, and the kernel's word."""

from __future__ import annotations

from typing import Any

import pytest

SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
SHIM = "/sys/firmware/efi/efivars/MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23"
ON, OFF = b"\x06\0\0\0\x01", b"\x06\0\0\0\0"
NON_VOLATILE = b"\x07\0\0\0\x01"


@pytest.mark.parametrize(
    ("firmware", "shim", "log", "name"),
    [
        (ON, None, (), "secure_boot_refuses_module"),
        (ON, OFF, (), "secure_boot_refuses_module"),
        (ON, ON, (), "module_not_loaded"),
        (ON, NON_VOLATILE, (), "secure_boot_refuses_module"),
        (OFF, None, (), "module_not_loaded"),
        (ON, None, ("secureboot: Secure boot disabled",), "module_not_loaded"),
        (ON, None, ("secureboot: Secure boot enabled",), "secure_boot_refuses_module"),
    ],
    ids=["on", "validating", "not validating", "written later", "off", "kernel: off", "kernel: on"],
)
def test_an_unsigned_module_is_refused_only_where_the_kernel_validates(
    firmware: bytes, shim: bytes | None, log: tuple[str, ...], name: str, grow: Any
) -> None:
    tree = grow("ubuntu", "6.8.0-60-generic")
    tree.card(driver=None)
    tree.libraries("570.144")
    tree.module(tree.running, "570.144")
    tree.write(SECURE_BOOT, firmware)
    if shim is not None:
        tree.write(SHIM, shim)
    tree.log(*log)
    faults = [finding for finding in tree.report().findings if finding.status == "fault"]
    assert [finding.name for finding in faults] == [name]
    if name == "module_not_loaded":
        assert faults[0].commands[0] == "sudo modprobe -a nvidia nvidia_uvm"
