"""Where the real recordings lie, a database server, and a model that costs nothing, for the tests that need them."""

from __future__ import annotations

import functools
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import shape_checks

shape_checks.install()  # before anything of Heimdall is imported

_FILE_EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.listdir", "os.scandir", "shutil.rmtree"}


def _no_files_within_writing(event: str, arguments: tuple[Any, ...]) -> None:
    """Other writers wait for a transaction: whoever reads or writes a file in one makes them wait for the disk."""
    within_writing = getattr(sys.modules.get("heimdall.service.database.store"), "within_writing", None)
    if event not in _FILE_EVENTS or within_writing is None:
        return
    path = str(arguments[0]) if arguments else ""
    program = path.startswith((sys.prefix, sys.base_prefix, "/usr/", "/dev/", "/proc/")) or path.endswith(
        (".py", ".pyc")
    )
    if within_writing() and not program and not path.isdigit():
        raise AssertionError(f"{event} of {path} within a transaction that writes")


sys.addaudithook(_no_files_within_writing)

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
    with running_postgres("127.0.0.1") as address:
        yield address


@contextmanager
def running_postgres(host: str) -> Iterator[str]:
    """A server of our own on an address of this machine, open to whoever can reach it."""
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
    with (data / "pg_hba.conf").open("a") as file:
        file.write("host all all samenet trust\n")
    options = f"-p {port} -k {folder} -c listen_addresses={host} -c fsync=off"
    # Without its own output the server would keep our pipes open for as long as it lives.
    run([bin_folder / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start"], capture_output=False)
    try:
        yield f"postgresql+psycopg://heimdall@{host}:{port}"
    finally:
        run([bin_folder / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"])
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_on() -> Callable[[str], AbstractContextManager[str]]:
    return running_postgres


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


@pytest.fixture(scope="session")
def make_bundle(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A small model bundle whose network gives back the likelihood it reads; `parity` and `name` as asked."""
    pytest.importorskip("onnx")
    network = _likelihood_network(24)

    def make(name: str = "stand-in", parity: float | None = 1e-6, seed: int = 0) -> Path:
        from heimdall.inference.bundle import Bundle
        from heimdall.inference.calibration import Calibration

        training = {"recipe": {"name": "quick"}, "seed": seed} | ({} if parity is None else {"parity": parity})
        path = tmp_path_factory.mktemp("bundle") / f"{name}.heimdall"
        Bundle(name, network, 24, Calibration(), {"hybrid_ratio": 1.0}, training, f"# {name}\n").save(path)
        return path

    return make


def _likelihood_network(cells: int) -> bytes:
    """An ONNX file with the inputs and outputs of a trained network: each cell's weight is the likelihood's own."""
    from onnx import TensorProto, checker, helper

    from heimdall.inference.window import LOG_MASS, LOG_MASS_SCALE, MAPS, TOKENS

    def constant(name: str, values: list[float], kind: int = TensorProto.FLOAT, shape: list[int] | None = None) -> Any:
        tensor = helper.make_tensor(name, kind, shape if shape is not None else [len(values)], values)
        return helper.make_node("Constant", [], [name], value=tensor)

    # Weight from the map of the log mass; no offset; half a cell's size as standard deviation each way.
    rest = [0.0, 0.0, 0.5, 0.0, 0.5]
    nodes = [
        constant("start", [LOG_MASS], TensorProto.INT64),
        constant("end", [LOG_MASS + 1], TensorProto.INT64),
        constant("axis", [1], TensorProto.INT64),
        constant("scale", [LOG_MASS_SCALE], shape=[]),
        constant("nothing", [0.0], shape=[]),
        constant("rest", rest, shape=[1, len(rest), 1, 1]),
        constant("least", [-20.0], shape=[]),
        helper.make_node("Slice", ["maps", "start", "end", "axis"], ["mass"]),
        helper.make_node("Mul", ["mass", "scale"], ["weight"]),
        helper.make_node("Mul", ["mass", "nothing"], ["zero"]),
        helper.make_node("Add", ["zero", "rest"], ["shapes"]),
        helper.make_node("Concat", ["weight", "shapes"], ["mixture"], axis=1),
        helper.make_node("ReduceMax", ["zero"], ["flat"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Add", ["flat", "least"], ["log_background"]),
    ]
    shapes = {"maps": ["b", len(MAPS), cells, cells], "tokens": ["b", "n", len(TOKENS)], "present": ["b", "n"]}
    outputs = {"mixture": ["b", 6, cells, cells], "log_background": ["b"]}
    graph = helper.make_graph(nodes, "likelihood", _values(shapes), _values(outputs))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    checker.check_model(model)
    return model.SerializeToString()


def _values(shapes: dict[str, list[Any]]) -> list[Any]:
    from onnx import TensorProto, helper

    return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]


START_S = 120.0


@dataclass(frozen=True)
class Served:
    """`heimdall serve`, running."""

    address: str
    sign_in: str
    """Where a browser on this machine signs in."""
    token: str
    home: Path
    process: int


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service of its own for each module, with a small frozen evaluation and the settings in its `SETTINGS`."""
    home = tmp_path_factory.mktemp("served")
    port, said = _free_port(), home / "said"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HEIMDALL_", "MLFLOW_"))}
    environment |= {
        "HEIMDALL_HOME": str(home / "home"),
        "HEIMDALL_PORT": str(port),
        "HEIMDALL_HEALTH_PORT": str(_free_port()),
        "HEIMDALL_EVALUATION_COUNT": "16",
        "HEIMDALL_LOCATE_S": "600",
    } | getattr(request.module, "SETTINGS", {})
    with said.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "heimdall", "serve"], env=environment, stderr=file, cwd=home)
    try:
        token = _wait_for(said, r"(heimdall_[\w-]{30,})")
        sign_in = _wait_for(said, r"Page: (http\S+)")
        address = f"http://127.0.0.1:{port}"
        _wait_until_open(port)
        yield Served(address, sign_in, token, home / "home", process.pid)
    finally:
        process.terminate()
        process.wait(90)


def _wait_for(path: Path, pattern: str) -> str:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        found = re.search(pattern, path.read_text(errors="replace"))
        if found:
            return found[1]
        time.sleep(0.1)
    pytest.fail(f"heimdall serve did not say {pattern}: {path.read_text(errors='replace')[-2000:]}")


def _wait_until_open(port: int) -> None:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail("heimdall serve does not listen")
