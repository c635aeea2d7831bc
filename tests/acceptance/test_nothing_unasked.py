"""A whole session without a network: it tries no connection but to itself and leaves no file but those asked for."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SESSION = Path(__file__).with_name("whole_session.py")
ADDRESS = re.compile(r"sa_family=(AF_INET6?),.*?(?:inet_addr\(|inet_pton\(AF_INET6, )\"([^\"]+)\"")
CACHES = re.compile(r"\.cache/matplotlib/fontlist-.*\.json")
"""What matplotlib knows of the fonts: for this machine alone."""


def _missing() -> str:
    programs = [name for name in ("strace", "unshare", "ip") if shutil.which(name) is None]
    if programs:
        return f"not installed: {', '.join(programs)}"
    tried = subprocess.run(["unshare", "-rn", "strace", "-f", "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"no network namespace, or no trace in it: {tried.stderr.strip()[-200:]}"


@pytest.fixture(scope="module")
def session(tmp_path_factory, make_bundle):
    reason = _missing()
    if reason:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("session")
    home, work, trace = folder / "home", folder / "work", folder / "trace"
    home.mkdir()
    work.mkdir()
    traced = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect", "-o", str(trace)]
    environment = {"HOME": str(home), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "OMP_NUM_THREADS": "1"}
    command = ["unshare", "-rn", *traced, sys.executable, str(SESSION), str(make_bundle())]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return home, work, trace


@pytest.mark.slow
def test_a_whole_session_tries_no_connection_but_to_itself(session):
    trace = session[2].read_text()
    assert "execve" not in trace
    tried = {found[2] for found in ADDRESS.finditer(trace)}
    assert tried, "the session asked its own service, so the trace holds at least that"
    assert tried <= {"127.0.0.1", "::1"}


@pytest.mark.slow
def test_a_whole_session_leaves_nothing_in_the_home_folder_and_beside_its_results(session):
    home, work, _ = session
    left = [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]
    assert [name for name in left if not CACHES.fullmatch(name)] == []
    assert {path.name for path in work.iterdir()} == {"scenes", "run", "fix.html", "served", "var"}
    assert {path.name for path in (work / "var").iterdir()} == {"mlflow.db"}, "the trainings' own record"
