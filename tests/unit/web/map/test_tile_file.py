"""An operator's own tiles are served from one file, and a file without pictures is refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

from heimdall.errors import InputError
from heimdall.web.map.tile_file import tile_routes

PICTURE = b"\x89PNG tile"


def mbtiles(folder: Path, kind: str = "png") -> Path:
    path = folder / "world.mbtiles"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE metadata (name text, value text)")
        database.execute("CREATE TABLE tiles (zoom_level int, tile_column int, tile_row int, tile_data blob)")
        database.execute("INSERT INTO metadata VALUES ('format', ?)", (kind,))
        database.execute("INSERT INTO tiles VALUES (2, 1, 3, ?)", (PICTURE,))  # the northernmost row
    return path


def pmtiles(folder: Path, kind: TileType = TileType.PNG) -> Path:
    path = folder / "world.pmtiles"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.write_tile(zxy_to_tileid(2, 1, 0), PICTURE)
        none = Compression.NONE
        writer.finalize({"tile_type": kind, "tile_compression": none, "center_zoom": 0}, {})
    return path


@pytest.mark.parametrize("make", [mbtiles, pmtiles])
def test_tiles_are_served_and_a_missing_one_is_empty(tmp_path, make):
    app = FastAPI()
    app.include_router(tile_routes(make(tmp_path)))
    with TestClient(app) as client:
        found = client.get("/tiles/2/1/0")
        assert (found.status_code, found.content, found.headers["content-type"]) == (200, PICTURE, "image/png")
        assert client.get("/tiles/2/1/1").status_code == 204
        assert client.get("/tiles/99/1/1").status_code == 204


def test_what_has_no_pictures_is_refused_with_the_reason(tmp_path):
    with pytest.raises(InputError, match="not pictures"):
        tile_routes(mbtiles(tmp_path, "pbf"))
    with pytest.raises(InputError, match="not pictures"):
        tile_routes(pmtiles(tmp_path, TileType.MVT))
    with pytest.raises(InputError, match="not there"):
        tile_routes(tmp_path / "nothing.mbtiles")
    (tmp_path / "text.mbtiles").write_text("text")
    with pytest.raises(InputError, match="neither"):
        tile_routes(tmp_path / "text.mbtiles")
