"""Packs of networks with layers that stay as they started: trained beside them, or solved for the last layer."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tuilab.engine.generated import FloatArray
from tuilab.engine.layout import LinearNode, Slot, frozen_slots, parameter_slots
from tuilab.engine.optimizers import Update
from tuilab.engine.pack import Job, LossArray, Member
from tuilab.engine.plan import plans_know
from tuilab.engine.torch_packs import AutogradPack, PlanPack
from tuilab.spec.errors import LabError
from tuilab.spec.training import LeastSquares, Loss, Momentum, Nesterov


def special_pack(job: Job) -> type[AutogradPack | PlanPack] | None:
    """The kind of pack for what only some know; None where any kind that knows the layers will do.

    Layers that stay as they are and least squares are known here; momentum that rises to all packs on tensors.
    """
    optimizer = job.training.optimizer
    if isinstance(optimizer, LeastSquares):
        return LeastSquaresPack
    if frozen_slots(job.layout.program):
        return FrozenPack
    if isinstance(optimizer, Momentum | Nesterov) and optimizer.momentum_schedule != "constant":
        return PlanPack if plans_know(job.layout) else AutogradPack
    return None


class FrozenPack(AutogradPack):
    """Replicas with layers that neither gradients nor weight decay move."""

    def __init__(self, job: Job, members: Sequence[Member]) -> None:
        super().__init__(job, members)
        self._update = _Keeping(self._update, frozen_slots(job.layout.program))


class _Keeping:
    """An optimiser that leaves some parameters where they are."""

    def __init__(self, update: Update, slots: Sequence[Slot]) -> None:
        self._update, self._slots = update, list(slots)

    def step(self, values: Tensor, gradients: Tensor, factor: float | Tensor) -> None:
        kept = [values[:, slot.offset : slot.end].clone() for slot in self._slots]
        self._update.step(values, gradients, factor)
        for slot, before in zip(self._slots, kept, strict=True):
            values[:, slot.offset : slot.end] = before

    def keep(self, rows: list[int]) -> None:
        self._update.keep(rows)

    def set_lr(self, row: int, lr: float) -> None:
        self._update.set_lr(row, lr)

    def moments(self) -> dict[str, Tensor]:
        return self._update.moments()

    def skip_to(self, step: int) -> None:
        self._update.skip_to(step)


class LeastSquaresPack(AutogradPack):
    """Replicas whose last layer is solved for at step 0; further steps change nothing."""

    def __init__(self, job: Job, members: Sequence[Member]) -> None:
        self._last = _last_layer(job)
        super().__init__(job, members)

    def run(self, first: int, last: int) -> LossArray:
        losses = np.empty((last - first, len(self._examples.members)))
        for step in range(first, last):
            losses[step - first] = self.evaluate("train").loss
            if step == 0:
                self._solve()
        return losses

    @torch.no_grad()
    def _solve(self) -> None:
        weight, bias = self._last.weight, self._last.bias
        count = len(self._examples.members[0].split.train)
        x, y = self._examples.stacked("train", 0, count)
        features, targets = (each.double().cpu().numpy() for each in (self._network.before_last(x), y))
        for row, (own, wanted) in enumerate(zip(features, targets, strict=True)):
            solution = solve(own, wanted, self._ridge, bias=bias is not None)
            found = torch.from_numpy(solution).to(self._own.values)
            self._own.values[row, weight.offset : weight.end] = found[: weight.shape[1]].T.reshape(-1)
            if bias is not None:
                self._own.values[row, bias.offset : bias.end] = found[-1]

    @property
    def _ridge(self) -> float:
        optimizer = self._job.training.optimizer
        return optimizer.ridge if isinstance(optimizer, LeastSquares) else 0.0


def _last_layer(job: Job) -> LinearNode:
    """The layer to be solved for.

    Raises:
        LabError: when another layer would have to be trained, or the loss is not the squared error.

    """
    program = job.layout.program
    last = program[-1]
    if job.loss is not Loss.MSE:
        raise LabError(
            "optimizer least_squares solves for the squared error; use it with loss mse on a regression task"
        )
    trained = len(parameter_slots(program)) - len(frozen_slots(program))
    if not isinstance(last, LinearNode) or not last.trainable or trained != (1 if last.bias is None else 2):
        raise LabError(
            "optimizer least_squares solves for the last layer only; freeze the others, as in "
            "linear(200, trainable=false) relu"
        )
    return last


def solve(features: FloatArray, targets: FloatArray, ridge: float, *, bias: bool) -> FloatArray:
    """Weights of the least squared error, of those the smallest.

    Args:
        features: (examples, features).
        targets: (examples, targets).
        ridge: times the number of examples, the price of a unit of squared weight; the bias is free.
        bias: whether there is a constant feature.

    Returns:
        (features, targets), with the bias as one more row at the end.

    """
    count, width = features.shape
    design = np.column_stack([features, np.ones(count)]) if bias else features
    if ridge > 0:
        penalty = np.zeros((width, design.shape[1]))
        penalty[:, :width] = np.sqrt(ridge * count) * np.eye(width)
        design = np.vstack([design, penalty])
        targets = np.vstack([targets, np.zeros((width, targets.shape[1]))])
    # torch's LAPACK keeps to the engine's threads; NumPy's takes every core, which other engines hold.
    found = torch.linalg.lstsq(torch.from_numpy(design), torch.from_numpy(targets), driver="gelsd")
    return np.asarray(found.solution.numpy(), dtype=np.float64)
