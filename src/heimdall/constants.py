"""Constants that several parts share: of physics, in SI units, and of robust statistics."""

SPEED_OF_LIGHT_M_S = 299_792_458.0
EARTH_MEAN_RADIUS_M = 6_371_008.8
"""Mean radius R1 of WGS84 (Moritz 2000, Geodetic Reference System 1980)."""
REFRACTIVE_INDEX_AIR = 1.0003
"""Near the ground (ITU-R P.453)."""
AIRBORNE_HEIGHT_M = 1500.0
"""Height above the ellipsoid from which a transmitter counts as airborne, heard in line of sight."""
CAUCHY_TUNING = 2.385
"""A residual of this many standard deviations counts half by Cauchy weights: 95 % efficient on normal errors
(Holland and Welsch 1977)."""
MAD_TO_SIGMA = 1.4826
"""Factor from the median absolute deviation to the standard deviation of normal errors."""
MEDIAN_ERROR = 1.2533
"""Standard error of the median of normal errors, in standard errors of their mean."""
FOOT_M = 0.3048
UNITS_S = (("milliseconds", 1e-3), ("microseconds", 1e-6), ("nanoseconds", 1e-9))
"""Units in which times are given by mistake, instead of seconds."""
