"""Degrees of freedom: how many numbers a network's parameters really are."""

from tuilab.analysis.families import (
    Affine,
    Curved,
    Piece,
    Scaling,
    around,
    close,
    compose,
    dense,
    opaque,
    parallel,
    passing,
    power,
)
from tuilab.analysis.leaves import leaf
from tuilab.spec.layers import (
    Activation,
    ActivationKind,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    Layer,
    LayerNorm,
    Linear,
    MaxPool,
    Repeat,
    Residual,
    Stack,
    Sum,
)
from tuilab.spec.network import Network
from tuilab.spec.shapes import Shape

HOMOGENEOUS = (ActivationKind.RELU, ActivationKind.LEAKY_RELU)
"""Activations with f(c x) = c f(x) for c > 0: each of their units can trade scale with the layer after it."""


def degrees_of_freedom(network: Network) -> int:
    """Parameters left after collapse: how many numbers tell the network's functions apart.

    Exact for networks of trained linear layers, sums and residuals without non-linearities (the dimension of their
    family of functions, equal to the rank of the Jacobian of outputs by parameters). With non-linearities an upper
    bound: affine pieces collapsed, one scaling symmetry taken off for every ReLU unit between two of them. Dropout with
    p > 0, norms and convolutions are not collapsed. Layers that are not trainable add none.

    Raises:
        ShapeError: when layers do not fit each other.

    """
    return stack_degrees(network.layers, network.in_shape)


def stack_degrees(stack: Stack, shape: Shape) -> int:
    """``degrees_of_freedom`` of a part of a network without ``out``, on an input of ``shape``."""
    return close(stack_piece(stack, shape)[0])


def stack_family(stack: Stack, shape: Shape) -> Affine | None:
    """The family of affine maps that a part of a network without ``out`` reaches; None when it is not affine."""
    piece, _ = stack_piece(stack, shape)
    return piece if isinstance(piece, Affine) else None


def stack_piece(stack: Stack, shape: Shape) -> tuple[Piece, Shape]:
    """What a part of a network without ``out`` is to ``families.compose``, and the shape that it puts out."""
    piece: Piece = passing(_features(shape))
    for layer in stack:
        more, shape = _layer_piece(layer, shape)
        piece = compose(piece, more)
    return piece, shape


def is_transparent(layer: Layer) -> bool:
    """Whether ``layer`` hands on its input unchanged, up to its shape."""
    if isinstance(layer, Activation):
        kind = layer.kind
        return kind is ActivationKind.IDENTITY or (kind is ActivationKind.LEAKY_RELU and layer.negative_slope == 1)
    return layer.p == 0 if isinstance(layer, Dropout) else isinstance(layer, Flatten)


def _features(shape: Shape) -> int:
    """The dimension that linear layers act on; of an image, its channels."""
    return shape[0] if len(shape) == 3 else shape[-1]


def _layer_piece(layer: Layer, shape: Shape) -> tuple[Piece, Shape]:
    match layer:
        case Linear(width, bias, trainable=trainable):
            piece = dense(shape[-1], width, bias) if trainable else _fixed(shape[-1], width, 0)
            return piece, (*shape[:-1], width)
        case Activation(kind) if not is_transparent(layer):
            features = _features(shape)
            return around(features, features, Scaling(features, kind not in HOMOGENEOUS)), shape
        case Residual(body):
            inside, out = stack_piece(body, shape)
            ends = Scaling(_features(shape), False)
            return parallel([passing(_features(shape)), inside], ends, ends), out
        case Sum(branches):
            pieces = [stack_piece(branch, shape) for branch in branches]
            out = pieces[0][1]
            parting, meeting = Scaling(_features(shape), False), Scaling(_features(out), False)
            return parallel([piece for piece, _ in pieces], parting, meeting), out
        case Repeat(times, body):
            return _repeat_piece(times, body, shape)
        case _:
            return _leaf_piece(layer, shape)


def _repeat_piece(times: int, body: Stack, shape: Shape) -> tuple[Piece, Shape]:
    piece: Piece = passing(_features(shape))
    while times:
        more, out = stack_piece(body, shape)
        copies = times if out == shape else 1
        piece = compose(piece, power(more, copies))
        times -= copies
        shape = out
    return piece, shape


def _leaf_piece(layer: Layer, shape: Shape) -> tuple[Piece, Shape]:
    if is_transparent(layer) and not (isinstance(layer, Flatten) and len(shape) > 1):
        return passing(_features(shape)), shape
    cost = leaf(layer, shape)
    before, after = _features(shape), _features(cost.out_shape)
    match layer:
        case Conv():
            piece = opaque(before, after, Scaling(before, False), Scaling(after, False), cost.num_params)
        case LayerNorm() | BatchNorm():
            piece = _fixed(before, after, cost.num_params)
        case Dropout() | MaxPool() | AvgPool() | Flatten():
            piece = around(before, after, Scaling(before, False))
        case _:
            raise AssertionError(layer)
    return piece, cost.out_shape


def _fixed(before: int, after: int, dimension: int) -> Curved:
    """A layer with ``dimension`` parameters that no scaling moves through."""
    return opaque(before, after, Scaling(before, True), Scaling(after, True), dimension)
