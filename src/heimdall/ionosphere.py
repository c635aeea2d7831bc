"""Short waves as scenes are drawn and as the likelihood assumes them: what reflects them, and the ground wave beside them.

Both stand on these figures (Davies 1990, Ionospheric Radio). They differ on purpose where a scene draws a value that the
likelihood sums over (the layers' heights) or takes at its middle (absorption).
"""

from __future__ import annotations

from heimdall.arrays import Array, array_namespace

DAY_PROBABILITY = 0.6
"""Probability of daytime, with an E layer and absorption below it."""
E_CRITICAL_HZ = (2.2e6, 3.8e6)
"""Critical frequency of the E layer by day."""
F_CRITICAL_HZ = (3.5e6, 14e6)
CARRIER_RATIO = (0.4, 2.5)
"""Carrier over the F layer's critical frequency: people listen where a band is open."""
ABSORPTION_FREQUENCY_HZ = 7e6
"""Where a hop's absorption is stated; it falls with the square of the frequency."""
GROUND_REFLECTION_DB = 4.0
"""Lost at the ground between two hops."""
_LEAST_DISTANCE_M = 1e3
"""Nearer than this the ground wave's level is not followed."""


def ground_wave_level_db(distance_m: Array, frequency_hz: Array | float) -> Array:
    """Level of the ground wave over land against that at 1000 km in free space, any broadcastable shapes.

    It falls faster with distance at higher frequencies (after ITU-R P.368).
    """
    xp = array_namespace(distance_m)
    steep = frequency_hz / 3e6
    far_m = xp.clip(distance_m, _LEAST_DISTANCE_M, None)
    spread_db = 20 * xp.log10(far_m * 1e-6 * (1 + far_m * (steep / 30e3)))
    return -spread_db - 1e-4 * steep * far_m
