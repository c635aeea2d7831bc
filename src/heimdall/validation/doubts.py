"""What is possible and seldom right about an observation as a whole: units, signs and heights as people mistake them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import EARTH_MEAN_RADIUS_M, SPEED_OF_LIGHT_M_S, UNITS_S
from heimdall.geometry import great_circle_rad
from heimdall.observation import Observation, Place, Receiver, Reception
from heimdall.validation.mixed_up_figures import as_meant
from heimdall.validation.placeholders import placeholder_doubts

_MOST_RELATIVE_WIDTH = 0.2
"""Width of a channel relative to its frequency: Loran-C fills 90 to 110 kHz, and what is wider is called ultra-wideband."""
_WIDEST_FROM_HZ = (
    (0.0, 2200.0),  # time signals, data and amateurs: aerials that are short for the wave pass no more
    (90e3, 20e3),  # Loran-C
    (110e3, 2200.0),
    (148.5e3, 10e3),  # broadcasting, beacons, NAVDAT
    (526.5e3, 30e3),  # broadcasting, with the side bands of HD Radio
    (1705e3, math.inf),
)
"""The widest channels in use below short wave (ITU Radio Regulations, article 5), from these frequencies on."""
_LOWEST_HZ = 8300.0
"""No service has an allocation below it (ITU Radio Regulations, article 5)."""
_NARROWEST_HZ = 60.0
"""What Morse telegraphy at 20 baud needs where nothing fades (ITU-R SM.1138: three times the baud)."""
_TALLEST_M = 830.0
"""Height of the tallest structure: a height above the ground that is no aircraft's is not larger."""
_LEAST_BELOW_M = 100.0
_LEAST_SLOPE = 0.02
"""Ground seldom lies this much lower than every receiver, to the extent of their network; where that is larger, a height
matters less than a clock."""

_LOOSEST_CLOCK_S = 1.0
"""Clocks whose owners state an uncertainty are set by satellites or a network, to far less than a second."""

_VOUCHED = 10.0
"""Times that are so many times as far apart as their clocks and light can make them were read by better clocks."""
_TIMES_ACROSS = (0.02, 2.0)
"""How far apart, in what light takes across the network, times in the right unit are at least and at most."""

_ELSEWHERE_M = 100e3
"""A known transmitter that is as far from all receivers as this, and further than they are apart, is looked at again."""
_AMONG = 0.1
"""Share of its distance within which it would be among them: few places that are right come so near by chance."""

_WHY_ASK = "The propagation model depends on it"


def doubts(observation: Observation) -> list[str]:
    """One sentence for each, for the operator."""
    found = (
        _frequency_doubt(observation),
        _height_doubt(observation),
        _clock_doubt(observation),
        _digits_doubt(observation),
        *placeholder_doubts(observation),
        _sensitivity_doubt(observation),
        _truth_doubt(observation),
    )
    return [doubt for doubt in found if doubt]


def _frequency_doubt(observation: Observation) -> str:
    frequency_hz, bandwidth_hz = observation.frequency_hz, observation.bandwidth_hz
    # The width of recordings is what their receivers passed; any other was typed by somebody.
    typed = all(each.samples is None for each in observation.receptions)
    most_hz = _MOST_RELATIVE_WIDTH * frequency_hz
    if typed:
        most_hz = min(most_hz, next(width for low, width in reversed(_WIDEST_FROM_HZ) if frequency_hz >= low))
    if bandwidth_hz > most_hz:
        return (
            f"a channel of {bandwidth_hz:.6g} Hz at {frequency_hz:.6g} Hz is wider than that of nearly every transmitter: is"
            f" the frequency given in kHz or MHz? {_WHY_ASK}"
        )
    if frequency_hz < _LOWEST_HZ:
        return (
            f"no transmitter is licensed at {frequency_hz:.6g} Hz, below {_LOWEST_HZ:.0f} Hz: is the frequency given in kHz or"
            f" MHz? {_WHY_ASK}"
        )
    if typed and bandwidth_hz < _NARROWEST_HZ:
        return (
            f"a channel of {bandwidth_hz:.6g} Hz at {frequency_hz:.6g} Hz is narrower than Morse telegraphy needs: are"
            f" frequency and bandwidth given in kHz or MHz? {_WHY_ASK}"
        )
    return ""


def _clock_doubt(observation: Observation) -> str:
    """Uncertainties of clocks of which no arrival time says anything: their unit was mistaken more likely."""
    timed = [each for each in observation.usable if each.toa_s is not None or each.samples is not None]
    stated_s = [each.receiver.clock_sigma_s for each in timed if each.receiver.clock_sigma_s is not None]
    if not stated_s:
        return ""
    usual_s = median(stated_s)
    if unit := _unit_of_times(timed, usual_s):
        return (
            f"arrival times further apart than light takes across the network, by clocks that are uncertain by {usual_s:.6g} s:"
            f" are both given in {unit}? Arrival times and the uncertainties of clocks count in seconds"
        )
    if usual_s < _LOOSEST_CLOCK_S:
        return ""
    return (
        f"clocks that are uncertain by {usual_s:.6g} s say nothing of where the transmitter is: are they given in nanoseconds or"
        " microseconds? Arrival times and the uncertainties of clocks count in seconds"
    )


def _digits_doubt(observation: Observation) -> str:
    """Times with so few digits that better clocks are of no use: in another unit they may be enough."""
    timed = [each for each in observation.usable if each.toa_s is not None]
    steps_s = [each.toa_step_s for each in timed if each.toa_step_s]
    unit = _unit_of_times(timed, _across_s(timed)) if 2 * len(steps_s) > len(timed) else ""
    if not unit:
        return ""
    return (
        f"arrival times further apart than light takes across the network, written to {max(steps_s):.0e} s: are they given in"
        f" {unit}? Arrival times count in seconds"
    )


def _across_s(timed: Sequence[Reception]) -> float:
    """What light takes across the network."""
    return _extent_m([each.receiver for each in timed]) / SPEED_OF_LIGHT_M_S


def _unit_of_times(timed: Sequence[Reception], usual_s: float) -> str:
    """The unit that makes sense of times by clocks of which, in seconds, nothing could be said; empty where there is none."""
    times_s = [each.toa_s for each in timed if each.toa_s is not None]
    if len(times_s) < 2:
        return ""
    across_s, range_s = _across_s(timed), max(times_s) - min(times_s)
    if usual_s < across_s or range_s < _VOUCHED * max(usual_s, across_s):
        return ""
    least, most = (share * across_s for share in _TIMES_ACROSS)
    return next((unit for unit, size in UNITS_S if least < range_s * size < most and usual_s * size < across_s), "")


def _height_doubt(observation: Observation) -> str:
    """A transmitter that would stand far below every receiver, at a height as masts have it above the ground."""
    height_m = observation.transmitter_height_m
    receivers = observation.usable_receivers
    if height_m is None or not 0 <= height_m <= _TALLEST_M or len(receivers) < 2:
        return ""
    below_m = min(receiver.height_m for receiver in receivers) - height_m
    if below_m <= max(_LEAST_BELOW_M, _LEAST_SLOPE * _extent_m(receivers)):
        return ""
    return (
        f"the stated height of the transmitter, {height_m:.6g} m, is {below_m:.0f} m below every receiver: is it above the"
        " ground? It counts from the ellipsoid, as the receivers' heights do"
    )


def _sensitivity_doubt(observation: Observation) -> str:
    """Sensitivities that overload a receiver: its silence would say nothing."""
    stated = [
        (each.receiver.name, each.sensitivity_dbm) for each in observation.usable if each.sensitivity_dbm is not None
    ]
    deaf = [(name, dbm) for name, dbm in stated if dbm >= 0]
    if not deaf:
        return ""
    name, sensitivity_dbm = deaf[0]
    more = f", and {len(deaf) - 1} more are no better" if len(deaf) > 1 else ""
    return (
        f"{name} states a sensitivity of {sensitivity_dbm:.6g} dBm, which is no weak signal{more}: is the minus sign missing? As"
        " it stands, to hear nothing says nothing"
    )


def _truth_doubt(observation: Observation) -> str:
    """A known transmitter far from all receivers that would be among them, had its place been written as theirs are."""
    truth, receivers = observation.truth, observation.usable_receivers
    if truth is None or len(receivers) < 2:
        return ""
    near_m = max(_ELSEWHERE_M, _extent_m(receivers))
    away_m = _nearest_m(truth, receivers)
    if away_m <= near_m:
        return ""
    meant = as_meant(truth.latitude_deg, truth.longitude_deg)
    how = next(
        (how for how, place in meant if _nearest_m(Place(*place), receivers) < min(near_m, _AMONG * away_m)), None
    )
    if how is None:
        return ""
    return (
        f"the known transmitter is far from every receiver, and would be among them with {how}: is its place right? Errors,"
        " checks and corrections of receivers count from it"
    )


def _nearest_m(place: Place, receivers: Sequence[Receiver]) -> float:
    return float(np.min(_distances_m(place, receivers)))


def _extent_m(receivers: Sequence[Receiver]) -> float:
    """Distance from the first receiver to the one furthest from it."""
    return float(np.max(_distances_m(receivers[0], receivers[1:])))


def _distances_m(place: Place | Receiver, receivers: Sequence[Receiver]) -> NDArray[np.float64]:
    """By great circles, within 0.6 %: a doubt needs no more."""
    there = np.array([(each.latitude_deg, each.longitude_deg) for each in receivers])
    angles_rad = great_circle_rad(place.latitude_deg, place.longitude_deg, there[:, 0], there[:, 1])
    return EARTH_MEAN_RADIUS_M * angles_rad
