"""Whether a signal is there, from levels: with hysteresis, a minimal length, and a pause before the next."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from heimdall.errors import InputError

_STEP_S = 0.25
"""Levels are averaged over so long before they are looked at."""
_FLOOR_S = 600.0
"""The quietest of so long is the noise floor."""
_SETTLE_S = 2.0
_SANE_DBM = (-180.0, 60.0)


class Event(StrEnum):
    """What has just become of the signal."""

    OPENED = "opened"
    CLOSED = "closed"


@dataclass(frozen=True)
class SquelchRule:
    """When a signal counts. Raises InputError where a signal would end before it begins."""

    open_db: float = 10.0
    """How far above the noise floor a signal begins."""
    close_db: float = 6.0
    """A signal is over once it falls below this."""
    least_s: float = 1.0
    """It has to last so long before it counts."""
    cool_down_s: float = 5.0
    """After its end nothing counts for so long."""
    level_dbm: float | None = None
    """Opens at this level instead, whatever the noise floor is; closes below it by the same hysteresis."""

    def __post_init__(self) -> None:
        if self.close_db > self.open_db:
            raise InputError("close_db is above open_db: a signal would end before it begins")


def check_listeners(listeners: Sequence[str], recorded: Collection[str]) -> None:
    """Raises InputError where a receiver is to listen for the signal and is not itself recorded."""
    strangers = [name for name in listeners if name not in recorded]
    if strangers:
        raise InputError(f"{', '.join(strangers)} is to listen and is not among the receivers recorded")


class Squelch:
    """Fed with levels and how long each lasted. It keeps ten minutes of them, however long it runs."""

    def __init__(self, rule: SquelchRule) -> None:
        self._rule = rule
        self._steps: deque[float] = deque(maxlen=round(_FLOOR_S / _STEP_S))
        self._power = self._span_s = self._seen_s = 0.0
        self._above_s = self._rest_s = 0.0
        self.is_open = False

    @property
    def floor_dbm(self) -> float:
        """Infinite before anything was heard."""
        return min(self._steps, default=math.inf)

    def again(self) -> None:
        """Go on after a pause in which nobody listened; a signal that is still there is the same one."""
        self._power = self._span_s = 0.0

    def hear(self, level_dbm: float | None, duration_s: float) -> Event | None:
        """What became of the signal with this level over so many seconds; None where nothing changed, or no level was given."""
        if level_dbm is None or not _SANE_DBM[0] < level_dbm < _SANE_DBM[1]:
            return None
        self._power += 10 ** (level_dbm / 10) * duration_s
        self._span_s += duration_s
        if self._span_s < _STEP_S:
            return None
        level_dbm, span_s = 10 * math.log10(self._power / self._span_s), self._span_s
        self._power = self._span_s = 0.0
        self._steps.append(level_dbm)
        self._seen_s += span_s
        return self._decide(level_dbm, span_s)

    def _decide(self, level_dbm: float, span_s: float) -> Event | None:
        rule = self._rule
        opens_dbm = self.floor_dbm + rule.open_db if rule.level_dbm is None else rule.level_dbm
        if self.is_open:
            if level_dbm >= opens_dbm - (rule.open_db - rule.close_db):
                return None
            self.is_open, self._above_s, self._rest_s = False, 0.0, rule.cool_down_s
            return Event.CLOSED
        self._rest_s -= span_s
        self._above_s = self._above_s + span_s if level_dbm >= opens_dbm else 0.0
        if self._above_s < rule.least_s or self._rest_s > 0 or self._seen_s < _SETTLE_S:
            return None
        self.is_open = True
        return Event.OPENED
