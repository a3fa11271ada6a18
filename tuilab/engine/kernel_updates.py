"""Optimisers of the compiled kernel on one replica's row of parameters: torch.optim's updates, one fused loop each."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"
# ruff: noqa: ANN001, ANN201, ANN202

import numpy as np
from numpy.typing import NDArray

from tuilab.engine.kernel_elementwise import compiled
from tuilab.spec.training import Adam, AdamW, Momentum, Nesterov, Optimizer, RmsProp, Sgd

SGD, ADAM, RMSPROP = 0, 1, 2
_ZERO, _ONE = np.float32(0), np.float32(1)


def describe(optimizer: Optimizer) -> tuple[int, NDArray[np.float64]] | None:
    """The optimiser as the kernel takes it: a kind, and weight decay with four further numbers; None if unknown."""
    match optimizer:
        case Sgd(momentum=momentum, nesterov=nesterov, weight_decay=decay):
            return SGD, np.array([decay, momentum, float(nesterov), 0, 0])
        case Momentum(momentum=momentum, momentum_schedule="constant", weight_decay=decay):
            return SGD, np.array([decay, momentum, 0, 0, 0])
        case Nesterov(momentum=momentum, momentum_schedule="constant", weight_decay=decay):
            return SGD, np.array([decay, momentum, 1, 0, 0])
        case Adam(beta1=beta1, beta2=beta2, eps=eps, weight_decay=decay):
            return ADAM, np.array([decay, beta1, beta2, eps, 0])
        case AdamW(beta1=beta1, beta2=beta2, eps=eps, weight_decay=decay):
            return ADAM, np.array([decay, beta1, beta2, eps, 1])
        case RmsProp(alpha=alpha, eps=eps, momentum=momentum, weight_decay=decay):
            return RMSPROP, np.array([decay, alpha, eps, momentum, 0])
        case _:
            return None


@compiled
def update(kind, numbers, rate, step, values, gradients, first, second):
    """Move one replica's ``values``; ``first`` and ``second`` are the optimiser's state, ``step`` counts from 0."""
    if kind == SGD:
        _sgd(numbers, np.float32(rate), values, gradients, first)
    elif kind == ADAM:
        _adam(numbers, rate, step, values, gradients, first, second)
    else:
        _rmsprop(numbers, np.float32(rate), values, gradients, first, second)


@compiled
def _sgd(numbers, rate, values, gradients, velocity):
    decay, momentum = np.float32(numbers[0]), np.float32(numbers[1])
    ahead = momentum if numbers[2] > 0 else _ONE
    direct = _ONE if numbers[2] > 0 or momentum == _ZERO else _ZERO
    if momentum == _ZERO:
        ahead = _ZERO
    for j in range(len(values)):
        g = gradients[j] + decay * values[j]
        v = momentum * velocity[j] + g
        velocity[j] = v
        values[j] -= rate * (direct * g + ahead * v)


@compiled
def _adam(numbers, rate, step, values, gradients, first, second):
    decoupled = numbers[4] > 0
    shrink = np.float32(1 - rate * numbers[0]) if decoupled else _ONE
    decay = _ZERO if decoupled else np.float32(numbers[0])
    beta1, beta2, eps = np.float32(numbers[1]), np.float32(numbers[2]), np.float32(numbers[3])
    rest1, rest2 = np.float32(1 - numbers[1]), np.float32(1 - numbers[2])
    size = np.float32(rate / (1 - numbers[1] ** (step + 1)))
    root = np.float32(1 / np.sqrt(1 - numbers[2] ** (step + 1)))
    for j in range(len(values)):
        value = values[j] * shrink
        g = gradients[j] + decay * value
        m = beta1 * first[j] + rest1 * g
        v = beta2 * second[j] + rest2 * g * g
        first[j], second[j] = m, v
        values[j] = value - size * m / (np.sqrt(v) * root + eps)


@compiled
def _rmsprop(numbers, rate, values, gradients, velocity, square):
    decay, alpha, eps, momentum = (
        np.float32(numbers[0]),
        np.float32(numbers[1]),
        np.float32(numbers[2]),
        np.float32(numbers[3]),
    )
    rest = np.float32(1 - numbers[1])
    for j in range(len(values)):
        g = gradients[j] + decay * values[j]
        s = alpha * square[j] + rest * g * g
        square[j] = s
        v = momentum * velocity[j] + g / (np.sqrt(s) + eps)
        velocity[j] = v
        values[j] -= rate * v
