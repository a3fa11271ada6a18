"""Tasks drawn from a formula: inputs and targets of any number of examples, before standardisation."""

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from tuilab.engine.random import generator
from tuilab.engine.signals import mnist1d
from tuilab.spec.task import (
    Additive,
    Blobs,
    Circles,
    Mnist1d,
    Parity,
    Plane,
    Radial,
    Sawtooth,
    Spirals,
    Teacher,
    Wave,
    Xor,
)

Generated: TypeAlias = (
    Spirals | Circles | Xor | Blobs | Parity | Radial | Sawtooth | Wave | Additive | Teacher | Plane | Mnist1d
)
FloatArray: TypeAlias = NDArray[np.float64]
Targets: TypeAlias = NDArray[np.float64] | NDArray[np.int64]

_SCALE_SAMPLE = 20_000
"""Inputs on which a teacher's variance is measured, once for the experiment."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Examples in the task's own units.

    Attributes:
        inputs: (examples, *in_shape).
        targets: (examples,) class numbers, or (examples, num_targets) numbers.

    """

    inputs: FloatArray
    targets: Targets


def draw(task: Generated, seed: int, count: int, rng: np.random.Generator) -> Raw:
    """``count`` fresh examples; what all seeds share (weights, centres) derives from the experiment ``seed`` only."""
    match task:
        case Spirals():
            return _spirals(task, count, rng)
        case Circles(noise=noise, factor=factor):
            labels = _balanced(count, 2, rng)
            angle = rng.uniform(0, 2 * np.pi, count)
            ring = np.stack([np.cos(angle), np.sin(angle)], 1) * (1 - (1 - factor) * labels[:, None])
            return Raw(ring + noise * rng.standard_normal((count, 2)), labels)
        case Xor(noise=noise):
            x = rng.uniform(-1, 1, (count, 2))
            labels = ((x[:, 0] > 0) != (x[:, 1] > 0)).astype(np.int64)
            return Raw(x + noise * rng.standard_normal((count, 2)), labels)
        case Blobs(classes=classes, dim=dim, spread=spread, noise=noise):
            centres = generator(seed, None, "blob centres").uniform(-spread, spread, (classes, dim))
            labels = _balanced(count, classes, rng)
            return Raw(centres[labels] + noise * rng.standard_normal((count, dim)), labels)
        case Parity(bits=bits, dim=dim):
            x = rng.integers(0, 2, (count, dim)).astype(np.float64) * 2 - 1
            return Raw(x, (np.prod(x[:, :bits], axis=1) < 0).astype(np.int64))
        case Sawtooth(folds=folds, noise=noise):
            x = rng.uniform(0, 1, (count, 1))
            return _noisy(x, sawtooth(x[:, 0], folds), noise, rng)
        case Wave(periods=periods, noise=noise):
            x = rng.uniform(0, 1, (count, 1))
            return _noisy(x, np.sin(2 * np.pi * periods * x[:, 0]), noise, rng)
        case Mnist1d(noise=noise):
            labels = _balanced(count, 10, rng)
            return Raw(mnist1d(labels, noise, rng), labels)
        case Radial() | Additive() | Teacher() | Plane():
            x = rng.standard_normal((count, task.dim))
            noise = task.noise**0.5 if isinstance(task, Plane) else task.noise
            return _noisy(x, target_function(task, seed, x), noise, rng)
        case _:
            assert_never(task)


def target_function(task: Radial | Additive | Teacher | Plane, seed: int, x: FloatArray) -> FloatArray:
    """The noiseless target (examples,) of normal inputs ``x``: (examples, dim)."""
    match task:
        case Radial(dim=dim):
            return np.asarray(np.sin(2 * np.sqrt(dim) * (np.sum(x**2, axis=1) / dim - 1)), dtype=np.float64)
        case Additive(dim=dim):
            return np.asarray(np.sum(np.sin(3 * x + 0.7 * np.arange(dim)), axis=1), dtype=np.float64)
        case Plane(dim=dim, noise=noise):
            w = generator(seed, None, "plane").standard_normal(dim)
            return np.asarray(x @ (w * (np.sqrt(1 - noise) / np.linalg.norm(w))), dtype=np.float64)
        case Teacher():
            return _teacher(task, seed, x)
        case _:
            assert_never(task)


def sawtooth(x: FloatArray, folds: int) -> FloatArray:
    """The ``folds``-fold composition of the triangle map t -> 1 - |1 - 2t| of [0, 1] (Telgarsky 2016)."""
    for _ in range(folds):
        x = 1 - np.abs(1 - 2 * x)
    return x


def _spirals(task: Spirals, count: int, rng: np.random.Generator) -> Raw:
    labels = _balanced(count, task.classes, rng)
    radius = np.sqrt(rng.uniform(0, 1, count))
    angle = 2 * np.pi * (task.turns * radius + labels / task.classes)
    noise = task.noise * rng.standard_normal((count, 2))
    return Raw(1.7 * (radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1) + noise), labels)


def _teacher(task: Teacher, seed: int, x: FloatArray) -> FloatArray:
    rng = generator(seed, None, "teacher")
    sizes = (task.dim, *task.widths, 1)
    pairs = list(pairwise(sizes))
    weights = [rng.standard_normal((n_in, n_out)) * sqrt(2 / n_in) for n_in, n_out in pairs]
    biases = [0.5 * rng.standard_normal(n_out) for _, n_out in pairs]

    def run(h: FloatArray) -> FloatArray:
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            h = np.maximum(h @ weight + bias, 0)
        return np.asarray((h @ weights[-1] + biases[-1])[:, 0], dtype=np.float64)

    sample = run(rng.standard_normal((_SCALE_SAMPLE, task.dim)))
    mean, scale = float(sample.mean()), float(sample.std())
    return (run(x) - mean) / (scale if scale > 0 else 1.0)


def _balanced(count: int, classes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Class numbers, as equally many of each as possible, in random order."""
    return rng.permutation(np.arange(count, dtype=np.int64) % classes)


def _noisy(x: FloatArray, y: FloatArray, noise: float, rng: np.random.Generator) -> Raw:
    return Raw(x, (y + noise * rng.standard_normal(len(y)))[:, None])
