"""Layers: the elements of a stack, as frozen values named and defaulted as in ``torch.nn``."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class ActivationKind(Enum):
    """Elementwise functions (softmax acts along the last dimension); the value is the notation's name."""

    RELU = "relu"
    LEAKY_RELU = "leaky_relu"
    TANH = "tanh"
    SIGMOID = "sigmoid"
    GELU = "gelu"
    SILU = "silu"
    SOFTMAX = "softmax"
    IDENTITY = "identity"


class Init(Enum):
    """How the weights of a linear or convolutional layer start; the value is the preset file's name."""

    TORCH = "torch"
    """torch.nn's default: uniform with variance 1 / (3 fan_in), biases uniform within 1 / sqrt(fan_in)."""
    HE_NORMAL = "he_normal"
    """Normal with variance 2 / fan_in (He et al. 2015)."""
    HE_UNIFORM = "he_uniform"
    XAVIER_NORMAL = "xavier_normal"
    """Normal with variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010)."""
    XAVIER_UNIFORM = "xavier_uniform"
    ORTHOGONAL = "orthogonal"
    """Orthonormal rows or columns, times sqrt(2) as for ReLU (Saxe et al. 2014)."""
    SPARSE = "sparse"
    """Normal with standard deviation 1 on at most 15 inputs a unit, else zero (Martens 2010)."""
    IDENTITY = "identity"
    """Ones on the diagonal, zeros elsewhere and in the bias."""
    TENT = "tent"
    """Constructed, for stacks ``k*(2 relu)`` on one number: the k-fold triangle map of [0, 1] (Telgarsky 2016)."""
    INTERPOLANT = "interpolant"
    """Constructed, for one hidden ReLU layer on one number: the piecewise linear interpolant of the training examples
    with as many equal pieces as there are units."""


@dataclass(frozen=True, slots=True)
class Linear:
    """An affine map of the last dimension: (.., in_features) to (.., out_features)."""

    out_features: int
    bias: bool = True
    init: Init | None = None
    """Overrides the training's initialisation for this layer."""
    locked: bool = False
    """A locked width stays when a stack is matched to a budget; written ``64!``."""
    trainable: bool = True
    """Otherwise weights and bias stay as they started: random features."""


@dataclass(frozen=True, slots=True)
class Out:
    """The final projection to the task's output size, a Linear whose width the task decides."""

    bias: bool = True
    init: Init | None = None


@dataclass(frozen=True, slots=True)
class Activation:
    """An elementwise non-linearity; any shape, unchanged."""

    kind: ActivationKind
    negative_slope: float = 0.01
    """Slope below zero of leaky_relu; meaningless for the others."""


@dataclass(frozen=True, slots=True)
class Dropout:
    """Zeroes each value with probability p while training, scaling the rest by 1 / (1 - p)."""

    p: float = 0.5


@dataclass(frozen=True, slots=True)
class LayerNorm:
    """Layer normalisation with scale and shift over the features, or over channels, rows and columns of an image."""


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """Batch normalisation with scale and shift per feature or channel."""


@dataclass(frozen=True, slots=True)
class Conv:
    """A two-dimensional convolution: (channels, height, width) to (out_channels, height', width')."""

    out_channels: int
    kernel_size: int
    stride: int = 1
    padding: int = 0
    bias: bool = True
    init: Init | None = None
    locked: bool = False


@dataclass(frozen=True, slots=True)
class MaxPool:
    """Maximum over windows; the stride is the kernel size unless given."""

    kernel_size: int
    stride: int | None = None
    padding: int = 0


@dataclass(frozen=True, slots=True)
class AvgPool:
    """Mean over windows; the stride is the kernel size unless given."""

    kernel_size: int
    stride: int | None = None
    padding: int = 0


@dataclass(frozen=True, slots=True)
class Flatten:
    """(channels, height, width) to (channels * height * width)."""


@dataclass(frozen=True, slots=True)
class Residual:
    """Input plus branch: x + body(x); the branch must keep the shape."""

    body: "Stack"


@dataclass(frozen=True, slots=True)
class Sum:
    """Parallel branches added: body_1(x) + body_2(x) + ...; all must end in one shape."""

    branches: tuple["Stack", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A stack ``times`` over, each copy with weights of its own."""

    times: int
    body: "Stack"


Layer: TypeAlias = (
    Linear
    | Out
    | Activation
    | Dropout
    | LayerNorm
    | BatchNorm
    | Conv
    | MaxPool
    | AvgPool
    | Flatten
    | Residual
    | Sum
    | Repeat
)
Stack: TypeAlias = tuple[Layer, ...]


_CONTAINERS = (Residual, Repeat, Sum)


def children(layer: Layer) -> tuple[Stack, ...]:
    """The stacks inside a residual, sum or repeat; none for every other layer."""
    if not isinstance(layer, _CONTAINERS):
        return ()
    return layer.branches if isinstance(layer, Sum) else (layer.body,)


def contains_out(stack: Stack) -> bool:
    """Whether the stack states its final projection anywhere."""
    kinds = set(map(type, stack))
    if Out in kinds:
        return True
    if kinds.isdisjoint(_CONTAINERS):
        return False
    return any(contains_out(body) for layer in stack for body in children(layer))
