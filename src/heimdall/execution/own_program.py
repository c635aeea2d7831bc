"""How Heimdall starts itself: other files of the current directory are never taken for libraries (`-P`)."""

from __future__ import annotations

import sys

PYTHON = (sys.executable, "-P")
HEIMDALL = (*PYTHON, "-m", "heimdall")
