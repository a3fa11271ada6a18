"""Keras 3: compile and fit, on the backend that KERAS_BACKEND names.

On JAX an epoch of up to 32 steps is one compiled call (``steps_per_execution``); on PyTorch Keras offers only 1.
"""

import os
from typing import Any

import keras
import numpy as np

from benchmarks.peers.problem import Conv, Flatten, Layer, Linear, MaxPool, Problem, Relu, first_weights
from benchmarks.peers.serving import serve


class Fit:
    """Every network as a compiled model."""

    def __init__(self, problem: Problem, replicas: int, threads: int) -> None:
        if keras.backend.backend() == "torch":
            import torch

            torch.set_num_threads(threads)
        images = problem.x.ndim == 4
        self._x = np.ascontiguousarray(problem.x.transpose(0, 2, 3, 1)) if images else problem.x
        self._y = problem.y.astype(np.float32)[:, None] if problem.loss == "bce" else problem.y
        self._problem = problem
        self._models = [self._compiled(layers) for layers in problem.networks]

    def train(self, epochs: int) -> int:
        for model in self._models:
            model.fit(self._x, self._y, batch_size=self._problem.batch, epochs=epochs, shuffle=True, verbose=0)
        return epochs * len(self._models) * len(self._x) // self._problem.batch

    def loss(self) -> float:
        losses = [model.evaluate(self._x, self._y, batch_size=1024, verbose=0) for model in self._models]
        return float(sum(losses) / len(losses))

    def _compiled(self, layers: tuple[Layer, ...]) -> Any:  # noqa: ANN401
        model = keras.Sequential([keras.Input(self._x.shape[1:]), *map(_layer, layers)])
        model.set_weights([array for pair in first_weights(layers) for array in _as_keras(*pair)])
        problem = self._problem
        if problem.optimizer == "adam":
            optimizer = keras.optimizers.Adam(problem.lr, epsilon=1e-8)
        else:
            optimizer = keras.optimizers.SGD(problem.lr, momentum=0.9)
        if problem.loss == "bce":
            loss = keras.losses.BinaryCrossentropy(from_logits=True)
        else:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        steps = min(32, len(problem.x) // problem.batch) if os.environ["KERAS_BACKEND"] == "jax" else 1
        model.compile(optimizer, loss, steps_per_execution=steps)
        return model


def _layer(layer: Layer) -> Any:  # noqa: ANN401
    match layer:
        case Linear(_, outputs):
            return keras.layers.Dense(outputs)
        case Conv(_, outputs, kernel):
            return keras.layers.Conv2D(outputs, kernel)
        case MaxPool(kernel):
            return keras.layers.MaxPooling2D(kernel)
        case Flatten():
            return keras.layers.Flatten()
        case Relu():
            return keras.layers.ReLU()


def _as_keras(weight: Any, bias: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Channels last: (inputs, outputs), or (rows, columns, inputs, outputs)."""
    return (weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T), bias


if __name__ == "__main__":
    serve(Fit)
