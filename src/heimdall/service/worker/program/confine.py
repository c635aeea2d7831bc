"""Become a program that cannot read given places, whatever user it runs as: by Landlock, which needs no privilege.

    confine.py [--hide PATH]... -- COMMAND...

Between watchdog and program: it restricts itself and then becomes the program, under the same process number. The kernel
holds the restriction for the program and all it starts, for good. It also keeps them from looking into processes outside
(`/proc/PID/environ`, `mem`, `root`), where the worker holds what it has read. A kernel without Landlock (before Linux 5.13, or
with it turned off) leaves the program as it is; it is started all the same, and its log says so.

Landlock lists what is allowed, so all is allowed that lies beside the hidden places on the way to them; a file made later
directly in one of those folders, such as `/run`, cannot be read. Linux before 5.19 also refuses to move a file from one
folder into another.

Runs as a script with the standard library alone (`python -I -S`), as the watchdog does.
Source: Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h of the Linux kernel.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import struct
import sys
from collections.abc import Iterator

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_READ_FILE, _REFER = 1 << 2, 1 << 13
_REFER_SINCE = 2
_PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 38, 24
_LOOKS_INTO_OTHERS = (19, 21, 38)
"""CAP_SYS_PTRACE, CAP_SYS_ADMIN and, since Linux 6.16, CAP_PERFMON read other processes past Landlock."""

_libc = ctypes.CDLL(None, use_errno=True)


def landlock_version() -> int:
    """What the kernel speaks; 0 where it has none, or does not let us."""
    return max(int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))), 0)


def main() -> int:
    parser = argparse.ArgumentParser(prog="confine")
    parser.add_argument("--hide", action="append", default=[])
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    version = landlock_version()
    if version:
        _restrict(version, {os.path.realpath(path) for path in options.hide})
    else:
        print("heimdall: this kernel has no Landlock, so this program could read the worker's secrets", file=sys.stderr)
    os.execvp(options.command[0], options.command)


def _restrict(version: int, hidden: set[str]) -> None:
    # Moving files between folders is refused by every rule set that does not speak of it.
    rights = _READ_FILE | (_REFER if version >= _REFER_SINCE else 0)
    handled = struct.pack("=Q", rights)
    rules = _call(_CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), ctypes.c_uint32(0))
    for path in _beside("/", hidden) if hidden else ["/"]:
        _allow(rules, path, rights)
    for capability in _LOOKS_INTO_OTHERS:
        _libc.prctl(
            _PR_CAPBSET_DROP, capability, 0, 0, 0
        )  # root loses them as it becomes the program; others have none
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    _call(_RESTRICT_SELF, rules, ctypes.c_uint32(0))
    os.close(rules)


def _beside(folder: str, hidden: set[str]) -> Iterator[str]:
    """The largest trees that hold none of the hidden places. Links are left out: a rule would go to where they point."""
    for entry in os.scandir(folder):
        if entry.path in hidden or entry.is_symlink():
            continue
        if any(place.startswith(f"{entry.path}/") for place in hidden):
            yield from _beside(entry.path, hidden)
        else:
            yield entry.path


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return  # gone since it was listed, or not ours to reach
    try:
        granted = rights if os.path.isdir(path) else rights & _READ_FILE
        _call(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", granted, place), ctypes.c_uint32(0))
    finally:
        os.close(place)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return result


if __name__ == "__main__":
    sys.exit(main())
