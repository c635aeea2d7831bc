"""OpenStack Swift with its S3 interface, on one machine and in one folder: a real store to test against.

`python3 swift_store.py CONFIGURATION SERVER` (with the system's Python, which has Debian's package) is one of its four servers.
"""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

SYSTEM_PYTHON = Path("/usr/bin/python3")
USER, KEY = "heimdall:worker", "not-a-secret"
NEEDED = ("swift-proxy-server", "swift-account-server", "swift-container-server", "swift-object-server")
MISSING = "no Swift: install the packages swift-proxy, swift-account, swift-container and swift-object"

_SWIFT = "[swift-hash]\nswift_hash_path_suffix = heimdall\n[storage-policy:0]\nname = one\ndefault = yes\n"
_DEFAULT = """[DEFAULT]
bind_ip = {host}
bind_port = {port}
workers = 0
swift_dir = {folder}
log_level = ERROR
user = {user}
"""
_STORAGE = "devices = {folder}/devices\nmount_check = false\n[pipeline:main]\npipeline = {kind}-server\n"
_APP = "[app:{kind}-server]\nuse = egg:swift#{kind}\n"
_PROXY = """[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats s3api tempauth slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
# Swift asks that a cache be named; without a server behind it nothing is kept, and all still works.
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_heimdall_worker = {key} .admin
[filter:slo]
use = egg:swift#slo
"""


def installed() -> bool:
    return SYSTEM_PYTHON.exists() and all(shutil.which(name) for name in NEEDED)


class Swift:
    """Its servers listen on `host`; the storage servers behind it on the same."""

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        self._folder, self._host = folder, host
        self._processes: list[subprocess.Popen[bytes]] = []
        self.port = _free_port()

    @property
    def address(self) -> str:
        return f"http://{self._host}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a client of S3 is told."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": USER,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def start(self) -> None:
        (self._folder / "devices" / "d1").mkdir(parents=True)
        (self._folder / "swift.conf").write_text(_SWIFT)
        ports = {kind: _free_port() for kind in ("account", "container", "object")}
        places = [f"{kind}:{self._host}:{port}" for kind, port in ports.items()]
        subprocess.run([str(SYSTEM_PYTHON), __file__, "rings", str(self._folder), *places], check=True)
        for kind, port in ports.items():
            self._start(kind, port, _STORAGE.format(kind=kind, folder=self._folder) + _APP.format(kind=kind))
        self._start("proxy", self.port, _PROXY.format(key=KEY))
        self._wait()

    def stop(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()

    def _start(self, kind: str, port: int, rest: str) -> None:
        path = self._folder / f"{kind}.conf"
        path.write_text(_DEFAULT.format(folder=self._folder, host=self._host, port=port, user=getpass.getuser()) + rest)
        with (self._folder / f"{kind}.log").open("wb") as log:
            command = [str(SYSTEM_PYTHON), __file__, str(path), f"{kind}-server"]
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder))

    def _wait(self, limit_s: float = 60.0) -> None:
        deadline_s = time.monotonic() + limit_s
        while time.monotonic() < deadline_s:
            try:
                with urllib.request.urlopen(f"{self.address}/healthcheck", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        raise TimeoutError((self._folder / "proxy.log").read_text()[-2000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make_rings(folder: str, *places: str) -> int:
    """One device, one copy; a place is KIND:HOST:PORT."""
    from swift.common.ring import RingBuilder

    for place in places:
        kind, host, port = place.split(":")
        builder = RingBuilder(part_power=4, replicas=1, min_part_hours=0)
        device = {"region": 1, "zone": 1, "ip": host, "port": int(port), "device": "d1", "weight": 1.0}
        builder.add_dev(device | {"replication_ip": host, "replication_port": int(port)})
        builder.rebalance()
        builder.get_ring().save(f"{folder}/{kind}.ring.gz")
    return 0


def _serve(configuration: str, kind: str) -> int:
    from swift.common import utils

    utils.SWIFT_CONF_FILE = str(Path(configuration).with_name("swift.conf"))
    from swift.common.wsgi import run_wsgi

    return run_wsgi(configuration, kind, verbose=True)


if __name__ == "__main__":
    sys.exit(_make_rings(*sys.argv[2:]) if sys.argv[1] == "rings" else _serve(*sys.argv[1:]))
