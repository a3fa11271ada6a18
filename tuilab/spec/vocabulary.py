"""What the notation calls the layers, which arguments each takes and how it is made of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

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
)

MAX_INTEGER = 10**15
"""The largest width or count that is read."""

Value: TypeAlias = int | float | bool | str


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a layer: its name, what it takes, and its bounds."""

    name: str
    kind: type
    default: Value | None = None
    required: bool = False
    low: float = 1
    high: float = MAX_INTEGER


def _width(name: str) -> Parameter:
    return Parameter(name, int, required=True)


_BIAS = Parameter("bias", bool, True)
_INIT = Parameter("init", str)
_LOCKED = Parameter("locked", bool, False)
_TRAINABLE = Parameter("trainable", bool, True)
_WINDOW = (
    Parameter("kernel_size", int, required=True),
    Parameter("stride", int),
    Parameter("padding", int, 0, low=0),
)

_Build: TypeAlias = Callable[[dict[str, Value]], Layer]


def _init(values: dict[str, Value]) -> Init | None:
    return Init(values["init"]) if "init" in values else None


def _integer(values: dict[str, Value], name: str, default: int) -> int:
    return int(values.get(name, default))


def _stride(values: dict[str, Value]) -> int | None:
    return int(values["stride"]) if "stride" in values else None


def _linear(v: dict[str, Value]) -> Layer:
    return Linear(
        int(v["out_features"]),
        bool(v.get("bias", True)),
        _init(v),
        bool(v.get("locked", False)),
        bool(v.get("trainable", True)),
    )


def _conv(v: dict[str, Value]) -> Layer:
    return Conv(
        int(v["out_channels"]),
        int(v["kernel_size"]),
        _integer(v, "stride", 1),
        _integer(v, "padding", 0),
        bool(v.get("bias", True)),
        _init(v),
        bool(v.get("locked", False)),
    )


def _activation(kind: ActivationKind) -> _Build:
    return lambda v: Activation(kind, float(v.get("negative_slope", 0.01)))


LAYERS: dict[str, tuple[tuple[Parameter, ...], _Build]] = {
    "linear": ((_width("out_features"), _BIAS, _INIT, _LOCKED, _TRAINABLE), _linear),
    "out": ((_BIAS, _INIT), lambda v: Out(bool(v.get("bias", True)), _init(v))),
    "dropout": ((Parameter("p", float, 0.5, low=0, high=1),), lambda v: Dropout(float(v.get("p", 0.5)))),
    "layernorm": ((), lambda v: LayerNorm()),
    "batchnorm": ((), lambda v: BatchNorm()),
    "conv": (
        (
            _width("out_channels"),
            Parameter("kernel_size", int, required=True),
            Parameter("stride", int, 1),
            Parameter("padding", int, 0, low=0),
            _BIAS,
            _INIT,
            _LOCKED,
        ),
        _conv,
    ),
    "maxpool": (_WINDOW, lambda v: MaxPool(int(v["kernel_size"]), _stride(v), _integer(v, "padding", 0))),
    "avgpool": (_WINDOW, lambda v: AvgPool(int(v["kernel_size"]), _stride(v), _integer(v, "padding", 0))),
    "flatten": ((), lambda v: Flatten()),
    **{
        kind.value: (
            (Parameter("negative_slope", float, 0.01, low=0, high=1e6),) if kind is ActivationKind.LEAKY_RELU else (),
            _activation(kind),
        )
        for kind in ActivationKind
    },
}
LAYER_NAMES = (*LAYERS, "residual", "sum")
"""Every name the notation knows, for suggestions."""
