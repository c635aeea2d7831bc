"""Record and locate again and again: by the clock, or when the signal is there. What a kill interrupts is taken up again.

Each recording has a folder of its own below one folder; `fixes.jsonl` there has a line for each that was located. A recording
without a line was interrupted, and is located when the watch begins again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np

from heimdall.capture.drivers import driver_of, identify
from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.interface import Block, StreamFormat, Target, Tuning
from heimdall.capture.network.access import Access
from heimdall.capture.recording.channel_recorder import Dwell
from heimdall.capture.recording.parts import OnChange, Part, Recorded, Stage
from heimdall.capture.recording.record import record_dwells
from heimdall.capture.recording.reference_transmitter import Reference, folder_beside
from heimdall.capture.recording.schedule import Cron
from heimdall.capture.watching.backoff import Backoff
from heimdall.capture.watching.squelch import Event, Squelch, SquelchRule
from heimdall.capture.watching.watch_history import HISTORY, append_line, unlocated

_NOBODY_S = 15.0
"""Pause before anybody is asked again when no receiver can be listened to."""


@dataclass(frozen=True)
class Doing:
    """What a watch is at: it waits until `next_utc`, `listener` listens for the signal, or all are recorded."""

    stage: Literal["waiting", "listening", "recording"]
    listener: str | None = None
    next_utc: datetime | None = None


Locate = Callable[[Path], Awaitable[dict[str, Any]]]
"""Locates a session's folder and returns its entry in the history."""


@dataclass(frozen=True)
class Plan:
    """What is watched for, and when. Exactly one of `every_s`, `cron` and `squelch` is given."""

    tuning: Tuning
    seconds: float
    folder: Path
    every_s: float | None = None
    cron: Cron | None = None
    squelch: SquelchRule | None = None
    listeners: tuple[str, ...] = ()
    """Receivers that listen for the signal, the first that can; all in their order where none is named."""
    most: int | None = None
    """Recordings after which it ends; None: never."""
    until_utc: datetime | None = None
    """No recording begins later; None: it goes on."""
    reference: Reference | None = None
    """Recorded with each channel for the receivers' clocks."""


@dataclass
class Watch:
    """`run` yields a line of history for each recording."""

    targets: Sequence[Target]
    plan: Plan
    access: Access
    locate: Locate
    on_change: OnChange | None = None
    say: Callable[[str], None] = lambda _: None
    on_doing: Callable[[Doing], None] = lambda _: None
    absent: Sequence[Part] = ()
    """Receivers that are not asked at all, each with its reason."""
    backoff: Backoff = field(default_factory=Backoff)

    async def run(self) -> AsyncIterator[dict[str, Any]]:
        """Until stopped. First what an earlier run left undone is located. Nobody waits for the locator to listen again."""
        self.plan.folder.mkdir(parents=True, exist_ok=True)
        folders: asyncio.Queue[Path | None] = asyncio.Queue()
        lines: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        locating = asyncio.create_task(self._locate_all(folders, lines))
        recording = asyncio.create_task(self._record_all(folders))
        try:
            while (line := await lines.get()) is not None:
                yield line
            await locating
            await recording
        finally:
            for task in (recording, locating):
                task.cancel()
            await asyncio.gather(recording, locating, return_exceptions=True)

    async def _record_all(self, folders: asyncio.Queue[Path | None]) -> None:
        recordings = 0
        try:
            for folder in unlocated(self.plan.folder):
                folders.put_nowait(folder)
            moments = self._moments()
            while await self._comes(moments):
                recorded = await self._record()
                if recorded is not None:
                    recordings += 1
                    folders.put_nowait(recorded.folder)
                if self.plan.most is not None and recordings >= self.plan.most:
                    return
        finally:
            folders.put_nowait(None)

    async def _locate_all(
        self, folders: asyncio.Queue[Path | None], lines: asyncio.Queue[dict[str, Any] | None]
    ) -> None:
        try:
            while (folder := await folders.get()) is not None:
                lines.put_nowait(await self._history(folder))
        finally:
            lines.put_nowait(None)

    async def _comes(self, moments: AsyncIterator[None]) -> bool:
        """Wait for the next moment to record; False where the end comes first."""
        until = self.plan.until_utc
        left_s = None if until is None else (until - datetime.now(UTC)).total_seconds()
        try:
            async with asyncio.timeout(left_s) as end:
                await anext(moments)
        except TimeoutError:
            if not end.expired():
                raise
            return False
        return True

    def _moments(self) -> AsyncIterator[None]:
        if self.plan.squelch is not None:
            return self._signals(self.plan.squelch)
        return self._times()

    async def _times(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            if self.plan.cron is not None:
                now = datetime.now(UTC)
                wait_s = (self.plan.cron.after(now) - now).total_seconds()
            else:
                wait_s = max(0.0, due_s - loop.time())
            self.on_doing(Doing("waiting", next_utc=datetime.now(UTC) + timedelta(seconds=wait_s)))
            await asyncio.sleep(wait_s)
            if self.plan.cron is None:
                due_s = max(due_s + (self.plan.every_s or 0.0), loop.time())
            yield

    async def _signals(self, rule: SquelchRule) -> AsyncIterator[None]:
        """A moment for each signal: one that is still there after its recording is the same.

        Each receiver has a noise floor of its own, which begins anew when another one listens.
        """
        listener, squelch = "", Squelch(rule)
        while True:
            for target in self._listeners():
                if target.name != listener:
                    listener, squelch = target.name, Squelch(rule)
                try:
                    await self._until_opened(target, squelch)
                    break
                except CaptureError as error:
                    self.say(f"{target.name} cannot listen: {error}")
                    self.backoff.failed(target.name, error.fault, str(error))
            else:
                self.on_doing(Doing("waiting", next_utc=datetime.now(UTC) + timedelta(seconds=_NOBODY_S)))
                await asyncio.sleep(_NOBODY_S)
                continue
            yield

    def _listeners(self) -> Iterator[Target]:
        by_name = {target.name: target for target in self.targets}
        names = [name for name in self.plan.listeners if name in by_name] or list(by_name)
        return (by_name[name] for name in names if self.backoff.left_out(name) is None)

    async def _until_opened(self, target: Target, squelch: Squelch) -> None:
        squelch.again()
        known, status = await identify(target, self.access)
        if status.fault is not None:
            raise CaptureError(Fault.BUSY, status.fault)
        async with driver_of(known.address).open(known, self.plan.tuning, self.access) as stream:
            self.say(f"{target.name} listens")
            self.on_doing(Doing("listening", target.name))
            async for block in stream:
                event = squelch.hear(level_of(block, stream.format), block.count / stream.format.sample_rate_hz)
                if event is Event.OPENED:
                    self.say(f"{target.name} hears a signal")
                    return

    async def _record(self) -> Recorded | None:
        """None where nobody could be asked."""
        waiting = {target.name: self.backoff.left_out(target.name) for target in self.targets}
        asked = [target for target in self.targets if waiting[target.name] is None]
        if not asked:
            self.say("every receiver is left out for now")
            return None
        absent = list(self.absent)
        absent += [Part(name, Stage.FAILED, reason=reason) for name, reason in waiting.items() if reason is not None]
        self.on_doing(Doing("recording"))
        if self.on_change is not None:
            for part in absent:
                self.on_change(part)
        folder = self.plan.folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        channel = Dwell(self.plan.tuning, self.plan.seconds, folder)
        dwells = self._with_reference(channel)
        sessions = await record_dwells(asked, dwells, self.access, on_change=self.on_change, absent=absent)
        recorded = sessions[dwells.index(channel)]
        for part in recorded.parts:
            self.backoff.learn(part)
        return recorded

    def _with_reference(self, channel: Dwell) -> list[Dwell]:
        """The reference goes first, unless a signal was heard that may be over by then."""
        if self.plan.reference is None:
            return [channel]
        reference = self.plan.reference.dwell(folder_beside(channel.folder))
        return [channel, reference] if self.plan.squelch is not None else [reference, channel]

    async def _history(self, folder: Path) -> dict[str, Any]:
        line = {"session": folder.name, **await self.locate(folder)}
        append_line(self.plan.folder / HISTORY, line)
        return line


def level_of(block: Block, form: StreamFormat) -> float | None:
    """The level that the receiver measures, otherwise the power of the samples over full scale."""
    if block.level_dbm is not None or not block.count:
        return block.level_dbm
    power = float(np.mean(np.abs(block.samples(form.datatype)) ** 2))
    return 10 * float(np.log10(power)) if power > 0 else None
