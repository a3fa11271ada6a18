"""Shapes: what goes into a layer and what comes out, without the batch dimension.

A shape is ``(features,)``, ``(positions, features)`` or an image ``(channels, height, width)``.
"""

from math import prod
from typing import TypeAlias, assert_never

from tuilab.spec.errors import LabError, ShapeError
from tuilab.spec.layers import (
    Activation,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    Layer,
    LayerNorm,
    Linear,
    MaxPool,
    Out,
    Repeat,
    Residual,
    Stack,
    Sum,
)

Shape: TypeAlias = tuple[int, ...]
MAX_SIDE = 65_536
"""Pixels; an image that grows past this is a mistake in the stack."""


def parse_shape(text: str) -> Shape:
    """``64`` or ``1x28x28`` as a shape.

    Raises:
        LabError: when the text is not one to three whole numbers above zero.

    """
    parts = text.lower().replace("×", "x").split("x")
    sizes = tuple(int(part) for part in parts if part.strip().isdecimal() and len(part.strip()) <= 12)
    if len(sizes) != len(parts) or len(sizes) not in (1, 2, 3) or min(sizes) < 1:
        raise LabError(f"{text!r} is not a shape; give whole numbers above zero such as 64 or 1x28x28")
    return sizes


def format_shape(shape: Shape) -> str:
    """``64`` or ``16x3x3``."""
    return "x".join(map(str, shape))


def output_shape(layer: Layer, shape: Shape, path: tuple[int, ...] = ()) -> Shape:
    """The shape that ``layer`` makes of ``shape``; a Repeat is followed to its end.

    Raises:
        ShapeError: when the layer does not fit, with ``path`` extended to the layer at fault.

    """
    match layer:
        case Linear(width):
            if len(shape) == 3:
                raise ShapeError(path, f"linear needs a flat input but gets {_says(shape)}; add flatten before it")
            return (*shape[:-1], width)
        case Out():
            raise ShapeError(path, "out needs the output size of a task; give it (--out), or write its width")
        case Activation() | Dropout() | LayerNorm():
            return shape
        case BatchNorm():
            if len(shape) == 2:
                raise ShapeError(path, f"batchnorm needs features or an image but gets {_says(shape)}")
            return shape
        case Conv(channels, kernel, stride, padding):
            return (channels, *_slide("conv", shape, kernel, stride, padding, path))
        case MaxPool(kernel, pool_stride, padding) | AvgPool(kernel, pool_stride, padding):
            name = "maxpool" if isinstance(layer, MaxPool) else "avgpool"
            if padding > kernel // 2:
                raise ShapeError(path, f"{name} may pad at most half its kernel size, {kernel // 2}")
            return (shape[0], *_slide(name, shape, kernel, pool_stride or kernel, padding, path))
        case Flatten():
            return (prod(shape),)
        case Residual(body):
            result = stack_shape(body, shape, path)
            if result != shape:
                raise ShapeError(
                    path,
                    f"residual adds its input {_says(shape)} to a branch ending in {_says(result)}; make them equal",
                )
            return shape
        case Sum(branches):
            results = [stack_shape(branch, shape, (*path, index)) for index, branch in enumerate(branches)]
            if len(set(results)) > 1:
                raise ShapeError(path, f"the branches of sum end in {', '.join(map(_says, results))}; make them equal")
            return results[0]
        case Repeat(times, body):
            for _ in range(times):
                result = stack_shape(body, shape, path)
                if result == shape:
                    break
                shape = result
            return shape
        case _:
            assert_never(layer)


def stack_shape(stack: Stack, shape: Shape, path: tuple[int, ...] = ()) -> Shape:
    """The shape after all layers of ``stack``, by ``output_shape`` one after the other."""
    for index, layer in enumerate(stack):
        if not isinstance(layer, Activation):
            shape = output_shape(layer, shape, (*path, index))
    return shape


def _slide(name: str, shape: Shape, kernel: int, stride: int, padding: int, path: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) != 3:
        raise ShapeError(path, f"{name} needs an image (channels, height, width) but gets {_says(shape)}")
    height, width = ((side + 2 * padding - kernel) // stride + 1 for side in shape[1:])
    if height < 1 or width < 1:
        raise ShapeError(path, f"{name} with kernel {kernel} is larger than its input {_says(shape)}")
    if max(height, width) > MAX_SIDE:
        raise ShapeError(path, f"{name} makes an image of {height}x{width}; at most {MAX_SIDE} a side")
    return height, width


def _says(shape: Shape) -> str:
    return f"{shape[0]} feature{'s' if shape[0] != 1 else ''}" if len(shape) == 1 else format_shape(shape)
