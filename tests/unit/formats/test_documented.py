"""The page of formats names what the readers and writers know."""

from __future__ import annotations

from pathlib import Path

import pytest

from heimdall.formats.readers import measurements, positions, read
from heimdall.formats.readers.sigmf import metadata as sigmf_metadata
from heimdall.formats.readers.sigmf import session as sigmf
from heimdall.formats.writers import write

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "formats.md").read_text(encoding="utf-8")
NAMES = [
    *(f"`{suffix}`" for suffix in write.SUFFIXES),
    *(f"`{suffix}`" for suffix in (*read.MEASUREMENT_SUFFIXES, *read.TABLE_SUFFIXES)),
    *(f"`{key}`" for key in (sigmf_metadata.RECEIVER_KEY, sigmf_metadata.CLOCK_KEY, sigmf_metadata.LEVEL_KEY)),
    f"`{sigmf_metadata.POSITION_KEY}`",
    *(f"`{key}`" for key in (sigmf.TRUTH_KEY, sigmf.TRANSMITTER_HEIGHT_KEY, positions.TRUTH_NAME)),
]


@pytest.mark.parametrize("name", NAMES)
def test_every_suffix_and_key_is_documented(name: str) -> None:
    """A suffix or an extension key that the document does not name is unknown to its readers."""
    assert name in TEXT


def test_the_example_of_a_measurement_is_one() -> None:
    """The document's example is read as it stands, on one line."""
    example = TEXT.partition("```json\n")[2].partition("```")[0].replace("\n", " ")
    (observation,) = measurements.read_measurements("example", example.encode())
    assert [reception.flaw for reception in observation.receptions] == [None, None]
    assert observation.truth is not None
