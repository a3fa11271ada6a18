"""Random stacks that fit: every layer kind, with residuals, sums and repeats, from a ``random.Random``."""

from random import Random

from tuilab.spec.errors import ShapeError
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
from tuilab.spec.shapes import Shape, output_shape, stack_shape

KINDS = tuple(ActivationKind)


def random_network(rng: Random) -> Network:
    """A network of up to about 30 layers on features, positions or a small image."""
    shape: Shape = rng.choice(
        [
            (rng.randint(1, 9),),
            (rng.randint(1, 9),),
            (rng.randint(1, 4), rng.randint(1, 6)),
            (rng.randint(1, 3), rng.randint(3, 9), rng.randint(3, 9)),
        ]
    )
    stack = random_stack(rng, shape, rng.randint(0, 8), depth=2)
    end = stack_shape(stack, shape)
    if len(end) == 1 and rng.random() < 0.7:
        return Network(stack, shape, rng.randint(1, 5))
    if len(end) > 1 and rng.random() < 0.5:
        return Network((*stack, Flatten()), shape, rng.randint(1, 5))
    return Network(stack, shape)


def random_stack(rng: Random, shape: Shape, length: int, depth: int) -> Stack:
    layers: list[Layer] = []
    for _ in range(length):
        layer = _random_layer(rng, shape, depth)
        shape = output_shape(layer, shape)
        layers.append(layer)
    return tuple(layers)


def _random_layer(rng: Random, shape: Shape, depth: int) -> Layer:
    if depth and rng.random() < 0.25:
        return _random_container(rng, shape, depth)
    simple: list[Layer] = [
        Activation(rng.choice(KINDS)),
        Activation(ActivationKind.LEAKY_RELU, rng.choice([0.01, 0.2])),
        Dropout(rng.choice([0.0, 0.3])),
        LayerNorm(),
    ]
    if len(shape) != 2:
        simple.append(BatchNorm())
    if rng.random() < 0.2:
        simple.append(Flatten())
    if len(shape) == 3:
        simple = [*simple, *_windows(rng, shape), *_windows(rng, shape)]
    elif rng.random() < 0.6:
        return _linear(rng, rng.randint(1, 9))
    return rng.choice(simple)


def _linear(rng: Random, width: int) -> Linear:
    return Linear(width, bias=rng.random() < 0.8, locked=rng.random() < 0.1, trainable=rng.random() < 0.95)


def _windows(rng: Random, shape: Shape) -> list[Layer]:
    kernel = rng.randint(1, min(3, *shape[1:]))
    padding = rng.randint(0, kernel // 2)
    stride = rng.choice([None, 1, 2])
    return [
        Conv(rng.randint(1, 4), kernel, rng.choice([1, 1, 2]), rng.randint(0, 2), bias=rng.random() < 0.8),
        MaxPool(kernel, stride, padding),
        AvgPool(kernel, stride, padding),
    ]


def _random_container(rng: Random, shape: Shape, depth: int) -> Layer:
    match rng.choice(["repeat", "residual", "sum"]):
        case "repeat":
            body = random_stack(rng, shape, rng.randint(1, 3), depth - 1)
            times = rng.randint(1, 4)
            try:
                output_shape(Repeat(times, body), shape)
            except ShapeError:
                return Activation(ActivationKind.RELU)
            return Repeat(times, body)
        case "residual":
            return Residual(_ending_in(rng, shape, shape, depth - 1))
        case _:
            end = shape if len(shape) == 3 else (*shape[:-1], rng.randint(1, 9))
            return Sum(tuple(_ending_in(rng, shape, end, depth - 1) for _ in range(rng.randint(1, 3))))


def _ending_in(rng: Random, shape: Shape, end: Shape, depth: int) -> Stack:
    """A stack from ``shape`` to ``end``, which differ at most in the features."""
    if len(shape) == 3:
        middle: list[Layer] = [Conv(rng.randint(1, 4), 3, padding=1), Activation(ActivationKind.RELU)]
        return (*rng.choice([[], middle]), Conv(end[0], 1, bias=rng.random() < 0.5))
    body = random_stack(rng, shape, rng.randint(0, 2), depth)
    if len(stack_shape(body, shape)) != len(end):
        body = ()
    return (*body, _linear(rng, end[-1]), *rng.choice([(), (Activation(ActivationKind.TANH),)]))
