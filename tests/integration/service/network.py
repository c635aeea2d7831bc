"""Machines that share nothing but a network: network namespaces, each with an address of its own, on one bridge."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Network:
    host: str
    """Where the servers listen, and every machine reaches them."""
    machines: Sequence[Sequence[str]] = field(default_factory=tuple)
    """What comes before a command that is to run there."""
    separate: bool = True


@contextmanager
def network_of(count: int) -> Iterator[Network]:
    """Namespaces where they can be made; otherwise the loopback for all, which shares nothing either but an address."""
    number = os.getpid() % 250
    bridge = f"hb{os.getpid()}"
    names = [f"hm{os.getpid()}n{machine}" for machine in range(count)]
    base = f"10.77.{number}"
    try:
        _ip("link", "add", bridge, "type", "bridge")
    except (OSError, subprocess.CalledProcessError):
        yield Network("127.0.0.1", [[] for _ in names], separate=False)
        return
    try:
        _ip("addr", "add", f"{base}.1/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        for machine, name in enumerate(names):
            _add_machine(name, bridge, f"{base}.{machine + 10}/24")
        yield Network(f"{base}.1", [["ip", "netns", "exec", name] for name in names])
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        _ip("link", "del", bridge)


def _add_machine(name: str, bridge: str, address: str) -> None:
    outside = f"v{name}"
    _ip("netns", "add", name)
    _ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", name)
    _ip("link", "set", outside, "master", bridge, "up")
    _ip("-n", name, "addr", "add", address, "dev", "eth0")
    _ip("-n", name, "link", "set", "eth0", "up")
    _ip("-n", name, "link", "set", "lo", "up")


def _ip(*arguments: str) -> None:
    if shutil.which("ip") is None:
        raise OSError("no program `ip`: install the package iproute2")
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
