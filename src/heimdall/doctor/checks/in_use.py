"""Beside a mismatch: who has the kernel module in use, so that it cannot be reloaded without a reboot."""

from __future__ import annotations

from heimdall.doctor.checks.mismatch import RECREATE, check_mismatch, fits_libraries
from heimdall.doctor.facts import Facts, hardware
from heimdall.doctor.finding import Finding
from heimdall.doctor.repair.host_commands import REBOOT
from heimdall.doctor.repair.reload import in_the_way, reload_commands


def check_in_use(facts: Facts) -> Finding | None:
    """Beside a mismatch that a reload would mend: who must let go of the module first."""
    mismatch = check_mismatch(facts)
    reloads = facts.on_disk is not None and fits_libraries(facts, facts.on_disk.version)
    if mismatch is None or mismatch.fix[:1] != (REBOOT,) or facts.in_container or not reloads:
        return None
    who = hardware.holders(facts.host)
    held, desktop = in_the_way(who), hardware.desktop_uses_card(facts.host, who)
    if not held and not desktop:
        return None
    counts = ", ".join(f"{name} {hardware.use_count(facts.host, name)}" for name in hardware.loaded_modules(facts.host))
    seen = f"open devices: {', '.join(map(str, held)) or 'none seen (root sees all)'}; use counts: {counts}"
    if desktop:
        cause = "A desktop uses the card, so its kernel module cannot be reloaded: reboot."
        return Finding("module_in_use", "warning", seen, cause, (REBOOT,))
    cause = "Reloading the module instead of a reboot needs these programs to end first; whose they are, only you know."
    return Finding("module_in_use", "warning", seen, cause, _end_first(facts, held))


def _end_first(facts: Facts, held: tuple[hardware.Holder, ...]) -> tuple[str, ...]:
    """Somebody's program is named and never ended by a list to paste."""
    containers = sorted({holder.container for holder in held if holder.container})
    programs = [f"{holder.name} (pid {holder.pid})" for holder in held if not holder.container]
    stop = [f"# stop the containers {', '.join(containers)} (docker ps names them)"] if containers else []
    stop += [f"# end these programs, or ask whose they are to do so: {', '.join(programs)}"] if programs else []
    again = ("# the stopped containers hold the old libraries: re-create them", RECREATE) if containers else ()
    return (*stop, *reload_commands(facts), *again)
