"""What receivers hear from each place of a site, learned from transmitters whose place was known: a radio map.

Buildings and terrain make shadowing a function of place. Where a site has been walked with a transmitter, each receiver's
level is known up to a remainder, and so is the level of a receiver itself; a power law knows neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from heimdall.arrays import Array, ArrayNamespace, array_namespace, device_of
from heimdall.evidence.radio_map_header import RadioMapHeader
from heimdall.geometry import LocalFrame
from heimdall.validation.complaints import complaint

if TYPE_CHECKING:
    from jaxtyping import Float, Int

_SAME_PLACE_M = 100.0


@dataclass(frozen=True, eq=False)
class RadioMap:
    """Level = power + offset_db - 10 exponent log10(distance) + correction_db(place), with standard deviation sigma_db(place).

    Tables have a row for each of N receivers and a last one for any other receiver.
    """

    frame: LocalFrame
    """East and north of the raster are told in this frame."""
    west_m: float
    south_m: float
    """Middle of the first cell."""
    step_m: float
    receivers: tuple[str, ...]
    place_m: NDArray[np.float64]
    """(N, 2) east and north of the receivers; NaN for one that moved, which has no correction."""
    offset_db: Array
    """(N + 1,) includes the mean transmit power."""
    exponent: float
    power_sigma_db: float
    """How much transmitters differ in power."""
    correction_db: Array
    """(N + 1, Y, X), rows run north."""
    sigma_db: Array
    """(N + 1, Y, X)"""

    TABLES: ClassVar = ("offset_db", "correction_db", "sigma_db")

    def header(self) -> dict[str, Any]:
        """All but the two rasters, for JSON."""
        return {
            "frame": asdict(self.frame),
            "west_m": self.west_m,
            "south_m": self.south_m,
            "step_m": self.step_m,
            "receivers": list(self.receivers),
            "place_m": [None if np.isnan(each).any() else [float(v) for v in each] for each in self.place_m],
            "offset_db": [float(value) for value in self.offset_db],
            "exponent": self.exponent,
            "power_sigma_db": self.power_sigma_db,
            "raster": list(self.correction_db.shape[1:]),
        }

    def content(self) -> bytes:
        """The rasters, correction first, as little-endian floats of 32 bits."""
        return np.stack([self.correction_db, self.sigma_db]).astype("<f4").tobytes()

    @classmethod
    def read(cls, header: Mapping[str, Any] | RadioMapHeader, content: bytes) -> RadioMap:
        """The inverse of `header` and `content`. Raises ValueError where they are not of one map."""
        try:
            stated = RadioMapHeader.model_validate(header)
        except ValidationError as error:
            raise ValueError(f"radio map: {complaint(error)}") from error
        correction_db, sigma_db = _rasters(content, (len(stated.receivers) + 1, *stated.raster))
        return cls(
            frame=LocalFrame(stated.frame.latitude_deg, stated.frame.longitude_deg),
            west_m=stated.west_m,
            south_m=stated.south_m,
            step_m=stated.step_m,
            receivers=stated.receivers,
            place_m=np.array([(np.nan, np.nan) if each is None else each for each in stated.place_m]),
            offset_db=np.array(stated.offset_db),
            exponent=stated.exponent,
            power_sigma_db=stated.power_sigma_db,
            correction_db=correction_db,
            sigma_db=sigma_db,
        )

    def rows_of(self, names: Sequence[str], place_m: NDArray[np.float64]) -> NDArray[np.int64]:
        """(N,) the row of each receiver at `place_m` (N, 2) in the map's frame; the last one where it is not the map's."""
        known = {name: row for row, name in enumerate(self.receivers)}
        rows = np.array([known.get(name, len(known)) for name in names], dtype=np.int64)
        stored_m = np.concatenate([self.place_m, np.full((1, 2), np.nan)])[rows]
        moved = np.linalg.norm(place_m - stored_m, axis=-1) > _SAME_PLACE_M
        return np.where(moved, len(known), rows)


def _rasters(content: bytes, shape: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Correction and standard deviation. Raises ValueError where they are none of that shape."""
    if len(content) != 2 * 4 * math.prod(shape):
        raise ValueError("radio map: its rasters are not of the size that it states")
    correction, sigma = np.frombuffer(content, "<f4").reshape(2, *shape).astype(np.float32)
    if not (np.isfinite(correction).all() and np.isfinite(sigma).all() and (sigma > 0).all()):
        raise ValueError("radio map: its corrections have to be finite, its standard deviations finite and positive")
    return correction, sigma


@dataclass(frozen=True, eq=False)
class Mapped:
    """The receivers of B scenes in one radio map."""

    radio_map: RadioMap
    row: Int[Array, "B N"]
    """Which row of its tables each receiver has."""
    origin_m: Float[Array, "B 2"]
    """East and north of the scene's frame in the map's. Over a site the two frames are parallel enough."""

    def __getitem__(self, index: Any) -> Mapped:
        return replace(self, row=self.row[index], origin_m=self.origin_m[index])

    def changed(self, each: Callable[[Array], Array]) -> Mapped:
        """With `each` applied to every array, those of the map among them."""
        radio_map = replace(self.radio_map, **{name: each(getattr(self.radio_map, name)) for name in RadioMap.TABLES})
        return Mapped(radio_map, each(self.row), each(self.origin_m))

    def excess_db(self, place_BG2: Array, distance_BGN: Array, level_BN: Array) -> tuple[Array, Array]:
        """How much stronger than the map says each receiver heard a transmitter at each place, and the standard deviation.

        Both (B, G, N) in dB; the transmitter has the mean power.
        """
        xp = array_namespace(place_BG2)
        radio_map = self.radio_map
        offset_BN = _take(xp, radio_map.offset_db, self.row)
        law_BGN = offset_BN[:, None] - 10 * radio_map.exponent * xp.log10(xp.clip(distance_BGN, 1.0, None))
        correction_BGN, sigma_BGN = self._read(xp, place_BG2)
        return level_BN[:, None] - law_BGN - correction_BGN, sigma_BGN

    def _read(self, xp: ArrayNamespace, place_BG2: Array) -> tuple[Array, Array]:
        """Correction, linear between the cells, and standard deviation, of the nearest cell; (B, G, N)."""
        radio_map = self.radio_map
        rows, columns = radio_map.correction_db.shape[1:]
        place = place_BG2 + self.origin_m[:, None]
        east = xp.clip((place[..., 0] - radio_map.west_m) / radio_map.step_m, 0.0, columns - 1.001)
        north = xp.clip((place[..., 1] - radio_map.south_m) / radio_map.step_m, 0.0, rows - 1.001)
        west, south = xp.floor(east), xp.floor(north)
        first = xp.astype(south, xp.int64) * columns + xp.astype(west, xp.int64)
        table = self.row[:, None, :] * (rows * columns) + first[..., None]
        flat = xp.reshape(radio_map.correction_db, (-1,))
        right, up = (east - west)[..., None], (north - south)[..., None]
        lower = (1 - right) * _take(xp, flat, table) + right * _take(xp, flat, table + 1)
        upper = (1 - right) * _take(xp, flat, table + columns) + right * _take(xp, flat, table + columns + 1)
        nearest = table + xp.astype(right > 0.5, xp.int64) + xp.astype(up > 0.5, xp.int64) * columns
        sigma = _take(xp, xp.reshape(radio_map.sigma_db, (-1,)), nearest)
        return (1 - up) * lower + up * upper, sigma


def joined(parts: Sequence[Mapped], width: int) -> Mapped:
    """One of many, each padded to `width` receivers; all of one map. Raises ValueError where they are not."""
    if any(part.radio_map is not parts[0].radio_map for part in parts):
        raise ValueError("scenes of different radio maps cannot be in one batch")
    xp = array_namespace(parts[0].row)
    stranger = len(parts[0].radio_map.receivers)

    def padded(row: Array) -> Array:
        shape, device = (row.shape[0], width - row.shape[1]), device_of(row)
        return xp.concat([row, xp.full(shape, stranger, dtype=row.dtype, device=device)], axis=1)

    rows = [padded(part.row) for part in parts]
    return Mapped(parts[0].radio_map, xp.concat(rows, axis=0), xp.concat([part.origin_m for part in parts], axis=0))


def _take(xp: ArrayNamespace, table: Array, index: Array) -> Array:
    return xp.reshape(xp.take(table, xp.reshape(index, (-1,)), axis=0), index.shape)
