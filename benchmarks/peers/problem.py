"""What a peer is given to train, in plain values: it is read where neither tuilab nor torch is installed."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Linear:
    """inputs to outputs, with a bias."""

    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class Conv:
    """A square kernel without padding, with a bias."""

    inputs: int
    outputs: int
    kernel: int


@dataclass(frozen=True, slots=True)
class MaxPool:
    """As far apart as they are wide."""

    kernel: int


@dataclass(frozen=True, slots=True)
class Flatten:
    """Channels, rows, columns to one row of numbers."""


@dataclass(frozen=True, slots=True)
class Relu:
    """max(x, 0)."""


Layer: TypeAlias = Linear | Conv | MaxPool | Flatten | Relu


@dataclass(frozen=True, slots=True)
class Problem:
    """One benchmark.

    Attributes:
        networks: the layers of each architecture.
        x: (examples, *shape of one example), channels first.
        y: (examples,) class numbers.
        loss: ``bce`` has one output, the logit of class 1.
        optimizer: Adam as in its paper, or SGD with momentum 0.9.
        batch: examples a step.
        lr: learning rate.

    """

    networks: tuple[tuple[Layer, ...], ...]
    x: FloatArray
    y: NDArray[np.int64]
    loss: Literal["cross_entropy", "bce"]
    optimizer: Literal["adam", "momentum"]
    batch: int
    lr: float

    def save(self, path: Path) -> None:
        path.write_bytes(pickle.dumps(self))

    @classmethod
    def load(cls, path: Path) -> "Problem":
        problem = pickle.loads(path.read_bytes())
        assert isinstance(problem, cls)
        return problem


def first_weights(layers: tuple[Layer, ...]) -> list[tuple[FloatArray, FloatArray]]:
    """Where peers begin: He-normal weights (outputs, inputs[, kernel, kernel]) and zero biases, layer by layer."""
    rng = np.random.default_rng(0)
    weights = []
    for layer in layers:
        match layer:
            case Linear(inputs, outputs):
                shape: tuple[int, ...] = (outputs, inputs)
            case Conv(inputs, outputs, kernel):
                shape = (outputs, inputs, kernel, kernel)
            case _:
                continue
        scale = np.sqrt(2 / np.prod(shape[1:]))
        weights.append((rng.normal(0, scale, shape).astype(np.float32), np.zeros(shape[0], np.float32)))
    return weights
