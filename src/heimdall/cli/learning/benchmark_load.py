"""`heimdall benchmark load`: many requests to locate at the same time, against a service that runs."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from heimdall.cli.learning.benchmark import benchmarks, machine
from heimdall.cli.output import JsonOption, console, print_json
from heimdall.errors import HeimdallError, InputError

_PATIENCE_S = 600.0
_TOKEN = "HEIMDALL_TOKEN"


@dataclass(frozen=True)
class TimedReply:
    status: int
    seconds: float
    document: dict[str, Any]


@benchmarks.command("load")
def load(
    session: Annotated[Path, typer.Argument(help="Measurement file or archive to locate.")],
    address: Annotated[str, typer.Option(help="Address at which `heimdall serve` listens.")] = "http://127.0.0.1:8000",
    count: Annotated[int, typer.Option(min=1, max=10_000, help="Number of requests at the same time.")] = 200,
    method: Annotated[str, typer.Option(help="Method: auto, likelihood or learned.")] = "auto",
    model: Annotated[str | None, typer.Option(help="Id of the model to use instead of the champion.")] = None,
    json: JsonOption = False,
) -> int:
    """Send all requests at once, and report how long they take and how many are lost. The token is read from HEIMDALL_TOKEN."""
    token = os.environ.get(_TOKEN)
    if not token:
        raise InputError(f"set {_TOKEN} to a token of the service: heimdall token create --name load")
    if not session.is_file():
        raise InputError(f"{session}: no such file; name a measurement file or an archive of a session")
    answers = asyncio.run(locate_at_once(address, token, session, count, _query(method, model)))
    milliseconds = [answer.seconds * 1e3 for answer in answers if answer.status == 200]
    statuses = Counter(answer.status for answer in answers)
    document = {
        "count": count,
        "located": len(milliseconds),
        "statuses": {str(status): number for status, number in sorted(statuses.items())},
        "why": next((answer.document.get("detail") for answer in answers if answer.status != 200), None),
        "median_ms": float(np.median(milliseconds)) if milliseconds else None,
        "q95_ms": float(np.quantile(milliseconds, 0.95)) if milliseconds else None,
        "machine": machine(),
    }
    print_json(document) if json else _show(document)
    return 0 if len(milliseconds) == count else 1


def _query(method: str, model: str | None) -> dict[str, str]:
    return {"method": method} | ({} if model is None else {"model": model})


async def locate_at_once(
    address: str, token: str, session: Path, count: int, query: dict[str, str]
) -> list[TimedReply]:
    """One request to warm up, then `count` of them together."""
    import httpx

    name, content = session.name, session.read_bytes()
    headers = {"Authorization": f"Bearer {token}"}
    limits = httpx.Limits(max_connections=count)

    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=_PATIENCE_S, limits=limits) as client:

        async def ask() -> TimedReply:
            begun = time.perf_counter()
            answer = await client.post("/api/v1/locate", params=query, files=[("files", (name, content))])
            return TimedReply(answer.status_code, time.perf_counter() - begun, answer.json())

        try:
            await ask()
            return list(await asyncio.gather(*(ask() for _ in range(count))))
        except httpx.HTTPError as error:
            raise HeimdallError(
                f"{address} does not answer ({error or type(error).__name__}): heimdall serve"
            ) from error


def _show(document: dict[str, Any]) -> None:
    console.print(f"{document['located']} of {document['count']} located at once", highlight=False)
    if document["located"]:
        console.print(
            f"median {document['median_ms']:.0f} ms, 95 % within {document['q95_ms']:.0f} ms", highlight=False
        )
    lost = {status: number for status, number in document["statuses"].items() if status != "200"}
    if lost:
        console.print(f"other answers by HTTP status: {lost}; the first says: {document['why']}", highlight=False)
