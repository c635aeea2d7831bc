"""The driver/library mismatch: which of the three versions is off, whether a reboot helps, who did it, who is in the way."""

from __future__ import annotations

from heimdall.doctor.checks.driver import DOCTOR_ON_HOST, LOAD, ON_HOST
from heimdall.doctor.facts import Facts, hardware, nvml, packages, versions
from heimdall.doctor.finding import Finding

NAME = "driver_library_mismatch"
PERSISTENCE = "nvidia-persiste"  # the kernel cuts names after 15 characters
RECREATE = "docker compose up -d --force-recreate training"


def check_mismatch(facts: Facts) -> Finding | None:
    if facts.is_wsl or not facts.is_loaded:
        return None
    off = [copy for copy in facts.copies if facts.loaded and not versions.agree(copy.version, facts.loaded)]
    agreeing = [copy for copy in facts.copies if copy not in off]
    if facts.nvml.code != nvml.MISMATCH and not off:
        return None
    if off and agreeing:
        return _several_copies(facts, off)
    if facts.in_container:
        return _in_container(facts)
    if facts.on_disk is None or not versions.agree(facts.on_disk.version, facts.user_space):
        return _reboot_does_not_help(facts)
    return _reboot_helps(facts)


def _evidence(facts: Facts) -> str:
    disk = (facts.on_disk.version or f"unreadable ({facts.on_disk.path})") if facts.on_disk else "none"
    parts = [f"loaded module {facts.loaded or 'unknown'}", f"libraries {facts.user_space or 'unknown'}"]
    parts += [f"module on disk for {facts.release} {disk}"] if not facts.in_container else []
    parts += [f"copies {', '.join(copy.path for copy in facts.copies)}"] if facts.copies else []
    parts += [facts.nvml.evidence] if facts.nvml.code else []
    change = packages.last_change(facts.host, facts.user_space or "") if facts.user_space else None
    return "; ".join([*parts, *([f"changed by {change}"] if change else [])])


def _reboot_helps(facts: Facts) -> Finding:
    cause = (
        f"The driver was changed to {facts.user_space} on disk while its kernel module {facts.loaded} stayed loaded; "
        "a reboot loads the new one."
    )
    who = hardware.holders(facts.host)
    free = not in_the_way(facts, who) and not hardware.desktop_uses_card(facts.host, who)
    remark = "# or, without a reboot (nothing uses the card now):"
    reload = (remark, *reload_commands(facts)) if free else ()
    return Finding(
        NAME, "fault", _evidence(facts), cause, ("sudo reboot", *reload, *packages.hold_commands(facts.host))
    )


def _reboot_does_not_help(facts: Facts) -> Finding:
    release = facts.release or "$(uname -r)"
    on_disk = f"is {facts.on_disk.version}" if facts.on_disk else "is missing"
    cause = (
        f"The libraries are {facts.user_space} and the loaded kernel module is {facts.loaded}, but the module on disk for "
        f"{release} {on_disk}: a reboot does not help."
    )
    sources = [item for item in versions.dkms_sources(facts.host) if versions.agree(item.version, facts.user_space)]
    headers = facts.host.exists(f"/lib/modules/{release}/build")
    fix: tuple[str, ...] = () if headers or not sources else (packages.headers_command(facts.host, release),)
    if sources:
        fix += (f"sudo dkms install {sources[0].name}/{sources[0].version} -k {release} --force",)
    else:
        fix += packages.align_commands(facts.host, release, facts.user_space or "")
    return Finding(NAME, "fault", _evidence(facts), cause, (*fix, "sudo reboot", *packages.hold_commands(facts.host)))


def _several_copies(facts: Facts, off: list[versions.Copy]) -> Finding:
    """One copy fits and another does not: which one a program gets depends on the loader's order."""
    works = facts.nvml.code == nvml.OK
    where = ", ".join(f"{copy.path}" for copy in off)
    cause = (
        f"There are driver libraries of another version ({where}) besides those of the loaded driver {facts.loaded}."
    )
    if facts.in_container:
        cause += " They belong to the image, which must not bring any."
        fix: tuple[str, ...] = (
            "# take nvidia-utils, libnvidia-* and cuda-drivers out of the image's Dockerfile, then:",
            "docker compose build training",
            RECREATE,
        )
    else:
        owners = tuple(dict.fromkeys(f"dpkg -S {copy.path}" for copy in off))
        remark = "# purge the package that owns it; a file that none owns was copied there: move it away"
        fix = (*owners, remark, *(f"sudo mv {copy.path} {copy.path}.off" for copy in off), "sudo ldconfig")
    return Finding(NAME, "warning" if works else "fault", _evidence(facts), cause, fix)


def _in_container(facts: Facts) -> Finding:
    cause = (
        f"The kernel module on the host is {facts.loaded}, the libraries in this container are {facts.user_space}: the host's "
        "driver changed after the container was created."
    )
    return Finding(NAME, "fault", _evidence(facts), cause, (ON_HOST, RECREATE, f"# if that fails: {DOCTOR_ON_HOST}"))


def in_the_way(facts: Facts, who: tuple[hardware.Holder, ...]) -> tuple[hardware.Holder, ...]:
    """Who keeps the module in use; the persistence daemon is stopped as part of a reload."""
    return tuple(holder for holder in who if holder.name != PERSISTENCE)


def reload_commands(facts: Facts) -> tuple[str, ...]:
    """Unload in the order of dependence what is loaded, and load again."""
    persistence = facts.host.find_program("nvidia-persistenced") is not None
    unload = f"sudo modprobe -r {' '.join(hardware.loaded_modules(facts.host))}"
    stop = ("sudo systemctl stop nvidia-persistenced",) if persistence else ()
    start = ("sudo systemctl start nvidia-persistenced",) if persistence else ()
    return (*stop, unload, LOAD, *start)


def check_in_use(facts: Facts) -> Finding | None:
    """Beside a mismatch that a reload would mend: who must let go of the module first."""
    mismatch = check_mismatch(facts)
    if mismatch is None or mismatch.fix[:1] != ("sudo reboot",) or facts.in_container:
        return None
    who = hardware.holders(facts.host)
    held = in_the_way(facts, who)
    desktop = hardware.desktop_uses_card(facts.host, who)
    if not held and not desktop:
        return None
    counts = ", ".join(f"{name} {hardware.use_count(facts.host, name)}" for name in hardware.loaded_modules(facts.host))
    seen = f"open devices: {', '.join(map(str, held)) or 'none seen (root sees all)'}; use counts: {counts}"
    if desktop:
        cause = "A desktop uses the card, so its kernel module cannot be reloaded: reboot."
        return Finding("module_in_use", "warning", seen, cause, ("sudo reboot",))
    containers = sorted({holder.container for holder in held if holder.container})
    others = [holder for holder in held if not holder.container]
    stop = tuple(f"docker stop {name}" for name in containers) + tuple(f"sudo kill {holder.pid}" for holder in others)
    again = ("# the stopped containers hold the old libraries: create them anew", RECREATE) if containers else ()
    cause = "Reloading the module instead of a reboot needs these programs to end first."
    return Finding("module_in_use", "warning", seen, cause, (*stop, *reload_commands(facts), *again))
