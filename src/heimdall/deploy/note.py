"""What the containers are told of the host, which they cannot see: a file in a folder that Compose mounts."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from heimdall.deploy.accelerator_choice import Choice
from heimdall.errors import HeimdallError

FOLDER = Path("docker", "host")


def write_note(project: Path, choice: Choice) -> None:
    """Why the training has no GPU and what to type; without a reason where it has one."""
    reason, fix = ("", ()) if choice.way != "cpu" else (choice.reason, choice.fix)
    seen = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    folder = project / FOLDER
    temporary = folder / "training.json.new"
    temporary.write_text(json.dumps({"reason": reason, "fix": list(fix), "seen_utc": seen}, indent=2) + "\n")
    temporary.chmod(0o644)
    os.replace(temporary, folder / "training.json")


def make_folder(project: Path) -> Path:
    """Readable to the user that the containers run as, whatever the checkout's umask was."""
    folder = project / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
    except PermissionError:
        raise HeimdallError(f"{folder} belongs to another user: sudo chown -R $USER {folder}") from None
    return folder
