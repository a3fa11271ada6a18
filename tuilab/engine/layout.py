"""A network laid out for training: every layer with its place in one flat row of parameters per replica."""

from dataclasses import dataclass
from math import prod
from typing import TypeAlias, assert_never

from tuilab.spec.errors import LabError
from tuilab.spec.layers import (
    Activation,
    ActivationKind,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    Init,
    Layer,
    LayerNorm,
    Linear,
    MaxPool,
    Out,
    Repeat,
    Residual,
    Stack,
    Sum,
    children,
)
from tuilab.spec.network import Network
from tuilab.spec.shapes import Shape, output_shape

MAX_LAYERS = 20_000
"""Layers after repeats are expanded; more cannot be trained in any reasonable time."""
MAX_PARAMS = 2**31
"""Parameters of one replica."""
_ALIGNMENT = 16
"""Every tensor starts at a multiple of this many numbers (64 bytes), so that its products round alike in every row."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one parameter tensor stands in a replica's row."""

    offset: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def end(self) -> int:
        return self.offset + self.size


@dataclass(frozen=True, slots=True)
class LinearNode:
    """x W^T + b with W: (out, in), as in ``torch.nn.Linear``."""

    weight: Slot
    bias: Slot | None
    init: Init | None
    trainable: bool = True


@dataclass(frozen=True, slots=True)
class ConvNode:
    """A convolution with weight (out, in, kernel, kernel) of images ``in_shape``."""

    weight: Slot
    bias: Slot | None
    init: Init | None
    stride: int
    padding: int
    in_shape: Shape


@dataclass(frozen=True, slots=True)
class ActivationNode:
    """An activation on values of ``shape`` an example."""

    kind: ActivationKind
    negative_slope: float
    shape: Shape


@dataclass(frozen=True, slots=True)
class DropoutNode:
    """Dropout number ``index`` of the network, on values of ``shape`` an example."""

    p: float
    index: int
    shape: Shape


@dataclass(frozen=True, slots=True)
class LayerNormNode:
    """Layer normalisation with scale and shift of the normalised shape."""

    weight: Slot
    bias: Slot


@dataclass(frozen=True, slots=True)
class BatchNormNode:
    """Batch normalisation number ``index`` of the network, with scale and shift per channel, of inputs ``shape``."""

    weight: Slot
    bias: Slot
    index: int
    shape: Shape


@dataclass(frozen=True, slots=True)
class PoolNode:
    """Maximum or mean over windows of images ``in_shape``."""

    maximum: bool
    kernel_size: int
    stride: int
    padding: int
    in_shape: Shape


@dataclass(frozen=True, slots=True)
class FlattenNode:
    """(channels, height, width) to features."""


@dataclass(frozen=True, slots=True)
class ResidualNode:
    """x + body(x)."""

    body: "Program"


@dataclass(frozen=True, slots=True)
class SumNode:
    """body_1(x) + body_2(x) + ..."""

    branches: tuple["Program", ...]


Node: TypeAlias = (
    LinearNode
    | ConvNode
    | ActivationNode
    | DropoutNode
    | LayerNormNode
    | BatchNormNode
    | PoolNode
    | FlattenNode
    | ResidualNode
    | SumNode
)
Program: TypeAlias = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A network ready to be trained.

    Attributes:
        program: its layers in order, repeats expanded.
        in_shape: shape of one input.
        out_features: numbers it puts out.
        num_params: parameters of a replica.
        row_length: length of a replica's row, in which gaps of zeros align the tensors.
        batchnorm_channels: channels of each batch normalisation.
        num_dropouts: number of dropout layers.
        widest: most values that any layer puts out (or takes in) for one example.

    """

    program: Program
    in_shape: Shape
    out_features: int
    num_params: int
    row_length: int
    batchnorm_channels: tuple[int, ...]
    num_dropouts: int
    widest: int


def lay_out(network: Network) -> Layout:
    """Give every parameter of ``network`` its place.

    Raises:
        ShapeError: when layers do not fit.
        LabError: when the network is too large to be trained.

    """
    shape = network.check()
    layers = network.layers
    if _count_layers(layers) > MAX_LAYERS:
        raise LabError(f"a network of more than {MAX_LAYERS:,} layers cannot be trained here; use fewer repetitions")
    builder = _Builder()
    program = builder.stack(layers, network.in_shape)
    return Layout(
        program,
        network.in_shape,
        prod(shape),
        builder.num_params,
        builder.row_length,
        tuple(builder.channels),
        builder.num_dropouts,
        builder.widest,
    )


def nodes(program: Program) -> list[Node]:
    """Every node in order of execution, those inside residuals and sums included."""
    found: list[Node] = []
    for node in program:
        found.append(node)
        if isinstance(node, ResidualNode):
            found += nodes(node.body)
        elif isinstance(node, SumNode):
            for branch in node.branches:
                found += nodes(branch)
    return found


def parameter_slots(program: Program) -> list[Slot]:
    """The place of every parameter tensor, in order."""
    slots: list[Slot] = []
    for node in nodes(program):
        if isinstance(node, LinearNode | ConvNode | LayerNormNode | BatchNormNode):
            slots += [node.weight] if node.bias is None else [node.weight, node.bias]
    return slots


def frozen_slots(program: Program) -> list[Slot]:
    """The place of every parameter tensor that training leaves as it started, in order."""
    slots: list[Slot] = []
    for node in nodes(program):
        if isinstance(node, LinearNode) and not node.trainable:
            slots += [node.weight] if node.bias is None else [node.weight, node.bias]
    return slots


def _count_layers(stack: Stack) -> int:
    return sum(
        (layer.times if isinstance(layer, Repeat) else 1) * max(1, sum(map(_count_layers, children(layer))))
        for layer in stack
    )


class _Builder:
    def __init__(self) -> None:
        self.num_params = 0
        self.row_length = 0
        self.channels: list[int] = []
        self.num_dropouts = 0
        self.widest = 1

    def stack(self, stack: Stack, shape: Shape) -> Program:
        program: list[Node] = []
        self.widest = max(self.widest, prod(shape))
        for layer in stack:
            if isinstance(layer, Repeat):
                for _ in range(layer.times):
                    program += self.stack(layer.body, shape)
                    for inner in layer.body:
                        shape = output_shape(inner, shape)
            else:
                program.append(self._node(layer, shape))
                shape = output_shape(layer, shape)
                self.widest = max(self.widest, prod(shape))
        return tuple(program)

    def _slot(self, *shape: int) -> Slot:
        slot = Slot(self.row_length, shape)
        self.num_params += slot.size
        self.row_length = -(-slot.end // _ALIGNMENT) * _ALIGNMENT
        if self.num_params > MAX_PARAMS:
            raise LabError(f"a network of more than {MAX_PARAMS:,} parameters cannot be trained here; make it smaller")
        return slot

    def _node(self, layer: Layer, shape: Shape) -> Node:
        match layer:
            case Linear(width, bias, init, _, trainable):
                return LinearNode(self._slot(width, shape[-1]), self._slot(width) if bias else None, init, trainable)
            case Conv(channels, kernel, stride, padding, bias, init):
                weight = self._slot(channels, shape[0], kernel, kernel)
                return ConvNode(weight, self._slot(channels) if bias else None, init, stride, padding, shape)
            case Activation(kind, slope):
                return ActivationNode(kind, slope, shape)
            case Dropout(p):
                self.num_dropouts += 1
                return DropoutNode(p, self.num_dropouts - 1, shape)
            case LayerNorm():
                normalised = shape if len(shape) == 3 else shape[-1:]
                return LayerNormNode(self._slot(*normalised), self._slot(*normalised))
            case BatchNorm():
                self.channels.append(shape[0])
                return BatchNormNode(self._slot(shape[0]), self._slot(shape[0]), len(self.channels) - 1, shape)
            case MaxPool(kernel, pool_stride, padding) | AvgPool(kernel, pool_stride, padding):
                return PoolNode(isinstance(layer, MaxPool), kernel, pool_stride or kernel, padding, shape)
            case Flatten():
                return FlattenNode()
            case Residual(body):
                return ResidualNode(self.stack(body, shape))
            case Sum(branches):
                return SumNode(tuple(self.stack(branch, shape) for branch in branches))
            case Repeat() | Out():
                raise AssertionError(f"{layer} is expanded before")
            case _:
                assert_never(layer)
