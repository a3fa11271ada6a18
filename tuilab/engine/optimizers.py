"""torch.optim's updates on the flat parameters of many replicas, each with a learning rate of its own."""

from typing import Protocol, assert_never

import torch
from torch import Tensor

from tuilab.spec.training import Adam, AdamW, Momentum, Nesterov, Optimizer, RmsProp, Sgd


class Update(Protocol):
    """One optimiser: its state and its step, all in place."""

    def step(self, values: Tensor, gradients: Tensor, rates: Tensor) -> None:
        """Move ``values`` (R, num_params); may use ``gradients`` (the same shape) as scratch; ``rates`` is (R, 1)."""

    def keep(self, rows: list[int]) -> None:
        """Forget all replicas but ``rows``."""


def make_update(optimizer: Optimizer, values: Tensor) -> Update:
    """The optimiser with fresh state for ``values``: (R, num_params)."""
    match optimizer:
        case Sgd(momentum=momentum, nesterov=nesterov, weight_decay=decay):
            return SgdUpdate(values, momentum, decay, nesterov=nesterov)
        case Momentum(momentum=momentum, weight_decay=decay):
            return SgdUpdate(values, momentum, decay, nesterov=False)
        case Nesterov(momentum=momentum, weight_decay=decay):
            return SgdUpdate(values, momentum, decay, nesterov=True)
        case Adam() | AdamW():
            return AdamUpdate(values, optimizer)
        case RmsProp():
            return RmsPropUpdate(values, optimizer)
        case _:
            assert_never(optimizer)


class SgdUpdate:
    """``torch.optim.SGD`` without dampening."""

    def __init__(self, values: Tensor, momentum: float, weight_decay: float, *, nesterov: bool) -> None:
        self._momentum, self._decay, self._nesterov = momentum, weight_decay, nesterov and momentum > 0
        self._velocity = torch.zeros_like(values) if momentum > 0 else None

    def step(self, values: Tensor, gradients: Tensor, rates: Tensor) -> None:
        direction = gradients
        if self._decay:
            direction = direction.add_(values, alpha=self._decay)
        if self._velocity is not None:
            velocity = self._velocity.mul_(self._momentum).add_(direction)
            direction = direction.add_(velocity, alpha=self._momentum) if self._nesterov else velocity
        values.addcmul_(direction, rates, value=-1)

    def keep(self, rows: list[int]) -> None:
        if self._velocity is not None:
            self._velocity = self._velocity[rows]


class AdamUpdate:
    """``torch.optim.Adam`` and ``torch.optim.AdamW`` without AMSGrad."""

    def __init__(self, values: Tensor, optimizer: Adam | AdamW) -> None:
        self._optimizer = optimizer
        self._first, self._second = torch.zeros_like(values), torch.zeros_like(values)
        self._scratch = torch.empty_like(values)
        self._count = 0

    def step(self, values: Tensor, gradients: Tensor, rates: Tensor) -> None:
        o = self._optimizer
        self._count += 1
        if o.weight_decay and isinstance(o, AdamW):
            values.mul_(1 - rates * o.weight_decay)
        elif o.weight_decay:
            gradients.add_(values, alpha=o.weight_decay)
        self._first.lerp_(gradients, 1 - o.beta1)
        self._second.mul_(o.beta2).addcmul_(gradients, gradients, value=1 - o.beta2)
        first_bias, second_bias = 1 - o.beta1**self._count, 1 - o.beta2**self._count
        denominator = torch.sqrt(self._second, out=self._scratch).div_(second_bias**0.5).add_(o.eps)
        direction = torch.div(self._first, denominator, out=denominator)
        values.addcmul_(direction, rates / first_bias, value=-1)

    def keep(self, rows: list[int]) -> None:
        self._first, self._second = self._first[rows], self._second[rows]
        self._scratch = self._scratch[rows]


class RmsPropUpdate:
    """``torch.optim.RMSprop``, not centred."""

    def __init__(self, values: Tensor, optimizer: RmsProp) -> None:
        self._optimizer = optimizer
        self._square = torch.zeros_like(values)
        self._velocity = torch.zeros_like(values) if optimizer.momentum > 0 else None
        self._scratch = torch.empty_like(values)

    def step(self, values: Tensor, gradients: Tensor, rates: Tensor) -> None:
        o = self._optimizer
        if o.weight_decay:
            gradients.add_(values, alpha=o.weight_decay)
        self._square.mul_(o.alpha).addcmul_(gradients, gradients, value=1 - o.alpha)
        root = torch.sqrt(self._square, out=self._scratch).add_(o.eps)
        direction = torch.div(gradients, root, out=root)
        if self._velocity is not None:
            direction = self._velocity.mul_(o.momentum).add_(direction)
        values.addcmul_(direction, rates, value=-1)

    def keep(self, rows: list[int]) -> None:
        self._square, self._scratch = self._square[rows], self._scratch[rows]
        if self._velocity is not None:
            self._velocity = self._velocity[rows]
