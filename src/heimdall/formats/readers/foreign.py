"""Files that hold what Heimdall needs, in a form that no reader takes as it is, by their names: what to write instead."""

from __future__ import annotations

from pathlib import Path

from heimdall.formats.readers.source import SPREADSHEET_SUFFIXES, plain_name

_RAW_DATATYPES = {
    ".cf32": "cf32_le",
    ".cfile": "cf32_le",
    ".fc32": "cf32_le",
    ".c64": "cf32_le",
    ".cs16": "ci16_le",
    ".sc16": "ci16_le",
    ".cs8": "ci8",
    ".cu8": "cu8",
    ".raw": "cf32_le, ci16_le or cu8",
    ".iq": "cf32_le, ci16_le or cu8",
    ".complex": "cf32_le",
}
_VITA_SUFFIXES = (".vrt", ".vita", ".vita49", ".v49")
_OTHER_SOUND = (".w64", ".flac", ".sdriq", ".aiff", ".wv")
_TABLE_SUFFIXES = (*SPREADSHEET_SUFFIXES, ".parquet", ".geojson")
_MEASUREMENT_LINE = (
    '{"id": "row-1", "frequency_hz": HZ, "bandwidth_hz": HZ, "measurements": [{"receiver": NAME, "latitude_deg": DEGREES, '
    '"longitude_deg": DEGREES, "height_m": METRES, "toa_s": SECONDS_OR_null, "clock_sigma_s": SECONDS_OR_null, "rssi_dbm": '
    "DBM_OR_null}, ...]}"
)


def advice_on(name: str) -> str | None:
    """How to give Heimdall what such a file seems to hold; None for a name that promises neither samples nor measurements."""
    suffix = Path(plain_name(name)).suffix
    if suffix in _VITA_SUFFIXES:
        return (
            "VITA 49 packets are not read: write each stream's samples into NAME.sigmf-data and say in NAME.sigmf-meta what "
            f"its context packets say ({_sigmf_lines('ci16_be')})"
        )
    if suffix in _OTHER_SOUND:
        return (
            f"{suffix} files are not read: write the IQ as WAV (RF64 from 4 GB on), for power only, or as NAME.sigmf-data with "
            "NAME.sigmf-meta"
        )
    if suffix in _TABLE_SUFFIXES:
        return (
            f"{suffix} files are not read: save a table as CSV (docs/how-to/spreadsheet.md), or write NAME.jsonl"
            f" with one line per observation: {_MEASUREMENT_LINE}"
        )
    if suffix not in _RAW_DATATYPES:
        return None
    return (
        "raw samples do not say when, where and at which rate they were recorded: for each receiver name them "
        f"NAME.sigmf-data and write NAME.sigmf-meta beside them: {_sigmf_lines(_RAW_DATATYPES[suffix])}"
    )


def _sigmf_lines(datatype: str) -> str:
    return (
        f'{{"global": {{"core:datatype": "{datatype}", "core:version": "1.2.0", "core:sample_rate": RATE_HZ, "core:geolocation": '
        '{"type": "Point", "coordinates": [LONGITUDE, LATITUDE, HEIGHT_M]}, "heimdall:clock_sigma_s": SECONDS_OR_null}, '
        '"captures": [{"core:sample_start": 0, "core:frequency": HZ, "core:datetime": "2025-01-31T12:00:00.000000000Z"}], '
        '"annotations": []}'
    )
