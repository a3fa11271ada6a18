"""torch.optim's updates on the flat parameters of many replicas, each with a learning rate of its own."""

from collections.abc import Sequence
from itertools import groupby
from typing import Protocol, assert_never

import torch
from torch import Tensor

from tuilab.engine.schedules import momentum_at
from tuilab.spec.training import (
    Adam,
    AdamW,
    LeastSquares,
    Momentum,
    MomentumSchedule,
    Nesterov,
    Optimizer,
    RmsProp,
    Sgd,
)


class Update(Protocol):
    """One optimiser: its state and its step, all in place."""

    def step(self, values: Tensor, gradients: Tensor, factor: float | Tensor) -> None:
        """Move ``values`` (R, row_length) by the learning rates times ``factor``; ``gradients`` may become scratch."""

    def keep(self, rows: list[int]) -> None:
        """Forget all replicas but ``rows``."""

    def set_lr(self, row: int, lr: float) -> None:
        """Give a replica another learning rate."""

    def moments(self) -> dict[str, Tensor]:
        """What it remembers of the steps taken, (R, row_length) each, by name."""

    def skip_to(self, step: int) -> None:
        """Count as if so many steps had been taken."""


def make_update(optimizer: Optimizer, values: Tensor, lrs: Sequence[float]) -> Update:
    """The optimiser with fresh state for ``values`` (R, row_length) and the learning rate of each replica."""
    match optimizer:
        case Sgd(momentum=momentum, nesterov=nesterov, weight_decay=decay):
            return SgdUpdate(values, lrs, momentum, decay, nesterov=nesterov)
        case Momentum(momentum=momentum, momentum_schedule=schedule, weight_decay=decay):
            return SgdUpdate(values, lrs, momentum, decay, nesterov=False, schedule=schedule)
        case Nesterov(momentum=momentum, momentum_schedule=schedule, weight_decay=decay):
            return SgdUpdate(values, lrs, momentum, decay, nesterov=True, schedule=schedule)
        case Adam() | AdamW():
            return AdamUpdate(values, lrs, optimizer)
        case RmsProp():
            return RmsPropUpdate(values, lrs, optimizer)
        case LeastSquares():
            return SgdUpdate(values, [0.0] * len(lrs), 0.0, 0.0, nesterov=False)
        case _:
            assert_never(optimizer)


class SgdUpdate:
    """``torch.optim.SGD`` without dampening, whose momentum may rise.

    Nesterov's look-ahead takes the next update's momentum, so that it is the method of Sutskever et al. 2013 (seen from
    the point at which the gradient is taken) also while momentum rises.
    """

    def __init__(
        self,
        values: Tensor,
        lrs: Sequence[float],
        momentum: float,
        weight_decay: float,
        *,
        nesterov: bool,
        schedule: MomentumSchedule = "constant",
    ) -> None:
        self._rates = values.new_tensor(lrs).unsqueeze(1)
        self._momentum, self._decay, self._nesterov = momentum, weight_decay, nesterov and momentum > 0
        self._schedule, self._count = schedule, 0
        self._velocity = torch.zeros_like(values) if momentum > 0 else None

    def step(self, values: Tensor, gradients: Tensor, factor: float | Tensor) -> None:
        direction = gradients
        if self._decay:
            direction = direction.add_(values, alpha=self._decay)
        if self._velocity is not None:
            now, following = (momentum_at(self._schedule, self._momentum, self._count + ahead) for ahead in (0, 1))
            velocity = self._velocity.mul_(now).add_(direction)
            direction = direction.add_(velocity, alpha=following) if self._nesterov else velocity
        self._count += 1
        values.addcmul_(direction, self._rates * factor, value=-1)

    def keep(self, rows: list[int]) -> None:
        self._rates = self._rates[rows]
        if self._velocity is not None:
            self._velocity = self._velocity[rows]

    def set_lr(self, row: int, lr: float) -> None:
        self._rates[row] = lr

    def moments(self) -> dict[str, Tensor]:
        return {} if self._velocity is None else {"velocity": self._velocity}

    def skip_to(self, step: int) -> None:
        self._count = step


class AdamUpdate:
    """``torch.optim.Adam`` and ``torch.optim.AdamW`` without AMSGrad: one fused call for each learning rate."""

    def __init__(self, values: Tensor, lrs: Sequence[float], optimizer: Adam | AdamW) -> None:
        self._optimizer, self._lrs = optimizer, list(lrs)
        self._first, self._second = torch.zeros_like(values), torch.zeros_like(values)
        self._count = torch.zeros((), device=values.device)

    def step(self, values: Tensor, gradients: Tensor, factor: float | Tensor) -> None:
        o = self._optimizer
        fused = torch._fused_adamw_ if isinstance(o, AdamW) else torch._fused_adam_
        self._count += 1
        for lr, begin, end in _stretches(self._lrs):
            fused(
                [values[begin:end]],
                [gradients[begin:end]],
                [self._first[begin:end]],
                [self._second[begin:end]],
                [],
                [self._count],
                lr=lr * factor,
                beta1=o.beta1,
                beta2=o.beta2,
                weight_decay=o.weight_decay,
                eps=o.eps,
                amsgrad=False,
                maximize=False,
            )

    def keep(self, rows: list[int]) -> None:
        self._first, self._second = self._first[rows], self._second[rows]
        self._lrs = [self._lrs[row] for row in rows]

    def set_lr(self, row: int, lr: float) -> None:
        self._lrs[row] = lr

    def moments(self) -> dict[str, Tensor]:
        return {"first": self._first, "second": self._second}

    def skip_to(self, step: int) -> None:
        self._count.fill_(step)


def _stretches(lrs: list[float]) -> list[tuple[float, int, int]]:
    """Neighbours with one learning rate: (lr, begin, end)."""
    found, begin = [], 0
    for lr, group in groupby(lrs):
        end = begin + sum(1 for _ in group)
        found.append((lr, begin, end))
        begin = end
    return found


class RmsPropUpdate:
    """``torch.optim.RMSprop``, not centred."""

    def __init__(self, values: Tensor, lrs: Sequence[float], optimizer: RmsProp) -> None:
        self._rates = values.new_tensor(lrs).unsqueeze(1)
        self._optimizer = optimizer
        self._square = torch.zeros_like(values)
        self._velocity = torch.zeros_like(values) if optimizer.momentum > 0 else None
        self._scratch = torch.empty_like(values)

    def step(self, values: Tensor, gradients: Tensor, factor: float | Tensor) -> None:
        o = self._optimizer
        if o.weight_decay:
            gradients.add_(values, alpha=o.weight_decay)
        self._square.mul_(o.alpha).addcmul_(gradients, gradients, value=1 - o.alpha)
        root = torch.sqrt(self._square, out=self._scratch).add_(o.eps)
        direction = torch.div(gradients, root, out=root)
        if self._velocity is not None:
            direction = self._velocity.mul_(o.momentum).add_(direction)
        values.addcmul_(direction, self._rates * factor, value=-1)

    def keep(self, rows: list[int]) -> None:
        self._rates = self._rates[rows]
        self._square, self._scratch = self._square[rows], self._scratch[rows]
        if self._velocity is not None:
            self._velocity = self._velocity[rows]

    def set_lr(self, row: int, lr: float) -> None:
        self._rates[row] = lr

    def moments(self) -> dict[str, Tensor]:
        velocity = {} if self._velocity is None else {"velocity": self._velocity}
        return {"square": self._square, **velocity}

    def skip_to(self, step: int) -> None:
        """Nothing of it depends on the number of steps."""
