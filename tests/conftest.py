"""Where the real recordings lie, and a database server, for the tests that need them."""

from __future__ import annotations

import functools
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# No test is timed: a busy machine must not make one fail.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings: HEIMDALL_REAL_DATA, or ../shared/data beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("HEIMDALL_REAL_DATA") or beside)
    if not folder.is_dir():
        pytest.skip(f"no real recordings: neither HEIMDALL_REAL_DATA nor {beside} is there")
    return folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL server of our own, without a database name; skipped where no server is installed."""
    bin_folder = _postgres_programs()
    if bin_folder is None:
        pytest.skip("no PostgreSQL server: install the package `postgresql`")
    # Not below pytest's own folder, which only its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="heimdall-postgres-"))
    user = "nobody" if os.geteuid() == 0 else None  # the server refuses to run as root
    if user:
        shutil.chown(folder, user)
    data, port = folder / "data", _free_port()
    run = functools.partial(subprocess.run, check=True, user=user, cwd=folder, capture_output=True)
    run([bin_folder / "initdb", "-D", data, "-U", "heimdall", "--auth=trust", "--no-sync", "--encoding=UTF8"])
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    # Without its own output the server would keep our pipes open for as long as it lives.
    run([bin_folder / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start"], capture_output=False)
    yield f"postgresql+psycopg://heimdall@127.0.0.1:{port}"
    run([bin_folder / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"])
    shutil.rmtree(folder)


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The address of a fresh, empty database."""
    sqlalchemy = pytest.importorskip("sqlalchemy")
    name = f"t{uuid.uuid4().hex}"
    engine = sqlalchemy.create_engine(f"{postgres_server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{postgres_server}/{name}"


def _postgres_programs() -> Path | None:
    folders = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = shutil.which("initdb")
    folders += [Path(found).parent] if found else []
    return next((folder for folder in folders if (folder / "pg_ctl").exists()), None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
