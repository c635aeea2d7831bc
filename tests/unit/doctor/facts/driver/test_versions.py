"""The three versions that must agree."""

from __future__ import annotations

import gzip
import lzma
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdall.doctor.facts.driver import versions

KERNEL = "6.8.0-60-generic"
MODULE = b"\x7fELF\0license=NVIDIA\0version=580.95.05\0supported=external\0"
BASE = f"/lib/modules/{KERNEL}"


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.195.03  Sat Sep 20 00:28:09 UTC 2025", "570.195.03"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (dvs@U16)", "580.95.05"),
        ("NVRM version: NVIDIA UNIX aarch64 Kernel Module  535.183  Sun Feb 1", "535.183"),
        ("something else", None),
    ],
)
def test_both_forms_of_the_loaded_modules_line_are_read(bare: Any, line: str, version: str | None) -> None:
    bare.write("/proc/driver/nvidia/version", line)
    assert versions.loaded_version(bare.host()) == version


def test_sysfs_tells_the_version_where_proc_does_not(bare: Any) -> None:
    bare.write("/sys/module/nvidia/version", "580.95.05\n")
    assert versions.loaded_version(bare.host()) == "580.95.05"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("updates/dkms/nvidia.ko", MODULE),
        ("updates/dkms/nvidia-current.ko.xz", lzma.compress(MODULE)),
        ("kernel/nvidia-580/nvidia.ko.gz", gzip.compress(MODULE, mtime=0)),
        ("extra/nvidia.ko", MODULE),
    ],
)
def test_the_module_on_disk_is_found_wherever_a_distribution_puts_it(bare: Any, name: str, content: bytes) -> None:
    bare.write(f"{BASE}/{name}", content)
    assert versions.module_on_disk(bare.host(), KERNEL) == versions.ModuleFile(f"{BASE}/{name}", "580.95.05")


def test_its_companions_are_not_taken_for_it(bare: Any) -> None:
    for name in ("nvidia-uvm.ko", "nvidia-drm.ko", "nvidia-modeset.ko", "nvidia-current-uvm.ko", "nvidiafb.ko"):
        bare.write(f"{BASE}/updates/dkms/{name}", MODULE)
    assert versions.module_on_disk(bare.host(), KERNEL) is None


def test_the_folder_of_updates_wins_over_the_kernels_own(bare: Any) -> None:
    bare.write(f"{BASE}/kernel/nvidia-570/nvidia.ko", MODULE.replace(b"580.95.05", b"570.195.03"))
    bare.write(f"{BASE}/updates/dkms/nvidia.ko", MODULE)
    found = versions.module_on_disk(bare.host(), KERNEL)
    assert found is not None
    assert found.version == "580.95.05"


def test_a_module_packed_with_zstd_is_read_by_modinfo(bare: Any) -> None:
    bare.write(f"{BASE}/updates/dkms/nvidia.ko.zst", b"\x28\xb5\x2f\xfd")
    bare.says("modinfo -F version", "580.95.05\n")
    found = versions.module_on_disk(bare.host(), KERNEL)
    assert found is not None
    assert found.version == "580.95.05"


def test_without_modinfo_dkms_tells_what_it_has_built(bare: Any) -> None:
    bare.write(f"{BASE}/updates/dkms/nvidia.ko.zst", b"\x28\xb5\x2f\xfd")
    bare.write(f"/var/lib/dkms/nvidia/580.95.05/{KERNEL}/x86_64/module/nvidia.ko.zst")
    found = versions.module_on_disk(bare.host(), KERNEL)
    assert found is not None
    assert found.version == "580.95.05"


@pytest.mark.parametrize("damage", [b"", b"\xfd7zXZ\0broken"])
def test_a_damaged_module_file_gives_no_version(bare: Any, damage: bytes) -> None:
    bare.write(f"{BASE}/updates/nvidia.ko.xz", damage)
    found = versions.module_on_disk(bare.host(), KERNEL)
    assert found is not None
    assert found.version is None


def test_every_copy_of_the_libraries_is_seen_in_the_loaders_order(bare: Any) -> None:
    bare.libraries("580.95.05")
    bare.libraries("535.183.01", "/opt/old")
    bare.libraries("570.133.07", "/opt/listed")
    bare.write("/etc/ld.so.conf.d/listed.conf", "# comment\n/opt/listed\n")
    bare.environment["LD_LIBRARY_PATH"] = "/opt/old:relative"
    found = [copy.version for copy in versions.library_copies(bare.host()) if "ml.so" in copy.path]
    assert found == ["535.183.01", "570.133.07", "580.95.05"]


def test_merged_folders_count_once(bare: Any) -> None:
    bare.libraries("580.95.05")
    bare.link("/lib", "usr/lib")
    assert len(versions.library_copies(bare.host())) == 2


@pytest.mark.parametrize("folder", ["/usr/local/cuda-13.0/compat", "/usr/lib/wsl/lib", "/usr/lib/i386-linux-gnu"])
def test_libraries_that_are_never_the_drivers_own_are_left_out(bare: Any, folder: str) -> None:
    bare.libraries("535.183.01", folder)
    bare.environment["LD_LIBRARY_PATH"] = folder
    assert versions.library_copies(bare.host()) == ()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("570.195.03", "570.195.03", True),
        ("570.195", "570.195.03", True),
        ("570.195.03", "570.172.08", False),
        ("570.195.03", None, False),
        (None, None, False),
    ],
)
def test_versions_agree_as_far_as_both_tell(one: str | None, other: str | None, same: bool) -> None:
    assert versions.agree(one, other) is same


@given(parts=st.lists(st.integers(0, 999), min_size=1, max_size=4), cut=st.integers(1, 4))
def test_a_shortened_version_agrees_with_the_whole(parts: list[int], cut: int) -> None:
    whole = ".".join(map(str, parts))
    assert versions.agree(whole, ".".join(map(str, parts[:cut])))


@pytest.mark.parametrize(
    ("told", "version"),
    [("13.580.95.05", "580.95.05"), ("580.95.05", "580.95.05"), ("570.195", "570.195"), (None, None)],
)
def test_nvmls_own_version_loses_its_cuda_number(told: str | None, version: str | None) -> None:
    assert versions.without_cuda(told) == version
