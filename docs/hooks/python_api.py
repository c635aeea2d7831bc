"""The reference of the Python interface: what `import heimdall` offers, each name from where it is written."""

from __future__ import annotations

import inspect

import heimdall

_HEAD = """# Python

```python
import heimdall

fixes = heimdall.locate("examples/rocket.jsonl")
print(fixes)                                       # a table of the first twenty
print(fixes[0].latitude_deg, fixes[0].longitude_deg, fixes[0].status, fixes[0].advice)
```

Importing `heimdall` loads next to nothing; a name is loaded when it is first used. None of these needs torch. A name says its
unit ([Conventions](conventions.md)); arrays are numpy arrays.

"""


def page() -> str:
    return _HEAD + "\n".join(_entry(getattr(heimdall, name)) for name in sorted(heimdall.__all__))


def _entry(thing: object) -> str:
    return f"::: {inspect.getmodule(thing).__name__}.{thing.__qualname__}\n"
