"""Installed and not loaded: refused by Secure Boot, forbidden, never built for this kernel, or waiting for a reboot."""

from __future__ import annotations

import re

from heimdall.doctor.checks.driver import DOCTOR_ON_HOST, on_host
from heimdall.doctor.facts import Facts, hardware, switches
from heimdall.doctor.facts.driver import kernels, packages, versions
from heimdall.doctor.finding import Finding, Way
from heimdall.doctor.repair import host_commands, modules
from heimdall.doctor.repair.host_commands import LOAD, REBOOT

REJECTED = re.compile(
    r"[^\n]*(?:Key was rejected by service|Loading of (?:module with unavailable key|unsigned module) is rejected"
    r"|Required key not available|Lockdown: \S+ unsigned module loading is restricted"
    r"|PKCS#7 signature not signed with a trusted key)[^\n]*"
)
MISFIT = re.compile(r"[^\n]*nvidia[^\n]*(?:disagrees about version of symbol|Unknown symbol|version magic)[^\n]*")
BAN_FOLDERS = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")


def check_secure_boot(facts: Facts) -> Finding | None:
    """Only where a module is there to be refused, and the refusal or the missing signature can be seen."""
    if facts.is_loaded or facts.in_container or not facts.cards or facts.on_disk is None:
        return None
    refused = REJECTED.search(facts.kernel_log)
    if not refused and not (hardware.is_secure_boot_on(facts.host, facts.kernel_log) and _is_signed(facts) is False):
        return None
    seen = refused.group(0).strip() if refused else f"{facts.on_disk.path} has no signer"
    cause = "Secure Boot refuses the nvidia module, because the key it is signed with is not enrolled."
    other = signed_by_distribution(facts)
    ways = (Way("or take the modules that the distribution signs", other),) if other else ()
    return Finding("secure_boot_refuses_module", "fault", f"Secure Boot is on; {seen}", cause, _enrol(facts), ways)


def _is_signed(facts: Facts) -> bool | None:
    """None where the file is packed so that only a program could tell."""
    assert facts.on_disk is not None
    path = facts.on_disk.path
    answer = facts.host.run(["modinfo", "-F", "signer", str(facts.host.at(path))], 5.0)
    if answer.code == 0:
        return bool(answer.stdout.strip())
    raw = versions.unpacked(facts.host.read_bytes(path) or b"", path)
    return raw.endswith(b"~Module signature appended~\n") if raw else None


def signed_by_distribution(facts: Facts) -> tuple[str, ...]:
    if facts.distribution.family != "ubuntu" or facts.is_runfile:
        return ()
    branch = packages.branch(facts.host, facts.driver_version)
    flavour = "-open" if any("-open" in name for name in packages.driver_packages(facts.host)) else ""
    return (
        host_commands.APT_UPDATE,
        f"sudo apt-get install linux-modules-nvidia-{branch}{flavour}-{facts.release}",
        REBOOT,
    )


# Where the keys stand with which the distributions' tools sign the modules they build.
MOK_KEYS = {
    "ubuntu": ("/var/lib/shim-signed/mok/MOK.der", "/var/lib/dkms/mok.pub"),
    "debian": ("/var/lib/dkms/mok.pub", "/var/lib/shim-signed/mok/MOK.der"),
    "fedora": ("/etc/pki/akmods/certs/public_key.der", "/var/lib/dkms/mok.pub"),
    "rhel": ("/var/lib/dkms/mok.pub", "/etc/pki/akmods/certs/public_key.der"),
    "suse": ("/usr/share/nvidia-pubkeys/MOK-nvidia-driver-G06.der", "/var/lib/dkms/mok.pub"),
}


def _enrol(facts: Facts) -> tuple[str, ...]:
    keys = [f"/usr/share/nvidia-pubkeys/{name}" for name in facts.host.names("/usr/share/nvidia-pubkeys")]
    keys += [f"/usr/share/nvidia/{name}" for name in facts.host.names("/usr/share/nvidia") if name.endswith(".der")]
    usual = MOK_KEYS.get(facts.distribution.family, ())
    key = next((key for key in (*keys, *usual) if facts.host.exists(key)), usual[0] if usual else None)
    if key is None:
        return ("# sign the module with a key of your own and enrol it (mokutil or sbctl), or turn Secure Boot off",)
    remark = "# choose a password, reboot, and enrol the key in the blue screen with that password"
    return (f"sudo mokutil --import {key}", remark, REBOOT)


def check_not_loaded(facts: Facts) -> Finding | None:
    if facts.is_loaded or not facts.cards or facts.is_wsl or facts.is_jetson:
        return None
    seen = f"PCI {facts.cards[0].address}: an NVIDIA card; /sys/module/nvidia is missing"
    if facts.in_container:
        cause = "The nvidia kernel module is not loaded on the host."
        return Finding("module_not_loaded", "fault", seen, cause, on_host(facts, (LOAD, DOCTOR_ON_HOST)))
    if facts.on_disk is not None and facts.sees_running_modules:
        return _loadable(facts, f"{seen}; {facts.on_disk.path} is there")
    if facts.waiting:
        return _other_kernel_waits(facts, seen)
    if not facts.sees_modules:
        cause = "The nvidia kernel module is not loaded; which modules are installed cannot be seen here."
        fix = ("modinfo -F version nvidia",)
        return Finding("module_not_loaded", "fault", seen, cause, fix, confidence="likely")
    return _not_built(facts, f"{seen}; no nvidia module for kernel {facts.release}")


def _other_kernel_waits(facts: Facts, seen: str) -> Finding:
    assert facts.waiting is not None
    coming, module = facts.waiting
    gone = "whose modules are gone" if not facts.sees_running_modules else "for which no nvidia module is there"
    seen = f"{seen}; kernel {coming.release} has {module.path} ({module.version or 'version unreadable'}), and {coming.why}"
    if module.version and facts.user_space and not versions.agree(module.version, facts.user_space):
        cause = (
            f"Kernel {coming.release} boots next, with a module {module.version} that does not fit the libraries "
            f"{facts.user_space}."
        )
        fix = host_commands.then_reboot(modules.build_module(facts, coming.release, facts.user_space))
        return Finding("module_not_loaded", "fault", seen, cause, fix)
    cause = (
        f"The kernel was upgraded: {facts.release} still runs, {gone}, and {coming.release} waits with its "
        "module; a reboot starts it."
    )
    return Finding(
        "module_not_loaded", "fault", seen, cause, (REBOOT,), confidence="certain" if module.version else "likely"
    )


def _bans(facts: Facts) -> list[str]:
    """Files that forbid the module; a file in /etc hides one of the same name elsewhere."""
    names: dict[str, str] = {}
    for folder in BAN_FOLDERS:
        for name in facts.host.names(folder):
            names.setdefault(name, f"{folder}/{name}")
    pattern = r"^\s*(blacklist\s+nvidia|alias\s+nvidia\s+off|install\s+nvidia\s+/\S*bin/(true|false))\s*$"
    return [path for path in names.values() if re.search(pattern, facts.host.read(path) or "", re.MULTILINE)]


def _barred_at_boot(facts: Facts) -> str | None:
    """The argument of the running kernel that forbids the module."""
    pattern = r"(?:^|\s)((?:modprobe\.blacklist|module_blacklist)=(?:[^\s,]+,)*nvidia(?:,\S*)?)(?=\s|$)"
    found = re.search(pattern, facts.host.read("/proc/cmdline") or "")
    return found.group(1) if found else None


def _loadable(facts: Facts, seen: str) -> Finding:
    barred, argument = _bans(facts), _barred_at_boot(facts)
    misfit = MISFIT.search(facts.kernel_log)
    release = facts.release or "$(uname -r)"
    if (facts.host.read("/etc/prime-discrete") or "").strip() == "intel" and facts.host.find_program("prime-select"):
        cause = "The nvidia kernel module is not loaded, because prime-select has chosen the processor's own graphics."
        return Finding(
            "module_not_loaded",
            "fault",
            f"{seen}; /etc/prime-discrete says intel",
            cause,
            ("sudo prime-select on-demand", REBOOT),
        )
    if argument:
        cause = f"The nvidia kernel module is not loaded, because the kernel's command line forbids it ({argument})."
        fix = (*host_commands.drop_kernel_argument(facts, argument), REBOOT)
        return Finding("module_not_loaded", "fault", f"{seen}; /proc/cmdline: {argument}", cause, fix)
    if barred:
        cause = f"The nvidia kernel module is not loaded, because {barred[0]} forbids it."
        return Finding(
            "module_not_loaded", "fault", f"{seen}; {barred[0]} blacklists it", cause, _lift(facts, barred[0])
        )
    if misfit:
        cause = f"The nvidia kernel module on disk was built for another kernel than the running {release}."
        fix = (*modules.build_module(facts, release, facts.user_space), LOAD)
        return Finding("module_not_loaded", "fault", f"{seen}; {misfit.group(0).strip()}", cause, fix)
    cause = "The nvidia kernel module is built for this kernel, but not loaded."
    return Finding("module_not_loaded", "fault", seen, cause, (LOAD, "sudo dmesg | grep -iE 'nvidia|NVRM' | tail"))


def _lift(facts: Facts, path: str) -> tuple[str, ...]:
    if facts.distribution.family == "nixos":
        return (
            '# in configuration.nix: take "nvidia" out of boot.blacklistedKernelModules; then:',
            "sudo nixos-rebuild boot",
            REBOOT,
        )
    tool = switches.writer(facts.host.read(path) or "")
    if tool:
        return (tool.command, REBOOT)
    if path.startswith("/etc/"):
        return (f"sudo sed -i '/nvidia/s/^/# /' {path}", *host_commands.rebuild_initramfs(facts), LOAD)
    # A package's file is not edited: an empty one of the same name in /etc takes its place.
    return (f"sudo touch /etc/modprobe.d/{path.rpartition('/')[2]}", *host_commands.rebuild_initramfs(facts), LOAD)


def _not_built(facts: Facts, seen: str) -> Finding:
    release = facts.release or "$(uname -r)"
    failed = _akmods_log(facts, release)
    broken = None if facts.is_runfile or modules.uses_akmods(facts) else versions.failed_build(facts.host, release)
    if broken:
        cause = f"DKMS could not build the nvidia module for kernel {release}; its log says why."
        fix = (*modules.build_module(facts, release, facts.user_space), LOAD)
        return Finding("module_not_loaded", "fault", f"{seen}; {broken}", cause, fix, kernel_that_has_it(facts))
    if failed:
        cause = f"akmods could not build the nvidia module for kernel {release}; its log says why."
        fix = (f"sudo tail -n 40 {failed}", *modules.build_module(facts, release, facts.user_space), LOAD)
        return Finding("module_not_loaded", "fault", f"{seen}; {failed}", cause, fix)
    headers = facts.host.exists(f"/lib/modules/{release}/build")
    if not versions.dkms_sources(facts.host) or facts.is_runfile or modules.uses_akmods(facts):
        cause = f"No nvidia module is installed for the running kernel {release}."
        fix = modules.build_module(facts, release, facts.user_space)
        last = REBOOT if facts.distribution.family in ("arch", "nixos") or facts.distribution.image_based else LOAD
        return Finding("module_not_loaded", "fault", seen, cause, (*fix, last), kernel_that_has_it(facts))
    missing = "" if headers else f"; the headers are missing (/lib/modules/{release}/build)"
    cause = f"DKMS has not built the nvidia module for the running kernel {release}."
    fix = (*modules.headers(facts, release), f"sudo dkms autoinstall -k {release}", LOAD)
    if facts.distribution.family == "arch" and not headers:
        # The headers come with the newest kernel, and pacman's own hook builds the module for it.
        fix = (*modules.headers(facts, release), REBOOT)
    if facts.distribution.family == "suse" and facts.distribution.image_based:
        fix = (f"sudo transactional-update run dkms autoinstall -k {release}", REBOOT)
    return Finding("module_not_loaded", "fault", f"{seen}{missing}", cause, fix, kernel_that_has_it(facts))


def kernel_that_has_it(facts: Facts) -> tuple[Way, ...]:
    """An installed kernel, other than the running one, with a module that fits the libraries: it can be booted meanwhile."""
    for release in reversed(kernels.installed(facts.host)):
        module = facts.module_of(release) if release != facts.release else None
        if module and versions.agree(module.version, facts.user_space):
            choose: tuple[str, ...] = (f"# choose kernel {release} in the boot menu",)
            if facts.distribution.has_dnf:
                choose = (f"sudo grubby --set-default /boot/vmlinuz-{release}", REBOOT)
            return (Way(f"meanwhile, boot kernel {release}, which has the module", choose),)
    return ()


def _akmods_log(facts: Facts, release: str) -> str | None:
    folder = "/var/cache/akmods/nvidia"
    names = [name for name in facts.host.names(folder) if name.endswith(".failed.log") and f"for-{release}" in name]
    return f"{folder}/{names[-1]}" if names else None
