"""Shapes checked while tests run: by the axes that names end in (`distance_BGN`) and by what jaxtyping's annotations say.

Production loads neither jaxtyping nor beartype: modules name the annotations' types for the type checker alone. Of an
argument that is a dataclass of arrays, the arrays' axes have to agree with those of the other arguments, too.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import FunctionType, ModuleType, NoneType
from typing import Any, Union, get_args

import jaxtyping
from beartype import BeartypeConf, beartype

_CHECKED = ("estimation", "evidence", "inference", "locating", "simulation")
_TYPES = {name: getattr(jaxtyping, name) for name in ("Bool", "Complex", "Float", "Int", "Shaped")}
_NAMED_AXES = re.compile(r".*_((?=[0-9]*[A-Z])[A-Z0-9]+)")
_CHECK = beartype(conf=BeartypeConf(is_color=False))


def install() -> None:
    """From here on, what is imported of these packages checks its arrays."""
    sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        top, _, rest = name.partition(".")
        if top != "heimdall" or rest.split(".")[0] not in _CHECKED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_check(module: ModuleType) -> None:
            execute(module)
            check_module(module)

        spec.loader.exec_module = execute_and_check  # type: ignore[method-assign]
        return spec


def check_module(module: ModuleType) -> None:
    """Its public functions and methods, and how dataclasses are made, replaced by those that check."""
    for owner in [module, *_own(module, type)]:
        for function in _own(owner, FunctionType):
            setattr(owner, function.__name__, checked(function, vars(module)))


def _own(owner: Any, kind: type) -> Iterator[Any]:
    module = owner.__name__ if isinstance(owner, ModuleType) else owner.__module__
    for name, each in list(vars(owner).items()):
        public = not name.startswith("_") or name == "__init__"
        if public and isinstance(each, kind) and each.__module__ == module and each.__name__ == name:
            yield each


def checked(function: Callable[..., Any], names: dict[str, Any]) -> Callable[..., Any]:
    """The function with a check of the shapes that it declares, and of nothing else; `names` are its module's."""
    hints = {name: _hint(name, text, names) for name, text in function.__annotations__.items()}
    hints = {name: hint for name, hint in hints.items() if hint is not None}
    if not hints:
        return function
    function.__annotations__ = hints
    return jaxtyping.jaxtyped(function, typechecker=_CHECK)


def _hint(name: str, text: Any, names: dict[str, Any]) -> Any:
    axes = _NAMED_AXES.fullmatch(name)
    declared = _evaluated(text, names)
    if _says_shape(declared):
        return declared
    if axes:
        others = [each for each in get_args(declared) if each in (NoneType, float)]
        return Union[jaxtyping.Shaped[Any, " ".join(axes[1])], *others]
    given = name != "return"  # what is made of a batch may have other axes
    return _with_arrays(declared) if given and isinstance(declared, type) and is_dataclass(declared) else None


def _evaluated(text: Any, names: dict[str, Any]) -> Any:
    try:
        return eval(text, dict(names), _TYPES) if isinstance(text, str) else text
    except NameError:  # a name for the type checker alone
        return None


def _says_shape(hint: Any) -> bool:
    return _is_array(hint) or any(_says_shape(each) for each in get_args(hint))


def _is_array(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray)


@functools.cache
def _with_arrays(kind: type) -> Any:
    """A stand-in for a dataclass whose instances have arrays of the declared axes; None where it declares none."""
    names = vars(sys.modules[kind.__module__])
    hints = {field.name: _hint(field.name, field.type, names) for field in fields(kind)}
    arrays = {name: hint for name, hint in hints.items() if _is_array(hint)}
    if not arrays:
        return None

    class Declared(type):
        def __instancecheck__(cls, value: Any) -> bool:
            return isinstance(value, kind) and all(isinstance(getattr(value, each), arrays[each]) for each in arrays)

    return Declared(kind.__name__, (), {})
