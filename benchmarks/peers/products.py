"""The limit: only the matrix products of a step, forward and backward, as fast as torch can multiply.

A convolution counts as the product of its patches with its kernels, and patches cost nothing. Replicas are multiplied
one by one or in one batched product; the caller tries both.
"""

import sys
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.peers.problem import Conv, Flatten, Layer, Linear, MaxPool, Problem, Relu
from benchmarks.peers.serving import serve


class Products:
    """All products of a step of every network, with buffers of their own."""

    def __init__(self, problem: Problem, replicas: int, threads: int, *, packed: bool) -> None:
        torch.set_num_threads(threads)
        self._steps = len(problem.x) // problem.batch
        self._networks, self._replicas, self._packed = len(problem.networks), replicas, packed
        lead = (replicas,) if packed else ()
        self._products = [
            product
            for layers in problem.networks
            for rows, inputs, outputs, first in shapes(layers, problem.x.shape[1:], problem.batch)
            for product in _three(lead, rows, inputs, outputs, first=first)
        ]

    def train(self, epochs: int) -> int:
        times = epochs * self._steps * (1 if self._packed else self._replicas)
        for _ in range(times):
            for product in self._products:
                product()
        return epochs * self._steps * self._replicas * self._networks

    def loss(self) -> float:
        return 0.0


def shapes(layers: tuple[Layer, ...], shape: tuple[int, ...], batch: int) -> list[tuple[int, int, int, bool]]:
    """Rows, inputs and outputs of each layer's product, and whether it is the first, which passes no gradient on."""
    found: list[tuple[int, int, int, bool]] = []
    for layer in layers:
        match layer:
            case Linear(inputs, outputs):
                found.append((batch, inputs, outputs, not found))
            case Conv(inputs, outputs, kernel):
                shape = (outputs, shape[1] - kernel + 1, shape[2] - kernel + 1)
                found.append((batch * shape[1] * shape[2], inputs * kernel**2, outputs, not found))
            case MaxPool(kernel):
                shape = (shape[0], shape[1] // kernel, shape[2] // kernel)
            case Flatten() | Relu():
                pass
    return found


def operations(problem: Problem) -> float:
    """Floating-point operations of the products of a step, the mean over the networks."""
    total = 0
    for layers in problem.networks:
        for rows, inputs, outputs, first in shapes(layers, problem.x.shape[1:], problem.batch):
            total += 2 * rows * inputs * outputs * (2 if first else 3)
    return total / len(problem.networks)


def _three(lead: tuple[int, ...], rows: int, inputs: int, outputs: int, *, first: bool) -> list[Callable[[], Tensor]]:
    """Output, gradient of the weights and, but for the first layer, gradient of the input."""
    x, weight, output = (
        torch.rand(*lead, rows, inputs),
        torch.rand(*lead, inputs, outputs),
        torch.rand(*lead, rows, outputs),
    )
    multiply = torch.bmm if lead else torch.mm
    products: list[Callable[[], Tensor]] = [
        partial(multiply, x, weight, out=output.clone()),
        partial(multiply, x.mT, output, out=weight.clone()),
    ]
    if not first:
        products.append(partial(multiply, output, weight.mT, out=x.clone()))
    return products


if __name__ == "__main__":
    serve(lambda problem, replicas, threads: Products(problem, replicas, threads, packed=sys.argv[2] == "packed"))
