"""Use a running Heimdall from a program: locate measurements, store them as a session, train, and follow the training.

    export HEIMDALL_TOKEN=$(heimdall token create --name "api client" --role operator)
    python examples/api_client.py rocket.jsonl --url http://localhost:8000

Needs httpx. `/docs` of the service shows every route and its fields.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx


class Heimdall:
    """A few of the routes, as an example of all."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=f"{url}/api/v1/", headers=headers, timeout=120.0)

    def locate(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return list(self._answer("POST", "locate", json={"observations": rows})["fixes"])

    def store_session(self, path: Path, name: str) -> dict[str, Any]:
        with path.open("rb") as file:
            return self._answer("POST", "sessions", params={"name": name}, files={"files": (path.name, file)})

    def train(self, recipe: str, **overrides: object) -> dict[str, Any]:
        return self._answer("POST", "jobs", json={"kind": "train", "recipe": recipe, "overrides": overrides})

    def cancel(self, job_id: str) -> dict[str, Any]:
        return self._answer("POST", f"jobs/{job_id}/cancel")

    def follow(self, job_id: str) -> Iterator[tuple[str, Any]]:
        """Events as they happen, until the job has ended: their type and document."""
        with self._http.stream("GET", f"jobs/{job_id}/events", timeout=None) as stream:
            stream.raise_for_status()
            kind = ""
            for line in stream.iter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    kind = value
                elif field == "data":
                    yield kind, json.loads(value)

    def _answer(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = self._http.request(method, path, **options)
        if answer.is_error:  # the service says what is wrong, and what to do
            raise SystemExit(f"{answer.status_code}: {answer.json()['detail']}")
        return dict(answer.json())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measurements", type=Path, help="a measurement file")
    parser.add_argument("--url", default="http://localhost:8000")
    parser.add_argument("--train", action="store_true", help="start a short training, and cancel it when it has begun")
    given = parser.parse_args()
    heimdall = Heimdall(given.url, os.environ["HEIMDALL_TOKEN"])
    rows = [json.loads(line) for line in given.measurements.read_text().splitlines() if line.strip()]
    for fix in heimdall.locate(rows[:5]):
        bound = "no bound" if fix["bound_m"] is None else f"bound {fix['bound_m']:.0f} m"
        print(f"{fix['id']}: {fix['status']}, {fix['latitude_deg']}, {fix['longitude_deg']}, {bound}")
    session = heimdall.store_session(given.measurements, given.measurements.stem)
    print(f"session {session['id']}: {session['summary']['observations']} observations")
    if given.train:
        job = heimdall.train("quick", steps=20)
        for kind, document in heimdall.follow(job["id"]):
            print(f"job {job['id']}: {kind}", file=sys.stderr)
            if kind == "queued":
                heimdall.cancel(job["id"])
            if kind == "end":
                print(f"job {job['id']}: {document['state']}")


if __name__ == "__main__":
    main()
