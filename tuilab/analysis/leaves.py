"""What one layer without layers inside costs: parameters, multiplies and outputs for a given input shape."""

from math import prod
from typing import NamedTuple

from tuilab.spec.layers import BatchNorm, Conv, Layer, LayerNorm, Linear
from tuilab.spec.shapes import Shape, output_shape


class Leaf(NamedTuple):
    """The cost of one leaf layer.

    Attributes:
        out_shape: its output, without the batch dimension.
        num_params: weights, biases, scales and shifts.
        macs: weight multiplies per sample; biases, norms, activations and pooling count 0.
        activations: numbers in its output, per sample.

    """

    out_shape: Shape
    num_params: int
    macs: int
    activations: int


def leaf(layer: Layer, shape: Shape, path: tuple[int, ...] = ()) -> Leaf:
    """The cost of ``layer`` on an input of ``shape``; residual, sum and repeat are no leaves.

    Raises:
        ShapeError: when the layer does not fit, with ``path``.

    """
    out = output_shape(layer, shape, path)
    size = out[0] if len(out) == 1 else prod(out)
    match layer:
        case Linear(width, bias):
            weights = shape[-1] * width
            positions = 1 if len(shape) == 1 else prod(shape[:-1])
            return Leaf(out, weights + width if bias else weights, weights * positions, size)
        case Conv(channels, kernel, bias=bias):
            weights = channels * shape[0] * kernel * kernel
            return Leaf(out, weights + channels if bias else weights, weights * out[1] * out[2], size)
        case LayerNorm():
            return Leaf(out, 2 * (prod(shape) if len(shape) == 3 else shape[-1]), 0, size)
        case BatchNorm():
            return Leaf(out, 2 * shape[0], 0, size)
        case _:
            return Leaf(out, 0, 0, size)
