"""Parameters that training leaves as they started."""

from tuilab.analysis.leaves import leaf
from tuilab.spec.layers import Layer, Linear, Repeat, Residual, Stack, Sum, children
from tuilab.spec.shapes import Shape, output_shape


def frozen_params(stack: Stack, shape: Shape) -> int:
    """Parameters of the layers of ``stack`` that are not trainable, for an input of ``shape``; layers must fit."""
    if not has_frozen(stack):
        return 0
    total = 0
    for layer in stack:
        total += _of_layer(layer, shape)
        shape = output_shape(layer, shape)
    return total


def has_frozen(stack: Stack) -> bool:
    """Whether any layer is not trainable."""
    return any(
        (isinstance(layer, Linear) and not layer.trainable) or any(map(has_frozen, children(layer))) for layer in stack
    )


def _of_layer(layer: Layer, shape: Shape) -> int:
    match layer:
        case Linear(trainable=False):
            return leaf(layer, shape).num_params
        case Residual(body):
            return frozen_params(body, shape)
        case Sum(branches):
            return sum(frozen_params(branch, shape) for branch in branches)
        case Repeat(times, body):
            return _of_repeat(times, body, shape)
        case _:
            return 0


def _of_repeat(times: int, body: Stack, shape: Shape) -> int:
    total = 0
    while times:
        out = output_shape(Repeat(1, body), shape)
        copies = times if out == shape else 1
        total += copies * frozen_params(body, shape)
        times -= copies
        shape = out
    return total
