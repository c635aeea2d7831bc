"""What plain regression on received powers reaches: 5 nearest neighbours and 500 extra trees, to hold a fine-tuned model against.

    python examples/fingerprints.py TRAIN.jsonl TEST.jsonl

Both read measurement files with known transmitters. A receiver that heard nothing counts as -101 dBm. Needs scikit-learn.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.neighbors import KNeighborsRegressor

from heimdall.formats.readers.read import read_observations
from heimdall.geometry import LocalFrame
from heimdall.observation import Observation

SILENT_DBM = -101.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    arguments = parser.parse_args()
    train, test = (list(read_observations(path)) for path in (arguments.train, arguments.test))
    names = sorted({reception.receiver.name for row in train for reception in row.receptions})
    truth = train[0].truth
    assert truth is not None
    frame = LocalFrame(truth.latitude_deg, truth.longitude_deg)
    for title, regressor in {
        "5 nearest neighbours": KNeighborsRegressor(5),
        "500 extra trees": ExtraTreesRegressor(500, random_state=0),
    }.items():
        regressor.fit(levels(train, names), places(train, frame))
        error_m = np.linalg.norm(regressor.predict(levels(test, names)) - places(test, frame), axis=1)
        median, q68, q90 = np.quantile(error_m, [0.5, 0.68, 0.9])
        print(f"{title}: median {median:.0f} m, 68 % {q68:.0f} m, 90 % {q90:.0f} m, {len(test)} rows")


def levels(rows: list[Observation], names: list[str]) -> NDArray[np.float64]:
    """(rows, receivers) in dBm."""
    heard = [{r.receiver.name: r.rssi_dbm for r in row.receptions if r.rssi_dbm is not None} for row in rows]
    return np.array([[each.get(name, SILENT_DBM) for name in names] for each in heard])


def places(rows: list[Observation], frame: LocalFrame) -> NDArray[np.float64]:
    """(rows, 2) of the transmitters, in m."""
    truths = [row.truth for row in rows if row.truth is not None]
    latitude, longitude = np.array([(truth.latitude_deg, truth.longitude_deg) for truth in truths]).T
    return frame.to_enu(latitude, longitude, np.zeros(len(truths)))[:, :2]


if __name__ == "__main__":
    main()
