"""A pack: some replicas of one network that train together, step after step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuilab.engine.batches import BatchOrder, batch_size
from tuilab.engine.data import Split
from tuilab.engine.init import initial_row
from tuilab.engine.layout import Layout
from tuilab.engine.losses import as_target, loss_per_example, metric_per_example
from tuilab.engine.optimizers import make_update
from tuilab.engine.packed import PackedNetwork, Pass, fresh_stats
from tuilab.engine.random import dropout_keys, generator
from tuilab.engine.schedules import factor
from tuilab.spec.training import Loss, Training

PartName: TypeAlias = Literal["train", "val", "test"]
LossArray: TypeAlias = NDArray[np.float64]

MAX_TRAIN_EVALUATED = 4096
"""Training examples that an evaluation looks at."""
_GATHER_BYTES = 4 << 20
"""Mini-batches are gathered ahead until they fill this much."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the replicas of a group share.

    Attributes:
        layout: the network.
        training: how it is optimised.
        loss: which loss, decided.
        seed: the experiment seed.
        device: where tensors live.
        dtype: of parameters and activations.

    """

    layout: Layout
    training: Training
    loss: Loss
    seed: int
    device: torch.device
    dtype: torch.dtype = torch.float32


@dataclass(frozen=True, slots=True)
class Member:
    """One replica: its seed, its learning rate and its examples."""

    seed_index: int
    lr: float
    split: Split


@dataclass(frozen=True, slots=True)
class Scores:
    """Loss and metric on some part, (replicas,) each."""

    loss: LossArray
    metric: LossArray


class Pack(Protocol):
    """What the training loop needs of some replicas that train together."""

    def run(self, first: int, last: int) -> LossArray:
        """Take the optimiser steps ``first`` to ``last`` (exclusive).

        Returns:
            (steps, replicas): the loss of each step's batch, before its update.

        """

    def evaluate(self, part: PartName) -> Scores:
        """Loss and metric without dropout, of the training part on its first 4,096 examples."""

    def dead_fraction(self) -> LossArray | None:
        """(replicas,): share of ReLU units (channels of an image) that are zero on all validation examples."""

    def keep(self, rows: list[int]) -> None:
        """Let all replicas but ``rows`` go."""


def initial_values(job: Job, members: Sequence[Member]) -> Tensor:
    """The replicas' parameters before training: (replicas, num_params)."""
    rows = [initial_row(job.layout, job.training, generator(job.seed, m.seed_index, "init")) for m in members]
    return torch.from_numpy(np.stack(rows)).to(job.device, job.dtype)


class AutogradPack:
    """Replicas differentiated by autograd; for any network."""

    def __init__(self, job: Job, members: Sequence[Member]) -> None:
        self._job = job
        self._members = list(members)
        seeds = tuple(member.seed_index for member in members)
        values = initial_values(job, members)
        self._network = PackedNetwork(
            job.layout,
            values,
            torch.zeros_like(values),
            dropout_keys(job.seed, seeds, job.layout.num_dropouts, job.device),
            fresh_stats(job.layout, values),
        )
        self._update = make_update(job.training.optimizer, values)
        self._rates = torch.tensor([[m.lr] for m in members], dtype=job.dtype, device=job.device)
        self._orders = [
            BatchOrder(len(m.split.train), job.training, generator(job.seed, m.seed_index, "batches")) for m in members
        ]
        self._parts = {name: [self._tensors(m.split, name) for m in members] for name in ("train", "val", "test")}

    @property
    def values(self) -> Tensor:
        """(replicas, num_params): the parameters, which training changes in place."""
        return self._network.values

    def run(self, first: int, last: int) -> LossArray:
        losses = torch.empty(last - first, len(self._members), dtype=self._job.dtype, device=self._job.device)
        for begin in range(first, last, self._chunk):
            end = min(last, begin + self._chunk)
            inputs, targets = self._gather(end - begin)
            for step in range(begin, end):
                losses[step - first] = self._step(step, inputs[:, step - begin], targets[:, step - begin])
        return losses.double().cpu().numpy()

    @property
    def _chunk(self) -> int:
        """Steps whose batches are gathered at once."""
        inputs = self._parts["train"][0][0]
        per_example = inputs[0].numel() * inputs.element_size()
        per_step = len(self._members) * batch_size(len(inputs), self._job.training) * per_example
        return max(1, _GATHER_BYTES // per_step)

    def _tensors(self, split: Split, name: str) -> tuple[Tensor, Tensor]:
        part = {"train": split.train, "val": split.val, "test": split.test}[name]
        inputs = torch.from_numpy(part.inputs).to(self._job.device, self._job.dtype)
        targets = torch.from_numpy(part.targets).to(self._job.device)
        return inputs, as_target(self._job.loss, targets, self._job.dtype)

    def _gather(self, count: int) -> tuple[Tensor, Tensor]:
        """The next ``count`` batches: inputs and targets (replicas, count, batch, ..)."""
        inputs, targets = [], []
        for order, (x, y) in zip(self._orders, self._parts["train"], strict=True):
            chosen = torch.from_numpy(order.take(count)).to(self._job.device)
            inputs.append(x[chosen])
            targets.append(y[chosen])
        return torch.stack(inputs), torch.stack(targets)

    def _step(self, step: int, x: Tensor, y: Tensor) -> Tensor:
        """One update; the loss (replicas,) of its batch."""
        loss = loss_per_example(self._job.loss, self._network(x, Pass(step)), y).mean(1)
        self._network.differentiate(loss)
        rates = self._rates * factor(self._job.training.schedule, step, self._job.training.steps)
        self._update.step(self._network.values, self._network.gradients, rates)
        return loss.detach()

    @torch.no_grad()
    def evaluate(self, part: PartName) -> Scores:
        pairs = self._parts[part]
        count = min(len(pairs[0][0]), MAX_TRAIN_EVALUATED) if part == "train" else len(pairs[0][0])
        loss = torch.zeros(len(pairs), dtype=torch.float64, device=self._job.device)
        metric = torch.zeros_like(loss)
        chunk = evaluation_chunk(self._job.layout)
        for begin in range(0, count, chunk):
            rows = slice(begin, min(count, begin + chunk))
            x, y = (torch.stack([pair[side][rows] for pair in pairs]) for side in (0, 1))
            output = self._network(x, Pass())
            loss += loss_per_example(self._job.loss, output, y).sum(1, dtype=torch.float64)
            metric += metric_per_example(self._job.loss, output, y).sum(1, dtype=torch.float64)
        scale = metric_scale(self._job.loss, [member.split for member in self._members], part, count)
        return Scores(loss.cpu().numpy() / count, metric.cpu().numpy() / count / scale)

    @torch.no_grad()
    def dead_fraction(self) -> LossArray | None:
        alive: list[Tensor] = []
        pairs = self._parts["val"]
        count, chunk = len(pairs[0][0]), evaluation_chunk(self._job.layout)
        for begin in range(0, count, chunk):
            relu: list[Tensor] = []
            x = torch.stack([pair[0][begin : begin + chunk] for pair in pairs])
            self._network(x, Pass(relu=relu))
            now = [(y > 0).flatten(3).any(-1).any(1) if y.dim() > 3 else (y > 0).any(1) for y in relu]
            alive = [a | b for a, b in zip(alive, now, strict=True)] if alive else now
        if not alive:
            return None
        return 1 - torch.cat(alive, 1).double().mean(1).cpu().numpy()

    def keep(self, rows: list[int]) -> None:
        old = self._network
        self._network = PackedNetwork(
            old.layout,
            old.values[rows],
            torch.zeros_like(old.values[rows]),
            old.dropout_keys[:, rows],
            [stats.keep(rows, len(self._members)) for stats in old.stats],
        )
        self._update.keep(rows)
        self._rates = self._rates[rows]
        self._members = [self._members[row] for row in rows]
        self._orders = [self._orders[row] for row in rows]
        self._parts = {name: [pairs[row] for row in rows] for name, pairs in self._parts.items()}


def evaluation_chunk(layout: Layout) -> int:
    """Examples evaluated at once; it depends on the network only, so that packing cannot change a sum's rounding."""
    return min(4096, max(64, (1 << 18) // layout.widest))


def metric_scale(loss: Loss, splits: Sequence[Split], part: PartName, count: int) -> LossArray:
    """(replicas,) what the mean metric of the first ``count`` examples is divided by: the target's variance or 1."""
    if loss in (Loss.CROSS_ENTROPY, Loss.BCE):
        return np.ones(len(splits))
    parts = [{"train": split.train, "val": split.val, "test": split.test}[part] for split in splits]
    return np.array([chosen.target_variance(count) for chosen in parts])
