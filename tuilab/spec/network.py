"""A network: a stack with its input and output sizes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from tuilab.spec.errors import ShapeError
from tuilab.spec.layers import Layer, Linear, Out, Repeat, Residual, Stack, Sum, children, contains_out
from tuilab.spec.shapes import Shape, format_shape, stack_shape

Path: TypeAlias = tuple[int, ...]
"""Where a layer stands: its index in the stack, then inside a repeat or residual the index in the body,
inside a sum the index of the branch and the index in it."""


def rows(stack: Stack, path: Path = ()) -> Iterator[tuple[Path, Layer]]:
    """Every layer as written with its path, top to bottom: a repeat, residual or sum, then the layers inside it.

    The position in this order, from 1, is the number of a layer: the bench's rows, warnings and errors count so.
    """
    for index, layer in enumerate(stack):
        here = (*path, index)
        yield here, layer
        for branch, body in enumerate(children(layer)):
            yield from rows(body, (*here, branch) if isinstance(layer, Sum) else here)


@dataclass(frozen=True, slots=True)
class Network:
    """A stack with its input shape and, unless the stack is the whole network, its output size.

    Attributes:
        stack: the layers as written.
        in_shape: shape of one input, without the batch dimension.
        out_features: size of the final projection; None when the stack is the whole network.

    """

    stack: Stack
    in_shape: Shape
    out_features: int | None = None

    @property
    def layers(self) -> Stack:
        """The stack with its final projection: every ``out`` is a Linear, and one is appended where none is stated."""
        if self.out_features is None:
            return self.stack
        if not contains_out(self.stack):
            return (*self.stack, *_resolve((Out(),), self.out_features))
        return _resolve(self.stack, self.out_features)

    def check(self) -> Shape:
        """The output shape.

        Raises:
            ShapeError: when layers do not fit each other, or the last does not fit the output size; it names the layer.

        """
        try:
            shape = stack_shape(self.layers, self.in_shape)
        except ShapeError as error:
            raise ShapeError(error.path, error.problem, self.place(error.path)) from None
        if self.out_features is not None and shape != (self.out_features,):
            path = (len(self.layers) - 1,)
            problem = f"the network ends in {format_shape(shape)} but the task needs {self.out_features}"
            raise ShapeError(path, problem, self.place(path))
        return shape

    def place(self, path: Path) -> str:
        """The layer at ``path`` in words: ``layer 3``, or ``the output`` for the implied final projection."""
        if path == (len(self.stack),):
            return "the output"
        return f"layer {next(number for number, (at, _) in enumerate(rows(self.stack), 1) if at == path)}"


def _resolve(stack: Stack, out_features: int) -> Stack:
    def one(layer: Layer) -> Layer:
        match layer:
            case Out(bias, init):
                return Linear(out_features, bias, init)
            case Residual(body):
                return Residual(_resolve(body, out_features))
            case Repeat(times, body):
                return Repeat(times, _resolve(body, out_features))
            case Sum(branches):
                return Sum(tuple(_resolve(branch, out_features) for branch in branches))
            case _:
                return layer

    return tuple(map(one, stack)) if contains_out(stack) else stack
