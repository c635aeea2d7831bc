"""A known transmitter beside the channel: receivers without a clock are tuned to it, too, over the same connection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from heimdall.capture.interface import Tuning
from heimdall.capture.network.address import RTL_TCP
from heimdall.capture.recording.channel_recorder import Dwell
from heimdall.transmitter import KnownTransmitter

_REFERENCES = "references"
RETUNABLE = RTL_TCP
"""The kind of receiver whose stream can be retuned while its clock runs on."""
DEFAULT_SECONDS = 5.0
MOST_SECONDS = 600.0


@dataclass(frozen=True)
class Reference:
    """What gives the receivers their clocks, and how long it is recorded."""

    transmitter: KnownTransmitter
    seconds: float = DEFAULT_SECONDS

    @property
    def tuning(self) -> Tuning:
        return Tuning(self.transmitter.frequency_hz, self.transmitter.channel_hz)

    def dwell(self, folder: Path) -> Dwell:
        return Dwell(self.tuning, self.seconds, folder, self.transmitter.place, of_reference=True)

    def options(self, session: Path) -> tuple[str, ...]:
        """How the command line is told to take a session's clocks from the reference that was recorded with it, if one was."""
        recorded = folder_beside(session)
        if not recorded.is_dir():
            return ()
        return ("--reference", self.transmitter.name, "--reference-session", str(recorded))


def folder_beside(session: Path) -> Path:
    """Where a reference is recorded for a session that is one of many: not among them."""
    return session.parent / _REFERENCES / session.name
