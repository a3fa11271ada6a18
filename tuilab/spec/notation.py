"""Stack notation: one short text says a network everywhere.

``parse`` and ``format_stack`` are inverse to each other. The grammar::

    stack    = element*
    element  = WIDTH | COUNT "*" element | COUNT "*" "(" stack ")" | NAME [ "(" arguments ")" ]
    WIDTH    = INTEGER [ "!" ]                   a Linear; "!" locks its width
    NAME(..) = residual(stack) | sum(stack | stack ...) | LAYER(value, name=value ...)
"""

import re
from dataclasses import dataclass

from tuilab.spec.errors import NotationError
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
)
from tuilab.spec.network import Path, rows
from tuilab.spec.suggestions import suggestion
from tuilab.spec.vocabulary import LAYER_NAMES, LAYERS, MAX_INTEGER, Parameter, Value

MAX_TEXT = 200_000
"""Characters; longer notation is refused before it is read."""
MAX_DEPTH = 50
"""Brackets inside brackets."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9][0-9_]*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|(?P<name>[A-Za-z_][A-Za-z_0-9]*)|(?P<mark>[*×()|,=!]))"
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            column = at + len(text[at:]) - len(text[at:].lstrip()) + 1
            raise NotationError(text, column, f"unexpected character {text[column - 1]!r}")
        kind = match.lastgroup or ""
        tokens.append(_Token(kind, match.group(kind), match.start(kind) + 1))
        at = match.end()
    tokens.append(_Token("end", "", len(text) + 1))
    return tokens


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.at = 0
        self.depth = 0
        self.columns: list[int] = []

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def fail(self, problem: str, token: _Token | None = None) -> NotationError:
        return NotationError(self.text, (token or self.token).column, problem)

    def take(self, mark: str) -> bool:
        if self.token.kind == "mark" and self.token.text == mark:
            self.at += 1
            return True
        return False

    def expect(self, mark: str, why: str) -> None:
        if not self.take(mark):
            found = f"found {self.token.text!r}" if self.token.kind != "end" else "the text ends"
            raise self.fail(f"expected {mark!r} {why}, but {found}")

    def stack(self) -> Stack:
        layers: list[Layer] = []
        while self.token.kind in ("number", "name"):
            layers.append(self.element())
        return tuple(layers)

    def body(self, what: str) -> Stack:
        """A bracketed stack that is not empty; the opening bracket is already taken."""
        start = self.token
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail(f"brackets nest deeper than {MAX_DEPTH}", start)
        stack = self.stack()
        if not stack:
            raise self.fail(f"{what} needs at least one layer inside its brackets", start)
        self.depth -= 1
        return stack

    def element(self) -> Layer:
        token = self.token
        self.columns.append(token.column)
        self.at += 1
        if token.kind == "name":
            return self.named(token)
        count = self.integer(token)
        if self.take("*") or self.take("×"):
            return self.repeat(count)
        return Linear(count, locked=self.take("!"))

    def repeat(self, times: int) -> Layer:
        if self.take("("):
            body = self.body("a repeat")
            self.expect(")", "to close the repeat")
            return Repeat(times, body)
        if self.token.kind not in ("number", "name"):
            raise self.fail("expected a layer or '(' after '*'")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail(f"repeats nest deeper than {MAX_DEPTH}")
        layer = self.element()
        self.depth -= 1
        return Repeat(times, (layer,))

    def named(self, token: _Token) -> Layer:
        name = token.text.lower()
        if name == "residual":
            self.expect("(", "after residual")
            body = self.body("residual")
            self.expect(")", "to close residual")
            return Residual(body)
        if name == "sum":
            self.expect("(", "after sum")
            branches = [self.body("a branch of sum")]
            while self.take("|"):
                branches.append(self.body("a branch of sum"))
            self.expect(")", "to close sum (branches are separated by '|')")
            return Sum(tuple(branches))
        if name not in LAYERS:
            raise self.fail(f"unknown layer {token.text!r}{suggestion(name, LAYER_NAMES)}", token)
        parameters, build = LAYERS[name]
        return build(self.arguments(token, parameters))

    def arguments(self, layer: _Token, parameters: tuple[Parameter, ...]) -> dict[str, Value]:
        values: dict[str, Value] = {}
        if self.take("("):
            position = 0
            while not self.take(")"):
                if position:
                    self.expect(",", f"or ')' in the arguments of {layer.text}")
                self.argument(layer, parameters, position, values)
                position += 1
        required = [p.name for p in parameters if p.required]
        missing = next((name for name in required if name not in values), None)
        if missing:
            example = ", ".join("3" if name == "kernel_size" else "8" for name in required)
            raise self.fail(f"{layer.text} needs {missing}, as in {layer.text}({example})", layer)
        return values

    def argument(
        self, layer: _Token, parameters: tuple[Parameter, ...], position: int, values: dict[str, Value]
    ) -> None:
        token = self.token
        following = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        if token.kind == "name" and following.text == "=":
            self.at += 2
            parameter = next((p for p in parameters if p.name == token.text), None)
            if parameter is None:
                names = ", ".join(p.name for p in parameters) or "none"
                raise self.fail(f"{layer.text} has no argument {token.text!r} (it takes {names})", token)
        elif position < len(parameters):
            parameter = parameters[position]
        elif token.kind == "end":
            raise self.fail(f"expected ')' to close {layer.text}, but the text ends")
        else:
            most = len(parameters)
            limit = f"at most {most} argument{'s' if most > 1 else ''}" if most else "no arguments"
            raise self.fail(f"{layer.text} takes {limit}", token)
        if parameter.name in values:
            raise self.fail(f"{parameter.name} is given twice", token)
        values[parameter.name] = self.value(parameter)

    def value(self, parameter: Parameter) -> Value:
        token = self.token
        self.at += 1
        if parameter.kind is bool:
            if token.text.lower() not in ("true", "false"):
                raise self.fail(f"{parameter.name} is true or false, not {token.text!r}", token)
            return token.text.lower() == "true"
        if parameter.kind is str:
            if token.text not in [init.value for init in Init]:
                raise self.fail(f"{parameter.name} is one of {', '.join(i.value for i in Init)}", token)
            return token.text
        if token.kind != "number":
            found = repr(token.text) if token.text else "the end of the text"
            raise self.fail(f"{parameter.name} is a number, not {found}", token)
        if parameter.kind is int:
            return self.integer(token, parameter)
        number = float(token.text.replace("_", ""))
        if not parameter.low <= number <= parameter.high:
            raise self.fail(f"{parameter.name} lies between {parameter.low:g} and {parameter.high:g}", token)
        return number

    def integer(self, token: _Token, parameter: Parameter | None = None) -> int:
        name = parameter.name if parameter else "a width or count"
        low = int(parameter.low) if parameter else 1
        digits = token.text.replace("_", "")
        if not digits.isdecimal():
            raise self.fail(f"{name} is a whole number, not {token.text}", token)
        if len(digits) > 16 or not low <= int(digits) <= MAX_INTEGER:
            raise self.fail(f"{name} is at least {low} and at most 10^15", token)
        return int(digits)


def column_of(text: str, path: Path) -> int | None:
    """Column (from 1) at which the layer at ``path`` begins in a stack's text; None where the text has no such layer.

    Raises:
        NotationError: when the text is not notation.

    """
    parser = _Parser(text)
    written = rows(parser.stack())
    return next((column for column, (at, _) in zip(parser.columns, written, strict=True) if at == path), None)


def parse(text: str) -> Stack:
    """The stack that ``text`` says; the empty text is the empty stack.

    Raises:
        NotationError: with the column and what was expected there.

    """
    if len(text) > MAX_TEXT:
        raise NotationError(text[:80], MAX_TEXT, f"longer than {MAX_TEXT:,} characters")
    parser = _Parser(text)
    stack = parser.stack()
    if parser.token.kind != "end":
        raise parser.fail(f"expected a layer, but found {parser.token.text!r}")
    return stack


def format_stack(stack: Stack) -> str:
    """The notation of ``stack``; ``parse(format_stack(s)) == s``."""
    return " ".join(map(format_layer, stack))


def format_layer(layer: Layer) -> str:
    """The notation of one layer, with every argument that differs from its default."""
    match layer:
        case Linear(width, True, None, locked, True):
            return f"{width}!" if locked else str(width)
        case Linear(width, bias, init, locked, trainable):
            return _call("linear", [str(width)], bias=bias, init=init, locked=locked, trainable=trainable)
        case Out(bias, init):
            return _call("out", [], bias=bias, init=init)
        case Activation(ActivationKind.LEAKY_RELU, slope):
            return "leaky_relu" if slope == 0.01 else f"leaky_relu({slope!r})"
        case Activation(kind, _):
            return kind.value
        case Dropout(p):
            return f"dropout({p!r})"
        case LayerNorm():
            return "layernorm"
        case BatchNorm():
            return "batchnorm"
        case Conv(channels, kernel, stride, padding, bias, init, locked):
            return _call(
                "conv",
                [str(channels), str(kernel)],
                stride=None if stride == 1 else stride,
                padding=padding or None,
                bias=bias,
                init=init,
                locked=locked,
            )
        case MaxPool(kernel, pool_stride, padding):
            return _call("maxpool", [str(kernel)], stride=pool_stride, padding=padding or None)
        case AvgPool(kernel, pool_stride, padding):
            return _call("avgpool", [str(kernel)], stride=pool_stride, padding=padding or None)
        case Flatten():
            return "flatten"
        case Residual(body):
            return f"residual({format_stack(body)})"
        case Sum(branches):
            return f"sum({' | '.join(map(format_stack, branches))})"
        case Repeat(times, body):
            return f"{times}*({format_stack(body)})"


def _call(
    name: str,
    arguments: list[str],
    *,
    stride: int | None = None,
    padding: int | None = None,
    bias: bool = True,
    init: Init | None = None,
    locked: bool = False,
    trainable: bool = True,
) -> str:
    arguments = list(arguments)
    if stride is not None:
        arguments.append(f"stride={stride}")
    if padding is not None:
        arguments.append(f"padding={padding}")
    if not bias:
        arguments.append("bias=false")
    if init is not None:
        arguments.append(f"init={init.value}")
    if locked:
        arguments.append("locked=true")
    if not trainable:
        arguments.append("trainable=false")
    return f"{name}({', '.join(arguments)})" if arguments else name
