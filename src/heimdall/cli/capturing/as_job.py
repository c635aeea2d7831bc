"""`heimdall record` and `watch` as a job of the service: into a run folder, with their state for whoever looks on.

Below `recordings` in the run folder each recording has a folder of its own, and `fixes.jsonl` a line for each that is complete.
The worker takes them from there, and the service locates them. What a kill interrupts stays there, and is taken, too.
Where a reference was recorded with them, its clocks are put into a recording before it is complete.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heimdall.errors import HeimdallError
from heimdall.runs import CAPTURE, RECORDINGS

if TYPE_CHECKING:
    from heimdall.capture.interface import Target, Tuning
    from heimdall.capture.listing import ReceiverList
    from heimdall.capture.recording.parts import Part
    from heimdall.capture.recording.reference_transmitter import Reference
    from heimdall.capture.watching.watch import Doing, Plan
    from heimdall.runs.writer import RunWriter

_TELL_EVERY_S = 1.0
_HEARTBEAT_S = 10.0


class StoppedError(HeimdallError):
    """Stopped by a signal; the job can go on."""

    exit_code = 75


@dataclass(frozen=True)
class ReferenceClocks:
    """What gives recordings their clocks: a reference recorded with each, one of a list of known transmitters."""

    reference: Reference
    transmitters: Path | None

    async def put_into(self, session: Path, run: RunWriter) -> None:
        """A session that gets none stays as it was recorded, with a warning."""
        from heimdall.capture.recording.reference_transmitter import folder_beside
        from heimdall.capture.watching.apart import synchronise_apart

        listed = () if self.transmitters is None else ("--transmitters", str(self.transmitters))
        options = self.reference.options(session)
        why_not = await synchronise_apart(session, *options, *listed) if options else "the reference was not recorded"
        if why_not is not None:
            run.warn("clocks", f"{session.name} has no clocks from {self.reference.transmitter.name}: {why_not}")
        shutil.rmtree(folder_beside(session), ignore_errors=True)


class JobReport:
    """Keeps `capture.json` and the progress of a run folder as they are."""

    def __init__(
        self,
        run_dir: Path,
        seconds: float,
        most: int | None,
        until_utc: datetime | None,
        *,
        reference_first: bool = False,
    ) -> None:
        from heimdall.runs.writer import RunWriter

        self.run = RunWriter(run_dir)
        self.run.make()
        self.recordings = _complete(run_dir / RECORDINGS)
        self._seconds, self._most, self._until_utc = seconds, most, until_utc
        self._reference_first = reference_first
        self._doing: dict[str, Any] = {"stage": "asking", "listener": None, "next_utc": None}
        self._parts: dict[str, dict[str, Any]] = {}
        self._written_s = 0.0
        earlier = self.run.read_json(CAPTURE) or {}
        self._begun_utc = earlier.get("begun_utc") or datetime.now(UTC).isoformat()

    def doing(self, doing: Doing) -> None:
        next_utc = doing.next_utc and doing.next_utc.isoformat()
        self._doing = {"stage": doing.stage, "listener": doing.listener, "next_utc": next_utc}
        if doing.stage == "recording":
            self._parts = {}
        self.write(now=True)

    def part(self, part: Part) -> None:
        known = self._parts.get(part.name, {})
        if part.stage.value == "recording":
            self._doing["stage"] = "recording"
        elif part.stage.value == "ready" and self._reference_first:
            self._doing["stage"] = "reference"
        self._parts[part.name] = part.to_json() | {"level_dbm": part.level_dbm}
        self.write(now=known.get("state") != part.stage.value)

    def synchronising(self) -> None:
        """What was recorded gets its clocks."""
        self._doing["stage"] = "synchronising"
        self.write(now=True)

    def recorded(self, session: Path) -> None:
        """What the session itself says of its receivers by now."""
        from heimdall.formats.readers.sigmf.accounts import RECEIVERS_KEY
        from heimdall.formats.readers.sigmf.collection import about_session

        for account in about_session(session)[RECEIVERS_KEY]:
            self._parts[account["name"]] = {"level_dbm": None} | self._parts.get(account["name"], {}) | account

    def complete(self) -> None:
        """One more recording is on the disk."""
        self.recordings += 1
        self.run.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        self.run.checkpoint.write_text(f"{self.recordings}\n", encoding="utf-8")
        self.write(now=True)

    def finish(self) -> None:
        self._doing = {"stage": "done", "listener": None, "next_utc": None}
        self.write(now=True)
        self.run.write_json("result.json", {"scores": {"recordings": self.recordings}})

    def write(self, *, now: bool = False) -> None:
        if not now and time.monotonic() - self._written_s < _TELL_EVERY_S:
            return
        self._written_s = time.monotonic()
        document = self._doing | {"begun_utc": self._begun_utc, "recordings": self.recordings}
        self.run.write_json(CAPTURE, document | {"receivers": list(self._parts.values())})
        fraction, eta_s = self._left()
        told = {"step": self.recordings, "steps_total": self._most, "fraction": fraction, "eta_s": eta_s}
        self.run.report_progress(now=True, **told, phase=self._doing["stage"])

    def _left(self) -> tuple[float | None, float | None]:
        """How much of it is done, and how many seconds are left, where it has an end."""
        if self._until_utc is not None:
            begun_utc, now = datetime.fromisoformat(self._begun_utc), datetime.now(UTC)
            left_s = max(0.0, (self._until_utc - now).total_seconds())
            whole_s = max(1e-3, (self._until_utc - begun_utc).total_seconds())
            return min(1.0, max(0.0, 1 - left_s / whole_s)), left_s
        if self._most is None:
            return None, None
        if self.recordings >= self._most:
            return 1.0, 0.0
        so_far_s = max((part["seconds"] for part in self._parts.values()), default=0.0)
        current = min(1.0, so_far_s / self._seconds) if self._doing["stage"] in ("asking", "recording") else 0.0
        current_s = self._seconds * (1 - current) if self._most == 1 else None
        return min(1.0, (self.recordings + current) / self._most), current_s


def record_job(
    tuning: Tuning,
    seconds: float,
    names: Sequence[str],
    listed: ReceiverList,
    run_dir: Path,
    clocks: ReferenceClocks | None = None,
) -> None:
    """Raises HeimdallError where fewer than two receivers gave anything, StoppedError where a signal stopped it."""
    from heimdall.capture.recording.channel_recorder import Dwell
    from heimdall.capture.recording.record import record_dwells
    from heimdall.capture.recording.reference_transmitter import folder_beside
    from heimdall.capture.watching.watch_history import HISTORY, append_line

    report = JobReport(run_dir, seconds, 1, None, reference_first=clocks is not None)
    folder = run_dir / RECORDINGS / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    targets, absent = _known(listed, names)
    dwells = [Dwell(tuning, seconds, folder)]
    if clocks is not None:
        dwells.insert(0, clocks.reference.dwell(folder_beside(folder)))

    async def work() -> None:
        for part in absent:
            report.part(part)
        folder.parent.mkdir(parents=True, exist_ok=True)
        *_, recorded = await record_dwells(targets, dwells, listed.access, on_change=report.part, absent=absent)
        recorded.check()
        if clocks is not None:
            report.synchronising()
            await clocks.put_into(folder, report.run)
            report.recorded(folder)
        append_line(folder.parent / HISTORY, {"session": folder.name})
        report.complete()

    if not report.recordings:  # an earlier start of this job was killed when it was done
        asyncio.run(_until_stopped(work(), report))
    report.finish()


def watch_job(
    plan: Plan, names: Sequence[str], listed: ReceiverList, run_dir: Path, clocks: ReferenceClocks | None = None
) -> None:
    """Raises StoppedError where a signal stopped it before its end."""
    from dataclasses import replace

    from heimdall.capture.watching.watch import Watch

    first = clocks is not None and plan.squelch is None
    report = JobReport(run_dir, plan.seconds, plan.most, plan.until_utc, reference_first=first)
    left = None if plan.most is None else plan.most - report.recordings
    targets, absent = _known(listed, names)
    plan = replace(plan, folder=run_dir / RECORDINGS, most=left, reference=None if clocks is None else clocks.reference)

    async def finish(folder: Path) -> dict[str, Any]:
        """The service locates it."""
        if clocks is not None:
            await clocks.put_into(folder, report.run)
        return {}

    async def work() -> None:
        watch = Watch(targets, plan, listed.access, finish, report.part, print, on_doing=report.doing)
        watch.absent = absent
        async for _ in watch.run():
            report.complete()

    if left is None or left > 0:
        asyncio.run(_until_stopped(work(), report))
    report.finish()


async def _until_stopped(work: Coroutine[Any, Any, None], report: JobReport) -> None:
    task = asyncio.create_task(work)
    heartbeat = asyncio.create_task(_heartbeat(report))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        raise StoppedError("stopped: what was received is kept") from None
    finally:
        heartbeat.cancel()


async def _heartbeat(report: JobReport) -> None:
    while True:
        await asyncio.sleep(_HEARTBEAT_S)
        report.write()


def _known(listed: ReceiverList, names: Sequence[str]) -> tuple[list[Target], list[Part]]:
    """The receivers that are still listed, and the others with the reason."""
    from heimdall.capture.recording.parts import Part, Stage

    there = {each.name for each in listed.receivers}
    absent = [Part(name, Stage.FAILED, reason="it was removed or switched off") for name in names if name not in there]
    kept = [name for name in names if name in there]
    return (listed.targets(kept) if kept else []), absent


def _complete(recordings: Path) -> int:
    from heimdall.capture.watching.watch_history import history

    with suppress(OSError):
        return sum(1 for _ in history(recordings))
    return 0
