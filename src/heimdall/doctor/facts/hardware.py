"""The cards on the PCI bus, what holds them, and what the kernel wrote about them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from heimdall.doctor.facts.cards import Generation, generation
from heimdall.doctor.host import Host

PCI = "/sys/bus/pci/devices"
VENDOR_NVIDIA = "0x10de"
CLASS_DISPLAY = "0x03"
CLASS_BRIDGE_OTHER = "0x0680"  # NVSwitch
MODULES = ("nvidia_uvm", "nvidia_peermem", "nvidia_drm", "nvidia_modeset", "nvidia")
DESKTOP = re.compile(r"Xorg|Xwayland|gnome-shell|kwin|sddm|gdm|lightdm|mutter|weston|sway|plasmashell")
LOG_LINES_MAX = 20000


@dataclass(frozen=True)
class Card:
    """One display device of NVIDIA's on the PCI bus, and the kernel driver bound to it."""

    address: str
    driver: str | None
    device: int | None = None

    @property
    def generation(self) -> Generation | None:
        return generation(self.device)


@dataclass(frozen=True)
class Holder:
    """A process with an NVIDIA device open."""

    pid: int
    name: str
    container: str | None

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid}{f', container {self.container}' if self.container else ''})"


def cards(host: Host) -> tuple[Card, ...]:
    found = _devices(host, CLASS_DISPLAY)
    return tuple(Card(address, host.link(f"{PCI}/{address}/driver"), _device(host, address)) for address in found)


def _device(host: Host, address: str) -> int | None:
    text = (host.read(f"{PCI}/{address}/device") or "").strip()
    return int(text, 16) if re.fullmatch(r"0x[0-9a-fA-F]{1,4}", text) else None


def switches(host: Host) -> tuple[str, ...]:
    """NVSwitch devices: boards that have them need the fabric manager."""
    return tuple(_devices(host, CLASS_BRIDGE_OTHER))


def models(host: Host) -> tuple[str, ...]:
    """Product names from the loaded driver; empty without one."""
    folder = "/proc/driver/nvidia/gpus"
    texts = (host.read(f"{folder}/{name}/information") or "" for name in host.names(folder))
    return tuple(found.group(1).strip() for text in texts for found in re.finditer(r"^Model:\s*(.+)$", text, re.M))


def _devices(host: Host, kind: str) -> Iterator[str]:
    for address in host.names(PCI):
        vendor = (host.read(f"{PCI}/{address}/vendor") or "").strip()
        if vendor == VENDOR_NVIDIA and (host.read(f"{PCI}/{address}/class") or "").startswith(kind):
            yield address


def device_nodes(host: Host) -> tuple[str, ...]:
    """The cards' device files, such as /dev/nvidia0."""
    return tuple(f"/dev/{name}" for name in host.names("/dev") if re.fullmatch(r"nvidia\d+", name))


def holders(host: Host) -> tuple[Holder, ...]:
    """Processes with an NVIDIA device open; another user's can be seen by root only."""
    found = []
    for pid in host.processes():
        targets = (host.link(f"/proc/{pid}/fd/{number}") or "" for number in host.names(f"/proc/{pid}/fd"))
        if any(target.startswith("nvidia") for target in targets):
            name = (host.read(f"/proc/{pid}/comm") or "?").strip()
            found.append(Holder(pid, name, _container_of(host, pid)))
    return tuple(found)


def _container_of(host: Host, pid: int) -> str | None:
    found = re.search(r"docker[-/]([0-9a-f]{12})[0-9a-f]*", host.read(f"/proc/{pid}/cgroup") or "")
    return found.group(1) if found else None


def loaded_modules(host: Host) -> tuple[str, ...]:
    """The nvidia modules in memory, in the order in which they can be unloaded."""
    return tuple(name for name in MODULES if host.exists(f"/sys/module/{name}"))


def use_count(host: Host, module: str) -> int:
    text = (host.read(f"/sys/module/{module}/refcnt") or "").strip()
    return int(text) if text.isdigit() else 0


def desktop_uses_card(host: Host, who: tuple[Holder, ...]) -> bool:
    return use_count(host, "nvidia_drm") > 0 or any(DESKTOP.search(holder.name) for holder in who)


def kernel_log(host: Host) -> str:
    """What the kernel wrote since the last boot, where it can be read; empty where not."""
    for command in (["journalctl", "-k", "-b", "--no-pager", "-n", str(LOG_LINES_MAX)], ["dmesg"]):
        answer = host.run(command, 10.0)
        if answer.code == 0 and answer.stdout.strip():
            return answer.stdout
    text = next((text for path in SYSLOGS for text in [_since_boot(host, path)] if text), "")
    if _boot_line(text) >= 0:
        return text
    return "\n".join(part for part in (_since_boot(host, "/var/log/dmesg"), text) if part)


SYSLOGS = ("/var/log/kern.log", "/var/log/messages", "/var/log/syslog")


def _since_boot(host: Host, path: str) -> str:
    """A file of the log since the last start of a kernel; logrotate may have put the beginning of it aside."""
    text = host.read(path) or ""
    if _boot_line(text) < 0:
        text = f"{host.read(f'{path}.1') or ''}\n{text}"
    return text[max(0, _boot_line(text)) :].strip()


def _boot_line(text: str) -> int:
    """Where the kernel that runs began to speak; -1 where the text does not go back so far."""
    return max(text.rfind("] Linux version "), text.rfind("kernel: Linux version "))


def gridd_log(host: Host) -> str:
    """What the licence daemon of a virtual GPU (nvidia-gridd) wrote; empty where that cannot be read."""
    answer = host.run(["journalctl", "-u", "nvidia-gridd", "-b", "--no-pager", "-n", "200"], 10.0)
    if answer.code == 0 and "gridd" in answer.stdout:
        return answer.stdout
    texts = (host.read(path) or "" for path in ("/var/log/syslog", "/var/log/messages", "/var/log/daemon.log"))
    return "\n".join(line for text in texts for line in text.splitlines() if "gridd" in line)


EFI_VARIABLES = "/sys/firmware/efi/efivars"
NON_VOLATILE = 1


def is_secure_boot_on(host: Host, log: str) -> bool:
    """The kernel's own word, else what it goes by: the firmware's variable, and whether shim was told not to validate.

    What mokutil --disable-validation sets, shim shows as MokSBStateRT; one that could have been written later (non-volatile)
    does not count. Source: drivers/firmware/efi/libstub/secureboot.c.
    """
    told = re.findall(r"secureboot: Secure boot (enabled|disabled)", log)
    if told:
        return bool(told[-1] == "enabled")
    firmware, shim = _efi_variable(host, "SecureBoot"), _efi_variable(host, "MokSBStateRT")
    is_insecure = shim is not None and shim[-1] == 1 and not shim[0] & NON_VOLATILE
    return firmware is not None and firmware[-1] == 1 and not is_insecure


def _efi_variable(host: Host, name: str) -> bytes | None:
    """Four bytes of attributes, then the value; None where it is not there."""
    found = (entry for entry in host.names(EFI_VARIABLES) if entry.startswith(f"{name}-"))
    texts = (host.read_bytes(f"{EFI_VARIABLES}/{entry}") for entry in found)
    return next((raw for raw in texts if raw), None)
