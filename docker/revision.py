"""Print the commit of a checkout: $REVISION, else what .git in FOLDER names, else nothing: `revision.py FOLDER`.

Reads the files that the Docker context has of .git; git itself is not in the image.
"""

import os
import sys
from pathlib import Path


def revision_of(git: Path) -> str:
    """The commit that HEAD names; empty where there is no .git folder, as in an archive or a linked work tree."""
    head = read(git / "HEAD")
    if not head.startswith("ref: "):
        return head
    name = head.removeprefix("ref: ")
    return read(git / name) or packed(git / "packed-refs", name)


def packed(path: Path, name: str) -> str:
    rows = (line.split() for line in read(path).splitlines())
    return next((row[0] for row in rows if row[1:] == [name]), "")


def read(path: Path) -> str:
    return path.read_text().strip() if path.is_file() else ""


if __name__ == "__main__":
    print(os.environ.get("REVISION") or revision_of(Path(sys.argv[1], ".git")))
