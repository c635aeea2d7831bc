"""Simulated scenes: endless, seeded, in batches, on any device that torch knows."""

from heimdall.simulation.drawing import SCENES_PER_DRAW, draw, scenes
from heimdall.simulation.observe import to_observation
from heimdall.simulation.random_streams import stream
from heimdall.simulation.scenarios import SCENARIOS, Scenario, scenario
from heimdall.simulation.scene import SceneBatch

__all__ = [
    "SCENARIOS",
    "SCENES_PER_DRAW",
    "Scenario",
    "SceneBatch",
    "draw",
    "scenario",
    "scenes",
    "stream",
    "to_observation",
]
