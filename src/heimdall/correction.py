"""Corrections of receivers: what calibration on known transmitters found is taken off again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from heimdall.observation import Observation, Reception

SIGNIFICANT_SIGMAS = 2.0
"""About 95 % of a bias that is none lies within so many standard deviations."""


@dataclass(frozen=True)
class Correction:
    """What one receiver adds to times and levels, against the mean of all; None where nothing was found."""

    delay_s: float | None = None
    delay_sigma_s: float | None = None
    delay_sigma_in_group_s: float | None = None
    """Against those of its group alone."""
    group: int = 0
    """Number of the group of receivers that were heard together in the calibration; between groups delays are less well known."""
    level_bias_db: float | None = None
    level_bias_sigma_db: float | None = None
    observations: int = 0
    """It was found from so many."""
    fitted_to: str = ""
    """Names of what it was found from, for people."""

    def described(self) -> str:
        """What is taken off, what it was fitted to, and whether it is more than chance."""
        doubt = "" if self.significant else ", not significant"
        found = f", fitted to {self.fitted_to}" if self.fitted_to else ""
        return f"{self.figures} taken off{doubt}{found}"

    @property
    def figures(self) -> str:
        """Delay and level with their standard deviations, for people."""
        parts = []
        if self.delay_s is not None:
            parts.append(f"delay {1e6 * self.delay_s:+.3g} ± {1e6 * (self.delay_sigma_s or 0.0):.2g} µs")
        if self.level_bias_db is not None:
            parts.append(f"level {self.level_bias_db:+.1f} ± {self.level_bias_sigma_db or 0.0:.1f} dB")
        return ", ".join(parts)

    @property
    def significant(self) -> bool:
        """Whether a delay or a level stands out of its uncertainty."""
        pairs = ((self.delay_s, self.delay_sigma_s), (self.level_bias_db, self.level_bias_sigma_db))
        return any(value is not None and abs(value) > SIGNIFICANT_SIGMAS * (sigma or 0.0) for value, sigma in pairs)


def corrected(observation: Observation, corrections: Mapping[str, Correction]) -> Observation:
    """The observation with the corrections of its receivers taken off, and their uncertainties added to its own."""
    names = {each.name for each in observation.usable_receivers}
    one_group = len({corrections[name].group if name in corrections else None for name in names}) == 1
    receptions = tuple(
        taken_off(reception, corrections[reception.receiver.name], one_group=one_group)
        if reception.receiver.name in corrections
        else reception
        for reception in observation.receptions
    )
    return replace(observation, receptions=receptions)


def taken_off(reception: Reception, correction: Correction, *, one_group: bool = False) -> Reception:
    """A reception without what its receiver adds. `one_group`: all receivers beside it were calibrated together with it."""
    receiver = reception.receiver
    if correction.delay_s is None and correction.level_bias_db is None:
        return reception
    reception = replace(reception, correction=correction.described())
    if correction.delay_s is not None:
        sigma_s = correction.delay_sigma_in_group_s if one_group else correction.delay_sigma_s
        clock_sigma_s = _added(receiver.clock_sigma_s, sigma_s)
        reception = replace(
            reception,
            receiver=replace(receiver, clock_sigma_s=clock_sigma_s),
            toa_s=None if reception.toa_s is None else reception.toa_s - correction.delay_s,
            start_s=reception.start_s - correction.delay_s,
        )
    return reception if correction.level_bias_db is None else _leveled(reception, correction.level_bias_db, correction)


def _leveled(reception: Reception, bias_db: float, correction: Correction) -> Reception:
    receiver, sigma_db = reception.receiver, correction.level_bias_sigma_db
    reception = replace(reception, receiver=replace(receiver, level_sigma_db=_or(receiver.level_sigma_db, sigma_db)))
    if reception.rssi_dbm is not None:
        rssi_sigma_db = _or(reception.rssi_sigma_db, sigma_db)
        reception = replace(reception, rssi_dbm=reception.rssi_dbm - bias_db, rssi_sigma_db=rssi_sigma_db)
    if reception.samples is not None:
        factor = reception.samples.dtype.type(10 ** (-bias_db / 20))
        reception = replace(reception, samples=reception.samples * factor)
    return reception


def _added(stated: float | None, found: float | None) -> float | None:
    """Independent errors; a clock that nobody vouches for stays without one."""
    return None if stated is None else math.hypot(stated, found or 0.0)


def _or(stated: float | None, found: float | None) -> float | None:
    """Like `_added`, but a level that nobody had calibrated takes the uncertainty of its correction."""
    return found if stated is None else math.hypot(stated, found or 0.0)
