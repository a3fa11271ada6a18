"""Networks that are written down instead of trained: what a stack can represent, apart from what training finds.

All of them answer in the units in which the engine keeps examples, so they undo and redo the standardisation.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tuilab.engine.data import Split
from tuilab.engine.generated import FloatArray
from tuilab.engine.layout import ActivationNode, Layout, LinearNode
from tuilab.spec.errors import LabError
from tuilab.spec.layers import ActivationKind


def tent(layout: Layout, split: Split) -> NDArray[np.float32]:
    """The parameters (row_length,) of the k-fold triangle map of [0, 1], k hidden layers of two ReLU units.

    T(x) = relu(2x) - relu(4x - 2), so one layer computes T from the last one's two units (Telgarsky 2016, Lemma 3.10).
    The map doubles rounding errors at every fold: with 32-bit numbers they pass 1e-3 at about 13 folds.

    Raises:
        LabError: when the stack is not ``k*(2 relu)`` between one input and one output.

    """
    layers = _dense_relu(layout)
    if any(len(layer.weight.shape) != 2 or layer.weight.shape[0] != 2 for layer in layers[:-1]) or len(layers) < 2:
        raise LabError("init tent constructs k*(2 relu) on tasks with one input and one target; write such a stack")
    scaling = split.scaling
    mean_x, std_x = float(scaling.mean_x.reshape(-1)[0]), float(scaling.std_x.reshape(-1)[0])
    mean_y, std_y = float(scaling.mean_y.reshape(-1)[0]), float(scaling.std_y.reshape(-1)[0])
    row = np.zeros(layout.row_length, dtype=np.float32)
    slopes, shifts = np.array([[2.0], [4.0]]), np.array([0.0, -2.0])
    _write(row, layers[0], slopes * std_x, shifts + slopes[:, 0] * mean_x)
    for layer in layers[1:-1]:
        _write(row, layer, slopes * np.array([[1.0, -1.0]]), shifts)
    _write(row, layers[-1], np.array([[1.0, -1.0]]) / std_y, np.array([-mean_y / std_y]))
    return row


def interpolant(layout: Layout, split: Split) -> NDArray[np.float32]:
    """The parameters (row_length,) of the piecewise linear interpolant of the training examples with one hidden layer.

    A layer of n ReLU units has n pieces, whose ends lie evenly between the least and the largest training input; there
    it agrees with the examples (between two of them, with the line through both). Of a function whose second derivative
    stays below M it errs by at most M h^2 / 8 with pieces of width h.

    Raises:
        LabError: when the stack is not one hidden ReLU layer between one input and one output.

    """
    layers = _dense_relu(layout)
    if len(layers) != 2 or layers[0].weight.shape[1] != 1 or layers[1].weight.shape[0] != 1:
        raise LabError("init interpolant constructs one hidden relu layer on tasks with one input and one target")
    x = split.train.inputs.astype(np.float64).reshape(-1)
    order = np.argsort(x)
    knots = np.linspace(x[order[0]], x[order[-1]], layers[0].weight.shape[0] + 1)
    heights = np.interp(knots, x[order], split.train.targets.astype(np.float64).reshape(-1)[order])
    slopes = np.diff(heights) / np.maximum(np.diff(knots), 1e-12)
    row = np.zeros(layout.row_length, dtype=np.float32)
    _write(row, layers[0], np.ones((len(slopes), 1)), -knots[:-1])
    _write(row, layers[1], np.diff(slopes, prepend=0.0)[None], heights[:1])
    return row


def _dense_relu(layout: Layout) -> list[LinearNode]:
    """The linear layers of a stack in which they alternate with ReLU, from one input to one output.

    Raises:
        LabError: for any other stack.

    """
    layers = [node for node in layout.program if isinstance(node, LinearNode)]
    between = layout.program[1::2]
    relu = all(isinstance(node, ActivationNode) and node.kind is ActivationKind.RELU for node in between)
    biased = all(layer.bias is not None for layer in layers)
    fits = len(layers) == len(between) + 1 and all(a is b for a, b in zip(layers, layout.program[::2], strict=False))
    if layout.in_shape != (1,) or layout.out_features != 1 or not (relu and biased and fits):
        raise LabError(
            "init tent and init interpolant construct a network of linear layers with biases and relu between them, "
            "from one input to one target; use another init for this stack"
        )
    assert all(one.weight.shape[0] == other.weight.shape[1] for one, other in pairwise(layers)), "shapes were checked"
    return layers


def _write(row: NDArray[np.float32], layer: LinearNode, weight: FloatArray, bias: FloatArray) -> None:
    assert layer.bias is not None, "checked before"
    row[layer.weight.offset : layer.weight.end] = weight.reshape(-1)
    row[layer.bias.offset : layer.bias.end] = bias
