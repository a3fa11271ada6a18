"""A network: a stack with its input and output sizes."""

from dataclasses import dataclass
from typing import TypeAlias

from tuilab.spec.errors import ShapeError
from tuilab.spec.layers import Layer, Linear, Out, Repeat, Residual, Stack, Sum, contains_out
from tuilab.spec.shapes import Shape, format_shape, stack_shape

Path: TypeAlias = tuple[int, ...]
"""Where a layer stands: its index in the stack, then inside a repeat or residual the index in the body,
inside a sum the index of the branch and the index in it."""


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
            ShapeError: when layers do not fit each other, or the last does not fit the output size.

        """
        shape = stack_shape(self.layers, self.in_shape)
        if self.out_features is not None and shape != (self.out_features,):
            raise ShapeError(
                (len(self.layers) - 1,),
                f"the network ends in {format_shape(shape)} but the task needs {self.out_features}",
            )
        return shape


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
