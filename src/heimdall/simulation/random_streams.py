"""Chance that is passed in: random tensors from one generator, and generators from a seed and an index."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor

Range = tuple[float, float]
"""Lowest and highest value of something drawn uniformly."""

Item = TypeVar("Item")


def stream(seed: int, index: int, purpose: str = "scenes", device: torch.device | str = "cpu") -> torch.Generator:
    """The generator of draw `index` of a seed: draws can be made in any order, by any number of workers."""
    digest = hashlib.sha256(f"heimdall/{purpose}/{seed}/{index}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)


class Chance:
    """Draws from `generator`, on the generator's device, and hands the results over on `device`."""

    def __init__(self, generator: torch.Generator, device: torch.device | str) -> None:
        self.generator = generator
        self.device = torch.device(device)

    def uniform(self, between: Range, *shape: int) -> Tensor:
        low, high = between
        return low + (high - low) * self._rand(shape)

    def normal(self, *shape: int) -> Tensor:
        return self._given(torch.randn(shape, generator=self.generator, device=self.generator.device))

    def complex_normal(self, *shape: int) -> Tensor:
        """Circular, mean power 1."""
        drawn = torch.randn(shape, dtype=torch.complex64, generator=self.generator, device=self.generator.device)
        return self._given(drawn)

    def exponential(self, mean: float, *shape: int) -> Tensor:
        return -mean * torch.log1p(-self._rand(shape))

    def happens(self, probability: float, *shape: int) -> Tensor:
        return self._rand(shape) < probability

    def integers(self, lowest: int, highest: int, *shape: int) -> Tensor:
        """Both ends included."""
        drawn = torch.randint(lowest, highest + 1, shape, generator=self.generator, device=self.generator.device)
        return self._given(drawn)

    def categories(self, probabilities: Sequence[float], *shape: int) -> Tensor:
        """Indices into `probabilities`, which need not add up to one."""
        edges = torch.tensor(probabilities, device=self.device).cumsum(0)
        return torch.bucketize(self._rand(shape) * edges[-1], edges[:-1], right=True)

    def phasor(self, *shape: int) -> Tensor:
        """Complex numbers of magnitude 1 and any phase."""
        angle = 2 * torch.pi * self._rand(shape)
        return torch.polar(torch.ones_like(angle), angle)

    def pick(self, items: Sequence[Item]) -> Item:
        return items[int(self.integers(0, len(items) - 1))]

    def _rand(self, shape: tuple[int, ...]) -> Tensor:
        return self._given(torch.rand(shape, generator=self.generator, device=self.generator.device))

    def _given(self, drawn: Tensor) -> Tensor:
        return drawn.to(self.device)
