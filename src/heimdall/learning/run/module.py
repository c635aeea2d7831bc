"""The Lightning module: one optimiser step from a batch of any size, on whatever memory there is."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from heimdall.inference.answer import best_place, smoothing_core
from heimdall.learning.data.pools import AroundPool, OnPool, ScenePool, SceneStream, TrainingBatch
from heimdall.learning.model.loss import negative_log_likelihood
from heimdall.learning.model.memory import MicroBatches
from heimdall.learning.model.network import EvidenceNetwork
from heimdall.learning.model.shape import shape_of
from heimdall.recipes import Recipe

_VALIDATED_TOGETHER = 128
"""Scenes that go through the network at once."""


class EvidenceModule(LightningModule):
    """Trains the network by `recipe`. Steps are driven by hand, so that a batch can be cut when memory runs out."""

    def __init__(self, recipe: Recipe, *, pretrained: bool = False) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.recipe = recipe
        torch.manual_seed(recipe.seed)
        self.network = EvidenceNetwork(shape_of(recipe.network), pretrained)
        self.network.to(memory_format=torch.channels_last)
        if recipe.recompute_activations:
            self.network.recompute_activations()
        self.micro = MicroBatches()
        self._loss = torch.tensor(math.nan)
        self.around_pool: AroundPool = lambda number: nullcontext()
        self.on_pool: OnPool = lambda number, pool: None
        self.recorded: ScenePool | None = None

    @property
    def last_loss(self) -> float:
        """Loss of the last step's batch. Asking makes the processor wait until a GPU has done the step."""
        return float(self._loss)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = make_optimizer(self.network, self.recipe)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, self.recipe))
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def train_dataloader(self) -> SceneStream:
        return SceneStream(
            self.recipe,
            self.global_step,
            self.device,
            self.trainer.global_rank,
            self.trainer.world_size,
            self.around_pool,
            self.recorded,
            self.on_pool,
        )

    def on_train_batch_start(self, batch: TrainingBatch, batch_idx: int) -> None:
        # Stochastic depth draws from the global generator: tied to the step, a resumed run draws the same.
        # Each process draws its own, or the same blocks would be left out of every n-th scene.
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.global_step + (self.trainer.global_rank << 40))

    def training_step(self, batch: TrainingBatch, batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        schedule: Any = self.lr_schedulers()
        self.micro.alone = self.trainer.world_size == 1
        loss = self.micro.run(len(batch), lambda size: self._accumulate(optimizer, batch, size))
        self._loss = self._mean_of_all(loss)
        self.clip_gradients(optimizer, self.recipe.optimizer.clip_norm, "norm")
        optimizer.step()
        schedule.step()

    def _accumulate(self, optimizer: Any, batch: TrainingBatch, size: int) -> Tensor:
        """Gradients of the whole batch, `size` scenes at a time; returns the loss whose mean over all processes counts.

        Processes may have one scene more or less than others. What each divides by is the same, so that the mean of their
        gradients is the gradient of the batch.
        """
        share = self.recipe.batch_size / self.trainer.world_size
        optimizer.zero_grad()
        total = torch.zeros((), device=self.device)
        for start in range(0, len(batch), size):
            with self._synchronised(last=start + size >= len(batch)):
                loss = self.loss(batch.select(slice(start, start + size))).sum() / share
                self.manual_backward(loss)
            total += loss.detach()
        return total

    def _mean_of_all(self, loss: Tensor) -> Tensor:
        if self.trainer.world_size == 1:
            return loss
        strategy: Any = self.trainer.strategy
        mean: Tensor = strategy.reduce(loss, reduce_op="mean")
        return mean

    def _synchronised(self, *, last: bool) -> AbstractContextManager[None]:
        """Several devices exchange gradients once a step, with the last part."""
        strategy: Any = self.trainer.strategy
        waits = not last and self.trainer.world_size > 1
        return strategy.block_backward_sync() if waits else nullcontext()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["halvings"] = self.micro.halvings

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.micro.halvings = checkpoint["halvings"]

    def loss(self, batch: TrainingBatch) -> Tensor:
        """(B,)"""
        mixture = batch.mixture(self.network(*batch.network_input))
        return negative_log_likelihood(mixture, batch.truth_core)


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW; weights decay, biases and norms do not."""
    plan = recipe.optimizer
    matrices = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": plan.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=plan.lr, betas=(0.9, 0.98))


def rate_at(step: int, recipe: Recipe) -> float:
    """Learning rate as a share of its highest: linear up, cosine down to zero at the last step."""
    warmup = max(1, round(recipe.optimizer.warmup * recipe.steps))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, recipe.steps - warmup)))


@torch.no_grad()
def validate(module: EvidenceModule, pool: ScenePool) -> dict[str, float]:
    """Loss, and the median error against that of the likelihood's mode, on the pool's scenes."""
    losses, network_m, likelihood_m = [], [], []
    cells = module.recipe.network.cells
    module.network.eval()
    for start in range(0, len(pool), _VALIDATED_TOGETHER):
        batch = pool.windows(torch.arange(start, min(start + _VALIDATED_TOGETHER, len(pool))))
        mixture = batch.mixture(module.network(*batch.network_input))
        losses.append(negative_log_likelihood(mixture, batch.truth_core))
        core_m = batch.window.frame.core_m
        place = best_place(mixture, smoothing_core(cells))
        network_m.append((place - batch.truth_core).norm(dim=1) * core_m)
        likelihood_m.append(batch.truth_core.norm(dim=1) * core_m)
    module.network.train()
    network_median, likelihood_median = torch.cat(network_m).median(), torch.cat(likelihood_m).median()
    return {
        "validation_loss": float(torch.cat(losses).mean()),
        "validation_median_m": float(network_median),
        "validation_ratio": float(network_median / likelihood_median),
    }
