"""Physical constants, in SI units."""

SPEED_OF_LIGHT_M_S = 299_792_458.0
EARTH_MEAN_RADIUS_M = 6_371_008.8
"""Mean radius R1 of WGS84 (Moritz 2000, Geodetic Reference System 1980)."""
REFRACTIVE_INDEX_AIR = 1.0003
"""Near the ground (ITU-R P.453)."""
