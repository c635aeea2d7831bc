"""Evidence as numpy arrays where training runs on a processor: there the likelihood in single precision, which is also what
`heimdall locate` takes, costs a fraction of what it does on tensors (`heimdall.estimation.likelihood.single_precision`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch

from heimdall.estimation.model import PropagationModel

Record = TypeVar("Record")


def pays(device: torch.device, model: PropagationModel | None = None) -> bool:
    """Whether arrays are the faster ones: not on a card, nor for the likelihood of waves by the ionosphere."""
    return device.type == "cpu" and (model is None or model.sky_wave is None)


def as_arrays(record: Record) -> Record:
    """A dataclass with its tensors as arrays in double precision, without a copy where they are not of numbers."""
    return _changed(
        record, torch.Tensor, lambda tensor: (tensor.double() if tensor.is_floating_point() else tensor).numpy()
    )


def as_tensors(record: Record) -> Record:
    """A dataclass with its arrays as tensors in single precision."""
    return _changed(record, np.ndarray, lambda array: torch.from_numpy(_single(array)))


def _single(array: Any) -> Any:
    return array.astype(np.float32) if array.dtype == np.float64 else array


def _changed(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, kind):
        return change(value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    return replace(value, **{f.name: _changed(getattr(value, f.name), kind, change) for f in fields(value)})
