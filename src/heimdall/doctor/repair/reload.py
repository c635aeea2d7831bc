"""The kernel module exchanged without a reboot: who has to let go of it, and the commands."""

from __future__ import annotations

from heimdall.doctor.facts import Facts, hardware
from heimdall.doctor.facts.driver.distribution import has_systemd
from heimdall.doctor.repair.host_commands import LOAD

PERSISTENCE = "nvidia-persiste"  # the kernel cuts names after 15 characters


def in_the_way(who: tuple[hardware.Holder, ...]) -> tuple[hardware.Holder, ...]:
    """Who keeps the module in use; the persistence daemon is stopped as part of a reload."""
    return tuple(holder for holder in who if holder.name != PERSISTENCE)


def reload_commands(facts: Facts) -> tuple[str, ...]:
    """Unload in the order of dependence what is loaded, and load again."""
    persistence = facts.host.find_program("nvidia-persistenced") is not None and has_systemd(facts.host)
    unload = f"sudo modprobe -r {' '.join(hardware.loaded_modules(facts.host))}"
    stop = ("sudo systemctl stop nvidia-persistenced",) if persistence else ()
    start = ("sudo systemctl start nvidia-persistenced",) if persistence else ()
    return (*stop, unload, LOAD, *start)
