"""Record several receivers together into SigMF sessions: each by itself, none waits for one that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from heimdall.capture.interface import Target, Tuning
from heimdall.capture.network.access import Access
from heimdall.capture.recording.channel_recorder import ChannelRecorder, Dwell
from heimdall.capture.recording.common_start import Start
from heimdall.capture.recording.parts import OnChange, Part, Recorded
from heimdall.capture.recording.receiver_recorder import ReceiverRecorder
from heimdall.capture.recording.schedule import MOST_SECONDS
from heimdall.errors import InputError
from heimdall.formats.writers.sigmf_growing import GrowingSession
from heimdall.observation import Place


def record_session(targets: Sequence[Target], tuning: Tuning, seconds: float, folder: Path, access: Access) -> Recorded:
    """`record` for callers without an event loop."""
    return asyncio.run(record(targets, tuning, seconds, folder, access))


async def record(
    targets: Sequence[Target],
    tuning: Tuning,
    seconds: float,
    folder: Path,
    access: Access,
    *,
    on_change: OnChange | None = None,
    truth: Place | None = None,
    absent: Sequence[Part] = (),
) -> Recorded:
    """Record all receivers at once, from a common start on; what was received before a fault or a cancellation is kept.

    `absent` are receivers that are not asked, each with its reason; they stand in the session, too.
    `on_change` is called whenever a receiver has come further. Raises InputError for a call that cannot be right.
    """
    dwell = Dwell(tuning, seconds, folder, truth)
    (recorded,) = await record_dwells(targets, [dwell], access, on_change=on_change, absent=absent)
    return recorded


async def record_dwells(
    targets: Sequence[Target],
    dwells: Sequence[Dwell],
    access: Access,
    *,
    on_change: OnChange | None = None,
    absent: Sequence[Part] = (),
) -> tuple[Recorded, ...]:
    """Record one channel after the other, each into a session of its own, by clocks that run on between them.

    Only receivers that can be retuned without a gap in their samples can take part where there are several. `on_change` is told
    of all but references. Else as `record`.
    """
    _check(targets, dwells)
    start = Start(len(targets))
    sessions = [_Session(targets, dwell, absent, None if dwell.of_reference else on_change) for dwell in dwells]
    for session in sessions:
        session.save()  # when each is known to be new
    receivers = [
        ReceiverRecorder(target, [session.recorders[number] for session in sessions], access, start)
        for number, target in enumerate(targets)
    ]
    try:
        await asyncio.gather(*(receiver.run() for receiver in receivers))
    finally:
        for session in sessions:
            session.finish()
    return tuple(Recorded(session.growing.collection, tuple(session.parts)) for session in sessions)


class _Session:
    """The session of one channel while it grows."""

    def __init__(
        self, targets: Sequence[Target], dwell: Dwell, absent: Sequence[Part], on_change: OnChange | None
    ) -> None:
        tuning, folder = dwell.tuning, dwell.folder
        self.growing = GrowingSession(
            folder, folder.resolve().name, tuning.frequency_hz, tuning.bandwidth_hz, dwell.truth
        )
        self.parts = [Part(target.name) for target in targets]
        self._accounted = [*self.parts, *absent]
        self.recorders = [
            ChannelRecorder(target, part, dwell, self.growing, self.save, on_change or (lambda _: None))
            for target, part in zip(targets, self.parts, strict=True)
        ]

    def save(self) -> None:
        self.growing.save(part.to_json() for part in self._accounted)

    def finish(self) -> None:
        for each in self.recorders:
            each.finish()
        with suppress(OSError):
            self.save()


def _check(targets: Sequence[Target], dwells: Sequence[Dwell]) -> None:
    if not targets:
        raise InputError("no receiver to record: add some with heimdall receivers add ADDRESS")
    names = [target.name for target in targets]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InputError(f"{', '.join(sorted(twice))} is named twice: a receiver gives one slot")
    for dwell in dwells:
        if not 0 < dwell.seconds <= MOST_SECONDS:
            raise InputError(f"{dwell.seconds:g} seconds cannot be recorded: choose 1 to {MOST_SECONDS:g}")
        if not dwell.tuning.frequency_hz > 0 or not dwell.tuning.bandwidth_hz > 0:
            raise InputError("frequency and bandwidth are positive")
