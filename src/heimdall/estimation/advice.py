"""What kind of answer a fix is, and what its reader should do about it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import scipy
from numpy.typing import NDArray

from heimdall.estimation.likelihood.sky_wave import MODES, Explained
from heimdall.estimation.model import PropagationModel
from heimdall.estimation.openness import open_direction
from heimdall.estimation.region import GridPosterior
from heimdall.estimation.whole_earth import Elsewhere, elsewhere
from heimdall.evidence.batch import EvidenceBatch
from heimdall.evidence.collect import Collected
from heimdall.fix import Status
from heimdall.geometry import geodesic_distance_m

_LINE_RATIO = 0.03
"""Receivers whose spread across is less than this part of their spread along lie on a line."""
_SECOND_PLACE_SHARE = 0.1


def judge(
    collected: Collected, posterior: GridPosterior, model: PropagationModel, mass_95: float
) -> tuple[Status, str]:
    """The status of a fix and one sentence of advice, the gravest first; the receivers are taken at their word.

    `mass_95` is the mass of the 95 % region. What the receivers say of each other is judged in
    `heimdall.estimation.integrity.status_check`.
    """
    timed = collected.evidence.has_arrival[0]
    if (far := elsewhere(collected, model, posterior, mass_95)) is not None:
        return Status.AMBIGUOUS, _elsewhere_advice(collected, far)
    if (others := _other_places(posterior)) > 0:
        places = "another place is" if others == 1 else f"{others} other places are"
        return Status.AMBIGUOUS, f"{places} nearly as likely: {_cure(collected)}"
    if _on_a_line(collected.receivers_enu_m):
        return (
            Status.AMBIGUOUS,
            "the receivers lie on a line: the position is ambiguous across it; add one off the line",
        )
    if not collected.recentred and (direction := open_direction(collected, posterior, model)) is not None:
        return (
            Status.AMBIGUOUS,
            f"the evidence does not bound the distance: the transmitter {direction.words}; add receivers on that side",
        )
    if np.sum(timed) < 3:
        return Status.POWER_ONLY, _why_power_only(collected)
    every = int(np.sum(timed)) + len(collected.joined) == len(timed)
    return Status.OK, "" if every else "some receivers gave no arrival time: each is listed with the reason"


def sky_wave_advice(evidence: EvidenceBatch, account: Explained) -> str:
    """Says by which modes the signal came over the links of one scene; empty if none came by the ionosphere."""
    timed = np.asarray(evidence.has_arrival[0])
    hops, modes = (np.asarray(each[0, 0])[timed].astype(int) for each in (account.hops, account.mode))
    if not hops.any():
        return ""
    # By the layer first: E comes before F.
    ways = Counter(sorted((MODES[mode], int(count)) for mode, count in zip(modes, hops, strict=True)))
    ground = ways.pop((MODES[0], 0), 0)
    words = [f"{ground} by {MODES[0]}"] * bool(ground)
    words += [f"{links} by {count} {layer} hop{'s' * (count > 1)}" for (layer, count), links in ways.items()]
    links = ", ".join(words)
    return f"located by sky wave ({links}): the heights of the layers are uncertain"


def _elsewhere_advice(collected: Collected, far: Elsewhere) -> str:
    """Says that the transmitter may be on another part of the earth."""
    place = (far.latitude_deg, far.longitude_deg)
    nearest_m = min(
        geodesic_distance_m(each.latitude_deg, each.longitude_deg, *place)
        for each in collected.observation.usable_receivers
    )
    return (
        f"with a probability of {100 * far.probability:.0f} % the transmitter is outside the regions, most likely near"
        f" latitude {place[0]:.0f}, longitude {place[1]:.0f}, {nearest_m / 1e3:.0f} km from the nearest receiver: receivers on"
        " that side would decide"
    )


def _other_places(posterior: GridPosterior) -> int:
    """Separate parts of the 95 % region besides the largest that hold a tenth of the probability each."""
    inside = posterior.log_density >= posterior.log_threshold(0.95)
    if _is_one_part(inside):
        return 0
    parts, count = scipy.ndimage.label(inside)
    masses = sorted((posterior.probability[parts == part].sum() for part in range(1, count + 1)), reverse=True)
    return sum(mass > _SECOND_PLACE_SHARE for mass in masses[1:])


def _is_one_part(inside: NDArray[np.bool_]) -> bool:
    """Whether it is plainly one: one run of cells in each row, touching that of the row before. Most regions are."""
    rows = inside[inside.any(axis=1)]
    runs = rows[:, 0] + np.sum(rows[:, 1:] & ~rows[:, :-1], axis=1)
    between = np.ptp(np.flatnonzero(inside.any(axis=1))) + 1 - len(rows)
    return bool(between == 0 and np.all(runs == 1) and np.all(np.any(rows[1:] & rows[:-1], axis=1)))


def _cure(collected: Collected) -> str:
    timed = int(np.sum(collected.evidence.has_arrival[0]))
    return (
        "a fourth receiver with a good clock would decide"
        if timed < 4
        else "a receiver in another direction would decide"
    )


def _on_a_line(position_N3: NDArray[np.float64]) -> bool:
    if len(position_N3) < 3:
        return True
    horizontal = position_N3[:, :2] - position_N3[:, :2].mean(axis=0)
    across, along = np.sqrt(np.maximum(np.linalg.eigvalsh(horizontal.T @ horizontal), 0.0))
    return bool(across < _LINE_RATIO * along)


def _why_power_only(collected: Collected) -> str:
    if any(reception.receiver.clock_sigma_s is not None for reception in collected.observation.receptions):
        return "located by power: fewer than three receivers have a usable arrival time; better clocks or a stronger signal help"
    return "located by power: no receiver has a clock good enough for arrival times; use GPS-disciplined clocks"
