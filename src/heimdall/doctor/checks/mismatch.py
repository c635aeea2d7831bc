"""The driver/library mismatch: which of the versions is off, whether a reboot helps, and who did it."""

from __future__ import annotations

import re
from dataclasses import replace

from heimdall.doctor.checks.driver import DOCTOR_ON_HOST, ON_HOST
from heimdall.doctor.checks.loading import kernel_that_has_it
from heimdall.doctor.facts import Facts, hardware
from heimdall.doctor.facts.containers.docker import boot_time_s
from heimdall.doctor.facts.driver import nvml, packages, versions
from heimdall.doctor.finding import Confidence, Finding, Status, Way
from heimdall.doctor.repair import cluster, host_commands, libraries, modules, reload
from heimdall.doctor.repair.host_commands import REBOOT

NAME = "driver_library_mismatch"
RECREATE = "docker compose up -d --force-recreate training"


def check_mismatch(facts: Facts) -> Finding | None:
    if facts.is_wsl or facts.is_jetson or not facts.is_loaded:
        return None
    off = [copy for copy in facts.copies if facts.loaded and not versions.same(copy.version, facts.loaded)]
    agreeing = [copy for copy in facts.copies if copy not in off]
    if facts.nvml.code != nvml.MISMATCH and not off:
        return None
    if off and agreeing:
        return _several_copies(facts, off)
    return _in_container(facts) if facts.in_container else _on_host(facts)


def _on_host(facts: Facts) -> Finding:
    """What a reboot would load decides: the kernel that boots next, and its module."""
    coming = facts.next_kernel
    if coming is None:
        return _not_known(facts, "no kernel's modules can be seen here")
    module = facts.module_of(coming.release)
    if module is None:
        return _reboot_does_not_help(facts, coming.release, "is missing")
    if module.version is None and coming.release != facts.release and _is_of_one_branch(facts, coming.release):
        return replace(_reboot_helps(facts, coming.release), confidence="likely")
    if module.version is None:
        return _not_known(facts, f"{module.path} is packed and cannot be read here")
    if facts.user_space is None:
        return _not_known(facts, "the version of the libraries is not known")
    if not fits_libraries(facts, module.version):
        beside = [item for item in facts.modules_of(coming.release) if fits_libraries(facts, item.version)]
        if beside:
            return _shadowed(facts, beside[0], module, coming.release)
        if facts.module_ahead:
            return _libraries_behind(facts, facts.module_ahead)
        return _reboot_does_not_help(facts, coming.release, f"is {module.version}")
    if coming.release == facts.release and _rebooted_since(facts, module):
        return _old_one_in_initramfs(facts, module)
    return _reboot_helps(facts, coming.release)


def _is_of_one_branch(facts: Facts, release: str) -> bool:
    """Ubuntu's prebuilt module for that kernel is installed, of the libraries' branch: its package depends on their version."""
    branch = packages.branch(facts.host, facts.user_space).partition("-")[0]
    pattern = rf"linux-modules-nvidia-{branch}(?:-server)?(?:-open)?-{re.escape(release)}"
    return any(re.fullmatch(pattern, name) for name in packages.driver_packages(facts.host))


def fits_libraries(facts: Facts, version: str | None) -> bool:
    """A file's name tells the libraries' version in full, nvidia-smi may leave out its last part."""
    exact = any(copy.version == facts.user_space for copy in facts.copies)
    return (versions.same if exact else versions.agree)(version, facts.user_space)


def _evidence(facts: Facts) -> str:
    parts = [f"loaded module {facts.loaded or 'unknown'}", f"libraries {facts.user_space or 'unknown'}"]
    parts += _on_disk(facts) if not facts.in_container else []
    parts += [f"copies {', '.join(copy.path for copy in facts.copies)}"] if facts.copies else []
    parts += [facts.nvml.evidence] if facts.nvml.code else []
    change = packages.last_change(facts.host, facts.user_space or "") if facts.user_space else None
    return "; ".join([*parts, *([f"changed by {change}"] if change else [])])


def _on_disk(facts: Facts) -> list[str]:
    """What is there for the running kernel, and for the one that boots next where that is another."""
    running, coming = facts.release or "?", facts.next_kernel
    said = [f"module on disk for {running} {_version_text(facts, running)}"]
    if coming and coming.release != running:
        said.append(f"for {coming.release}, which boots next ({coming.why}), {_version_text(facts, coming.release)}")
    return said


def _version_text(facts: Facts, release: str) -> str:
    module = facts.module_of(release)
    if module is None:
        return "none" if facts.sees_modules else "cannot be seen"
    return module.version or f"unreadable ({module.path})"


def _reboot_helps(facts: Facts, release: str) -> Finding:
    cause = (
        f"The driver was changed to {facts.user_space} on disk while its kernel module {facts.loaded} stayed loaded; "
        "a reboot loads the new one."
    )
    if release != facts.release:
        cause = (
            f"An upgrade brought driver {facts.user_space} and kernel {release} with the matching module, "
            f"while kernel {facts.release} "
            f"and its module {facts.loaded} still run; a reboot loads the new ones."
        )
    who = hardware.holders(facts.host)
    free = not reload.in_the_way(who) and not hardware.desktop_uses_card(facts.host, who)
    reloads = facts.on_disk is not None and fits_libraries(facts, facts.on_disk.version)
    at_once = (
        (Way("or, without a reboot (nothing uses the card now)", reload.reload_commands(facts)),)
        if free and reloads
        else ()
    )
    return Finding(NAME, "fault", _evidence(facts), cause, (REBOOT,), (*at_once, *_prevention(facts)))


def _prevention(facts: Facts) -> tuple[Way, ...]:
    return host_commands.prevention(facts, packages.driver_packages(facts.host))


def _not_known(facts: Facts, why: str) -> Finding:
    """A module that cannot be read is neither missing nor wrong."""
    libraries, release = facts.user_space or "the libraries", facts.next_kernel.release if facts.next_kernel else None
    cause = (
        f"The libraries are {facts.user_space or 'unknown'} and the loaded kernel module is "
        f"{facts.loaded or 'unknown'}; whether a reboot "
        f"loads the matching module is not known: {why}."
    )
    kernel = f" -k {release}" if release else ""
    fix = (
        f"modinfo -F version{kernel} nvidia",
        f"# if it says {libraries}, type: {REBOOT}; if not, a reboot does not help",
    )
    return Finding(NAME, "fault", _evidence(facts), cause, fix, _prevention(facts), confidence="likely")


def _reboot_does_not_help(facts: Facts, release: str, on_disk: str) -> Finding:
    cause = (
        f"The libraries are {facts.user_space} and the loaded kernel module is {facts.loaded}, but the module on disk for "
        f"{release} {on_disk}: a reboot does not help."
    )
    fix = host_commands.then_reboot(modules.build_module(facts, release, facts.user_space))
    if facts.is_half_packaged:
        cause += (
            " The module was installed by NVIDIA's .run file, and packages brought libraries over it: only one "
            "of the two can stay."
        )
        fix = (*modules.leave_runfile(facts), REBOOT)
    ways = (*kernel_that_has_it(facts), *_prevention(facts))
    return Finding(NAME, "fault", _evidence(facts), cause, fix, ways)


def _libraries_behind(facts: Facts, version: str) -> Finding:
    """The module is as it should be; to hold or rebuild anything now would keep the mismatch."""
    cause = (
        f"The kernel module is {version}, and the libraries {facts.user_space} stayed behind it{_kept_back(facts)}: "
        "a reboot does not help."
    )
    fix = libraries.bring_libraries(facts, version)
    return Finding(NAME, "fault", _evidence(facts), cause, fix, libraries.or_the_newest(facts, version))


def _kept_back(facts: Facts) -> str:
    """Who told the package tool to leave them as they are."""
    held, lock = packages.held(facts.host), packages.lock_file(facts.host)
    if held:
        return f", as apt holds {', '.join(held)}"
    return f", as {lock} keeps them back" if lock else ""


def _rebooted_since(facts: Facts, module: versions.ModuleFile) -> bool:
    """Whether the machine was started after the driver had been changed, and the old module was loaded all the same."""
    booted = boot_time_s(facts.host)
    stamps = [facts.host.changed_s(path) for path in (module.path, *(copy.path for copy in facts.copies))]
    stamps.append(packages.installed_s(facts.host))
    known = [stamp for stamp in stamps if stamp is not None]
    return booted is not None and bool(known) and max(known) < booted


def _old_one_in_initramfs(facts: Facts, module: versions.ModuleFile) -> Finding:
    second = [item for item in facts.modules_of(facts.release) if versions.agree(item.version, facts.loaded)]
    if second:
        return _shadowed(facts, module, second[0], facts.release or "")
    cause = (
        f"The module on disk is {facts.user_space} like the libraries, and yet {facts.loaded} was loaded at "
        "the last boot: the old module "
        "is in the initramfs, and a reboot alone loads it again."
    )
    fix = (*host_commands.rebuild_initramfs(facts, every_kernel=True), REBOOT)
    sure: Confidence = "certain" if packages.installed_s(facts.host) else "likely"
    return Finding(NAME, "fault", f"{_evidence(facts)}; booted after the change", cause, fix, confidence=sure)


def _shadowed(facts: Facts, right: versions.ModuleFile, wrong: versions.ModuleFile, release: str) -> Finding:
    cause = (
        f"Two nvidia modules are installed for kernel {release}; the one that does not fit ({wrong.path}, {wrong.version}) "
        f"is loaded instead of {right.path}: a reboot alone does not help."
    )
    fix = (
        *_take_away(facts, wrong, release),
        f"sudo depmod -a {release}",
        *host_commands.rebuild_initramfs(facts),
        REBOOT,
    )
    return Finding(NAME, "fault", _evidence(facts), cause, fix, confidence="likely")


def _take_away(facts: Facts, wrong: versions.ModuleFile, release: str) -> tuple[str, ...]:
    """A module that DKMS built belongs to no package: DKMS takes it out again."""
    built = versions.dkms_build(facts.host, release, wrong.version)
    if built:
        return (f"sudo dkms remove {built.name}/{built.version} -k {release}",)
    return (who_owns(facts, wrong.path), "# remove what the command above names; then:")


def who_owns(facts: Facts, path: str) -> str:
    """Names the package a file belongs to, and changes nothing."""
    if facts.distribution.has_apt:
        return f"dpkg -S {path}"
    if facts.distribution.family == "arch":
        return f"pacman -Qo {path}"
    return f"rpm -qf {path}" if facts.distribution.family in ("fedora", "rhel", "suse") else f"ls -l {path}"


def _several_copies(facts: Facts, off: list[versions.Copy]) -> Finding:
    """One copy fits and another does not: which one a program gets depends on the loader's order."""
    where = ", ".join(f"{copy.path}" for copy in off)
    cause = (
        f"There are driver libraries of another version ({where}) besides those of the loaded driver {facts.loaded}."
    )
    status: Status = "warning" if facts.nvml.code == nvml.OK else "fault"
    if facts.in_container and facts.host.container != "lxc":
        cause += " They belong to the image, which must not bring any."
        remark = "# take nvidia-utils, libnvidia-* and cuda-drivers out of the image's Dockerfile, then:"
        return Finding(NAME, status, _evidence(facts), cause, (remark, "docker compose build training", RECREATE))
    fix, ways = _put_aside(facts, off)
    return Finding(NAME, status, _evidence(facts), cause, fix, ways)


def _put_aside(facts: Facts, off: list[versions.Copy]) -> tuple[tuple[str, ...], tuple[Way, ...]]:
    """A library that a package owns stays where it is; what an installer or a person copied there is put aside."""
    owners = {copy.path: packages.owner(facts.host, copy.path) for copy in off}
    strays = tuple(f"sudo mv {path} {path}.off" for path, owner in owners.items() if owner == "")
    named = sorted({owner for owner in owners.values() if owner})
    unknown = tuple(who_owns(facts, path) for path, owner in owners.items() if owner is None)
    aside = (*strays, "sudo ldconfig") if strays else ()
    remark = (f"# owned by {', '.join(named)}: bring that to version {facts.loaded}, or uninstall it",) if named else ()
    move = tuple(f"sudo mv {path} {path}.off" for path, owner in owners.items() if owner is None)
    ways = (Way("only for a file that no package owns", (*move, "sudo ldconfig")),) if unknown else ()
    return (*unknown, *aside, *remark), ways


def _in_container(facts: Facts) -> Finding:
    if facts.host.container in ("lxc", "systemd-nspawn") and facts.loaded:
        return _in_system_container(facts)
    cause = (
        f"The kernel module on the host is {facts.loaded}, the libraries in this container are {facts.user_space}: the host's "
        "driver changed after the container was created."
    )
    ways = (Way("if that fails", (ON_HOST, DOCTOR_ON_HOST)),)
    again = cluster.recreate_pod(facts) if facts.host.in_pod else (ON_HOST, RECREATE)
    return Finding(NAME, "fault", _evidence(facts), cause, again, ways)


def _in_system_container(facts: Facts) -> Finding:
    """An LXC brings its own libraries and uses the host's module: no module, no reboot in here."""
    cause = (
        f"This is a container ({facts.host.container}): it uses the host's kernel module {facts.loaded}, and its libraries are "
        f"{facts.user_space}. They must be of exactly the host's version."
    )
    return Finding(NAME, "fault", _evidence(facts), cause, libraries.libraries_inside(facts, facts.loaded or ""))
