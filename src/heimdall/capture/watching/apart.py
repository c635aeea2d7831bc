"""What is worked out of a recording by a process of its own, whose memory is gone with it."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from heimdall.execution.own_program import HEIMDALL

_LIMIT_S = 600.0


async def locate_apart(folder: Path, *options: str) -> dict[str, Any]:
    """The fixes of a session, or why there are none; `options` as `heimdall locate` has them."""
    _, printed, said = await _heimdall("locate", str(folder), *options, "--json")
    with suppress(ValueError):
        return {"fixes": json.loads(printed)["fixes"]}
    return {"fixes": [], "reason": _last_line(said) or "not located"}


async def synchronise_apart(folder: Path, *options: str) -> str | None:
    """Put the clocks of a reference into a session, by the `options` of `heimdall receivers synchronise`; None, or why not."""
    code, _, said = await _heimdall("receivers", "synchronise", str(folder), "--in-place", *options)
    return None if code == 0 else _last_line(said) or "the reference gave no clocks"


async def _heimdall(*arguments: str) -> tuple[int | None, bytes, bytes]:
    """Its exit code, what it printed and what it said."""
    process = await asyncio.create_subprocess_exec(
        *HEIMDALL, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_LIMIT_S):
            printed, said = await process.communicate()
            return process.returncode, printed, said
    except BaseException as error:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if isinstance(error, TimeoutError):
            return None, b"", f"not finished within {_LIMIT_S:g} s".encode()
        raise


def _last_line(said: bytes) -> str:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].removeprefix("heimdall: ") if lines else ""
