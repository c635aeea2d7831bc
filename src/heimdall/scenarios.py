"""The names of the scenarios, each with a line about it. The laws themselves are in `heimdall.simulation`, and need torch."""

from __future__ import annotations

from heimdall.errors import InputError

SCENARIO_SUMMARIES = {
    "matched": "the law that the likelihood assumes",
    "clear-sight-1mhz": "signals of 1 MHz and 30 ns clocks, every link in line of sight, no echo",
    "wideband-1mhz": "signals of 1 MHz and 30 ns clocks, with echoes and 30 % of the links blocked",
    "sparse": "three receivers only",
    "dense": "12 to 16 receivers",
    "urban-small": "a town of 2 to 10 km: 25 kHz to 2 MHz, most links blocked, many echoes, correlated shadowing",
    "continental": "500 to 1000 km on long wave: ground wave with absorption over ground that slows it, sky wave inside "
    "its peak, recordings that start apart",
    "sky-wave": "600 to 2400 km on short wave: hops by layers of unknown height, each link its own modes, ground "
    "wave near by",
    "clustered-blocking": "one hill near the transmitter blocks every link across it, with delays that belong together",
    "wrong-clocks": "30 % of the receivers have a clock 10 to 1000 times worse than they claim",
    "faulty-receiver": "in 80 % of the scenes one receiver is misplaced, deaf, or has lost samples",
    "unknown-noise": "noise floors differ by 5 dB, part of the channel is noisier, and the sample rate leaves little room "
    "beside it",
    "second-transmitter": "another signal in the channel, from another place, 3 to 15 dB weaker",
    "wide-echoes": "up to six echoes, late by 15 us on average, that a signal of 50 to 400 kHz resolves",
    "antenna-pattern": "the transmitter's antenna is 10 to 25 dB weaker towards its back, the receivers' up to 10 dB",
    "level-errors": "levels are off by 10 dB where 2 dB are claimed",
    "rough-receivers": "cheap hardware: 8 bits, oscillators off by parts in a million, missing and weak receivers, "
    "recordings that start apart",
    "no-clocks": "no receiver has a clock to rely on: the power alone says where",
    "unknown-site": "power alone at a site never seen: any exponent, shared shadows, summits, devices off, transmitters "
    "far outside",
    "airborne": "four to seven receivers 10 to 50 km apart hear a transmitter up to 25 km above them, whose height "
    "is not stated",
}
"""In the order in which they are documented."""


def check_scenario(name: str) -> None:
    """Raises InputError for one that nobody knows."""
    if name not in SCENARIO_SUMMARIES:
        raise InputError(f"there is no scenario named {name!r}; choose one of: {', '.join(SCENARIO_SUMMARIES)}")
