"""A network as the text of a standalone PyTorch module that anyone can read, run and change."""

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from tuilab.analysis.counting import totals
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
    Out,
    Repeat,
    Residual,
    Stack,
    Sum,
    children,
)
from tuilab.spec.network import Network
from tuilab.spec.notation import format_stack
from tuilab.spec.shapes import Shape, format_shape, output_shape

MAX_WIDTH = 100
"""Columns of the generated text."""
_RESERVED = {"Residual", "Sum", "Tensor", "Network"}
_ACTIVATIONS = {
    ActivationKind.RELU: "nn.ReLU()",
    ActivationKind.LEAKY_RELU: "nn.LeakyReLU({slope!r})",
    ActivationKind.TANH: "nn.Tanh()",
    ActivationKind.SIGMOID: "nn.Sigmoid()",
    ActivationKind.GELU: "nn.GELU()",
    ActivationKind.SILU: "nn.SiLU()",
    ActivationKind.SOFTMAX: "nn.Softmax(dim=-1)",
    ActivationKind.IDENTITY: "nn.Identity()",
}
_RESIDUAL = '''

class Residual(nn.Module):
    """x + body(x)"""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)
'''
_SUM = '''

class Sum(nn.Module):
    """branch_1(x) + branch_2(x) + ..."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return sum(branch(x) for branch in self.branches)
'''


@dataclass(frozen=True, slots=True)
class _Call:
    """An expression with parts, broken over lines where it is long: ``before`` part, part ``after``."""

    before: str
    parts: tuple["_Expression", ...]
    after: str = ")"
    is_tuple: bool = False


_Expression: TypeAlias = str | _Call


@dataclass(frozen=True, slots=True)
class _Loop:
    """Statements: ``times`` copies of the same modules."""

    times: int
    body: tuple[_Expression, ...]


def torch_code(network: Network, name: str = "Network") -> str:
    """The text of a module that computes ``network``, with torch as its only import.

    Its parameters come in the order in which data meets them (a sum's branches one after the other), weight before
    bias. They start as torch.nn starts them: a training's initialisation is not part of a network.

    Args:
        network: what to write down.
        name: of the class; made a Python name.

    Raises:
        ShapeError: when layers do not fit each other.

    """
    counted, out_shape = totals(network), network.check()
    class_name = _class_name(name)
    items = list(_items(network.layers, network.in_shape))
    kinds = set(_kinds(network.layers))
    shape_in, shape_out = format_shape(network.in_shape), format_shape(out_shape)
    notation = _wrapped(format_stack(network.layers))
    return (
        f'"""A network from {shape_in} to {shape_out} with {counted.num_params:,} parameters."""\n\n'
        "import torch\nfrom torch import Tensor, nn\n"
        f"{_RESIDUAL if Residual in kinds else ''}{_SUM if Sum in kinds else ''}"
        f'\n\nclass {class_name}(nn.Module):\n    """{notation}"""\n\n'
        "    def __init__(self) -> None:\n        super().__init__()\n"
        f"{_constructor(items)}\n"
        "    def forward(self, x: Tensor) -> Tensor:\n"
        f'        """x: (batch, {_dimensions(network.in_shape)}), returns (batch, {_dimensions(out_shape)})."""\n'
        "        return self.layers(x)\n"
        f'\n\nif __name__ == "__main__":\n    network = {class_name}()\n    print(network)\n'
        f"    print(network(torch.zeros(2, {_dimensions(network.in_shape)})).shape)\n"
        '    print(sum(parameter.numel() for parameter in network.parameters()), "parameters")\n'
    )


def _class_name(name: str) -> str:
    words = re.findall(r"[A-Za-z0-9]+", name)
    joined = "".join(word[:1].upper() + word[1:] for word in words)
    if not joined or joined[0].isdigit():
        joined = f"Network{joined}"
    return f"{joined}Network" if joined in _RESERVED - {"Network"} or keyword.iskeyword(joined) else joined


def _dimensions(shape: Shape) -> str:
    return ", ".join(map(str, shape))


def _wrapped(text: str) -> str:
    """Text that fits a docstring of a class, its end not touching the quotes."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) + 1 > MAX_WIDTH - 12:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n    ".join([*lines, line]) or "The identity."


def _kinds(stack: Stack) -> Iterator[type[Layer]]:
    for layer in stack:
        yield type(layer)
        for body in children(layer):
            yield from _kinds(body)


def _constructor(items: list[_Expression | _Loop]) -> str:
    """The statements that make ``self.layers``; a list that grows where there are loops."""
    if not any(isinstance(item, _Loop) for item in items):
        plain = tuple(item for item in items if not isinstance(item, _Loop))
        return f"        self.layers = {_render(_Call('nn.Sequential(', plain), 8)}\n"
    lines = ["        layers: list[nn.Module] = []\n"]
    straight: list[_Expression] = []
    for item in [*items, None]:
        if isinstance(item, _Loop) or item is None:
            if straight:
                lines.append(f"        layers += {_render(_Call('[', tuple(straight), ']'), 8)}\n")
            straight = []
        if isinstance(item, _Loop):
            lines.append(f"        for _ in range({item.times}):\n")
            lines.append(f"            layers += {_render(_Call('[', item.body, ']'), 12)}\n")
        elif item is not None:
            straight.append(item)
    lines.append("        self.layers = nn.Sequential(*layers)\n")
    return "".join(lines)


def _items(stack: Stack, shape: Shape) -> Iterator[_Expression | _Loop]:
    """The modules of a stack; copies of a repeat whose input has another shape than its output are written out."""
    for layer in stack:
        if not isinstance(layer, Repeat):
            yield _expression(layer, shape)
            shape = output_shape(layer, shape)
            continue
        left = layer.times
        while left:
            out = output_shape(Repeat(1, layer.body), shape)
            if out == shape and left > 1:
                yield _Loop(left, tuple(_flat(layer.body, shape)))
                break
            yield from _items(layer.body, shape)
            left, shape = left - 1, out


def _flat(stack: Stack, shape: Shape) -> Iterator[_Expression]:
    """As ``_items``, with loops as expressions."""
    for item in _items(stack, shape):
        if isinstance(item, _Loop):
            before = f"*(module for _ in range({item.times}) for module in ("
            yield _Call(before, item.body, "))", is_tuple=True)
        else:
            yield item


def _expression(layer: Layer, shape: Shape) -> _Expression:
    match layer:
        case Linear(width, bias, trainable=trainable):
            frozen = "" if trainable else ".requires_grad_(False)"
            return f"nn.Linear({shape[-1]}, {width}{_bias(bias)}){frozen}"
        case Conv(channels, kernel, stride, padding, bias):
            window = f"{_unless(', stride=', stride, 1)}{_unless(', padding=', padding, 0)}{_bias(bias)}"
            return f"nn.Conv2d({shape[0]}, {channels}, {kernel}{window})"
        case Activation(kind, slope):
            return _ACTIVATIONS[kind].format(slope=slope)
        case Dropout(p):
            return f"nn.Dropout({p!r})"
        case LayerNorm():
            return f"nn.LayerNorm({list(shape) if len(shape) == 3 else shape[-1]})"
        case BatchNorm():
            return f"nn.BatchNorm{'2d' if len(shape) == 3 else '1d'}({shape[0]})"
        case MaxPool(kernel, pool_stride, padding) | AvgPool(kernel, pool_stride, padding):
            name = "MaxPool2d" if isinstance(layer, MaxPool) else "AvgPool2d"
            stride_text = _unless(", stride=", pool_stride or kernel, kernel)
            return f"nn.{name}({kernel}{stride_text}{_unless(', padding=', padding, 0)})"
        case Flatten():
            return "nn.Flatten()"
        case Residual(body):
            return _Call("Residual(", tuple(_flat(body, shape)))
        case Sum(branches):
            return _Call("Sum(", tuple(_branch(branch, shape) for branch in branches))
        case Repeat() | Out():
            raise AssertionError(layer)
        case _:
            assert_never(layer)


def _branch(branch: Stack, shape: Shape) -> _Expression:
    parts = tuple(_flat(branch, shape))
    alone = len(parts) == 1 and not (isinstance(parts[0], _Call) and parts[0].is_tuple)
    return parts[0] if alone else _Call("nn.Sequential(", parts)


def _bias(bias: bool) -> str:
    return "" if bias else ", bias=False"


def _unless(name: str, value: int, default: int) -> str:
    return "" if value == default else f"{name}{value}"


def _render(expression: _Expression, indent: int) -> str:
    """The expression on one line where it fits, else its parts on lines of their own."""
    if isinstance(expression, str):
        return expression
    line = _on_one_line(expression)
    if indent + len(line) + 20 <= MAX_WIDTH:
        return line
    inner = " " * (indent + 4)
    parts = "".join(f"{inner}{_render(part, indent + 4)},\n" for part in expression.parts)
    return f"{expression.before}\n{parts}{' ' * indent}{expression.after}"


def _on_one_line(expression: _Expression) -> str:
    if isinstance(expression, str):
        return expression
    parts = ", ".join(map(_on_one_line, expression.parts))
    comma = "," if expression.is_tuple and len(expression.parts) == 1 else ""
    return f"{expression.before}{parts}{comma}{expression.after}"
