"""Tiles of the operator's own, from one file beside the service: MBTiles or PMTiles with pictures."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from fastapi import APIRouter, Response
from pmtiles.reader import Reader
from pmtiles.tile import TileType

from heimdall.errors import InputError
from heimdall.service.settings import Settings

ADDRESS = "/tiles/{z}/{x}/{y}"
_MEDIA = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp"}
_KEEP_S = 86_400
Read = Callable[[int, int, int], bytes | None]


def tile_address(settings: Settings) -> str | None:
    """Where the browser asks for tiles; None where the map has only its own ground."""
    return ADDRESS if settings.tile_file is not None else settings.tile_url


def tile_routes(path: Path) -> APIRouter:
    """Raises InputError for a file that is not there, or has no pictures in it."""
    read, media = _opened(path)
    router = APIRouter()

    @router.get(ADDRESS)
    def tile(z: int, x: int, y: int) -> Response:
        content = read(z, x, y)
        headers = {"Cache-Control": f"private, max-age={_KEEP_S}"}
        # No tile is no error: the map below shows through.
        return Response(content or b"", 200 if content else 204, headers, media)

    return router


def _opened(path: Path) -> tuple[Read, str]:
    if not path.is_file():
        raise InputError(f"{path}: the file of tiles is not there; HEIMDALL_TILE_FILE names it")
    try:
        return _pmtiles(path) if path.suffix.lower() == ".pmtiles" else _mbtiles(path)
    except (OSError, ValueError, KeyError, sqlite3.Error) as error:
        raise InputError(f"{path}: neither MBTiles nor PMTiles ({error})") from error


def _mbtiles(path: Path) -> tuple[Read, str]:
    """Rows are counted from the south in MBTiles."""
    address = f"{path.absolute().as_uri()}?mode=ro"

    def read(z: int, x: int, y: int) -> bytes | None:
        with closing(sqlite3.connect(address, uri=True)) as database:
            where = (z, x, 2**z - 1 - y) if 0 <= z <= 30 else (-1, -1, -1)
            query = "SELECT tile_data FROM tiles WHERE zoom_level=? AND tile_column=? AND tile_row=?"
            found = database.execute(query, where).fetchone()
        return None if found is None else bytes(found[0])

    with closing(sqlite3.connect(address, uri=True)) as database:
        found = database.execute("SELECT value FROM metadata WHERE name='format'").fetchone()
    return read, _media(path, "png" if found is None else str(found[0]))


def _pmtiles(path: Path) -> tuple[Read, str]:
    def piece(offset: int, length: int) -> bytes:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    reader = Reader(piece)
    kind = TileType(reader.header()["tile_type"])

    def read(z: int, x: int, y: int) -> bytes | None:
        inside = 0 <= z <= 30 and 0 <= x < 2**z and 0 <= y < 2**z
        return reader.get(z, x, y) if inside else None

    return read, _media(path, kind.name.lower())


def _media(path: Path, kind: str) -> str:
    if kind not in _MEDIA:
        raise InputError(f"{path}: tiles of the kind {kind} are not pictures: make a file with PNG, JPEG or WebP")
    return _MEDIA[kind]
