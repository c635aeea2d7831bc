"""The reference of the Python interface: what `import heimdall` offers, each name from where it is written."""

from __future__ import annotations

import inspect

import heimdall

_HEAD = """# Python

```python
import heimdall

for located in heimdall.locate("examples/rocket.jsonl"):
    print(located.fix.latitude_deg, located.fix.longitude_deg, located.fix.status, located.fix.advice)
```

Importing `heimdall` loads nothing but the standard library; a name is loaded when it is first used. None of these needs
torch. Arrays are numpy arrays; a name says its unit ([Conventions](conventions.md)).

"""


def page() -> str:
    return _HEAD + "\n".join(_entry(name) for name in heimdall.__all__ if not name.startswith("_"))


def _entry(name: str) -> str:
    thing = getattr(heimdall, name)
    return f"## heimdall.{name}\n\n::: {inspect.getmodule(thing).__name__}.{thing.__qualname__}\n"
