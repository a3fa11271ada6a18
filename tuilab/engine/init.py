"""Initial parameters of one replica, from a generator of its own."""

from math import prod, sqrt
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from tuilab.engine.generated import FloatArray
from tuilab.engine.layout import BatchNormNode, ConvNode, LayerNormNode, Layout, LinearNode, Slot, nodes
from tuilab.spec.errors import LabError
from tuilab.spec.layers import Init
from tuilab.spec.training import Training

_SPARSE_INPUTS = 15


def initial_row(layout: Layout, training: Training, rng: np.random.Generator) -> NDArray[np.float32]:
    """A replica's parameters before training: (row_length,), zero in the gaps.

    Weights are drawn in the order of the layers by the training's init or the layer's own, times ``init_scale``;
    biases are normal with ``bias_std``, except that the inits ``torch`` and ``identity`` set them their own way.
    Scales of normalisation layers start at 1, shifts at 0.
    """
    row = np.zeros(layout.row_length, dtype=np.float32)
    for node in nodes(layout.program):
        if isinstance(node, LayerNormNode | BatchNormNode):
            row[node.weight.offset : node.weight.end] = 1
        elif isinstance(node, LinearNode | ConvNode):
            init = node.init or training.init
            weight = initial_weight(init, node.weight.shape, rng) * training.init_scale
            row[node.weight.offset : node.weight.end] = weight.ravel()
            if node.bias is not None:
                bias = _bias(init, node.bias, prod(node.weight.shape[1:]), training.bias_std, rng)
                row[node.bias.offset : node.bias.end] = bias
    return row


def initial_weight(init: Init, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """A weight (out, in) or (out, in, kernel, kernel); fans as in ``torch.nn.init``."""
    receptive = prod(shape[2:])
    fan_in, fan_out = shape[1] * receptive, shape[0] * receptive
    match init:
        case Init.TORCH:
            return rng.uniform(-1, 1, shape) / sqrt(fan_in)
        case Init.HE_NORMAL:
            return rng.standard_normal(shape) * sqrt(2 / fan_in)
        case Init.HE_UNIFORM:
            return rng.uniform(-1, 1, shape) * sqrt(6 / fan_in)
        case Init.XAVIER_NORMAL:
            return rng.standard_normal(shape) * sqrt(2 / (fan_in + fan_out))
        case Init.XAVIER_UNIFORM:
            return rng.uniform(-1, 1, shape) * sqrt(6 / (fan_in + fan_out))
        case Init.ORTHOGONAL:
            return sqrt(2) * _orthogonal(shape[0], fan_in, rng).reshape(shape)
        case Init.SPARSE:
            return _sparse(shape[0], fan_in, rng).reshape(shape)
        case Init.IDENTITY:
            return _identity(shape)
        case Init.TENT | Init.INTERPOLANT:
            raise LabError(f"init {init.value} constructs a whole network; set it as training.init, not in a layer")
        case _:
            assert_never(init)


def _bias(init: Init, slot: Slot, fan_in: int, bias_std: float, rng: np.random.Generator) -> FloatArray:
    if init is Init.TORCH:
        return rng.uniform(-1, 1, slot.shape) / sqrt(fan_in)
    if init is Init.IDENTITY:
        return np.zeros(slot.shape)
    return bias_std * rng.standard_normal(slot.shape)


def _orthogonal(rows: int, columns: int, rng: np.random.Generator) -> FloatArray:
    """Orthonormal rows or columns, whichever are fewer, uniformly distributed."""
    draw = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(draw)
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return q if rows >= columns else q.T


def _sparse(rows: int, columns: int, rng: np.random.Generator) -> FloatArray:
    """Normal weights on at most 15 inputs of each row (Martens 2010)."""
    weight = np.zeros((rows, columns))
    for row in weight:
        chosen = rng.permutation(columns)[:_SPARSE_INPUTS]
        row[chosen] = rng.standard_normal(len(chosen))
    return weight


def _identity(shape: tuple[int, ...]) -> FloatArray:
    """Ones on the diagonal; of a convolution at the middle of the kernel, so that it passes its input on."""
    weight = np.zeros(shape)
    diagonal = np.arange(min(shape[:2]))
    if len(shape) == 2:
        weight[diagonal, diagonal] = 1
    else:
        weight[diagonal, diagonal, shape[2] // 2, shape[3] // 2] = 1
    return weight
