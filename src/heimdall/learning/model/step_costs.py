"""What a training step takes in memory and operations: from a table for the recipes' networks, measured for others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pydantic import TypeAdapter

from heimdall.learning.model.shape import NetworkShape

_TABLE = "step_costs.json"
"""Written by `benchmarks/step_costs`."""


@dataclass(frozen=True)
class Line:
    """Bytes at one moment of a step: what does not depend on the batch, and what each scene adds."""

    fixed_bytes: int
    per_scene_bytes: int


@dataclass(frozen=True)
class Peak:
    """Bytes at the fullest moment of a step, which is another one for small batches than for large ones."""

    lines: tuple[Line, ...]

    def at(self, batch_size: int) -> int:
        return self._fullest(batch_size).fixed_bytes + self.of_scenes(batch_size)

    def of_scenes(self, batch_size: int) -> int:
        """The part of `at` that grows with the batch."""
        return batch_size * self._fullest(batch_size).per_scene_bytes

    def largest_batch(self, room_bytes: int) -> int:
        """0 where not even one scene fits."""
        return max(0, min((room_bytes - line.fixed_bytes) // line.per_scene_bytes for line in self.lines))

    def _fullest(self, batch_size: int) -> Line:
        return max(self.lines, key=lambda line: line.fixed_bytes + batch_size * line.per_scene_bytes)


@dataclass(frozen=True)
class StepCosts:
    """Costs of a step forward and back, with the optimiser's two moments in place, without what CUDA itself takes."""

    parameters: int
    flops_per_scene: int
    plain: Peak
    recomputing: Peak
    """Peak memory with recompute_activations=true."""


@dataclass(frozen=True)
class TableRow:
    shape: NetworkShape
    precision: str
    costs: StepCosts


TABLE = TypeAdapter(list[TableRow])


def step_costs(shape: NetworkShape, batch_size: int, precision: str) -> StepCosts:
    """Costs of that network in Lightning's `precision`, right at that batch and larger ones.

    A network that is not in the table takes 5 to 15 seconds of a core.
    """
    known = _table().get((shape, precision))
    if known is not None:
        return known
    from heimdall.learning.model.fake_step import measure

    return measure(shape, precision, [batch_size])


@cache
def _table() -> dict[tuple[NetworkShape, str], StepCosts]:
    rows = TABLE.validate_json(files(__package__).joinpath(_TABLE).read_bytes())
    return {(row.shape, row.precision): row.costs for row in rows}
