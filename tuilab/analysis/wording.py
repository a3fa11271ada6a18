"""How numbers and networks read inside a sentence: sensible digits, short shapes."""

from collections.abc import Sequence
from math import floor, log10

from tuilab.spec.layers import (
    Activation,
    ActivationKind,
    Conv,
    Layer,
    Linear,
    Repeat,
    Stack,
    Sum,
    children,
)
from tuilab.spec.notation import format_stack

MAX_SHAPE = 40
"""Characters of a network's shape inside a sentence."""


def decimals(spread: float, digits: int = 2) -> int:
    """Decimals that show ``digits`` significant digits of a spread; 0 to 8."""
    if spread <= 0:
        return 3
    return min(8, max(0, digits - 1 - floor(log10(spread))))


def number(value: float, digits: int = 3) -> str:
    """A value to some significant digits, without an exponent where it is of everyday size."""
    return f"{value:.{digits}g}"


def percent(value: float, digits: int = 3) -> str:
    """A share as per cent: ``percent(0.0125)`` is ``1.25 %``."""
    return f"{number(100 * value, digits)} %"


def metric_text(metric: str, value: float, half_width: float | None, places: int | None = None) -> str:
    """``0.53 % ± 0.48`` for an error, ``0.167 ± 0.027`` for other metrics.

    The half-width decides the digits, unless the number of decimal ``places`` is given.
    """
    scale, unit = (100.0, " %") if metric == "error" else (1.0, "")
    if not half_width:
        return f"{number(scale * value)}{unit}" + ("" if half_width is None else " ± 0")
    if places is None:
        places = decimals(scale * half_width)
    return f"{scale * value:.{places}f}{unit} ± {scale * half_width:.{places}f}"


def with_interval(value: float, low: float, high: float) -> tuple[str, str, str]:
    """A value and the ends of its interval with the same decimals: two digits of half the interval."""
    half = (high - low) / 2
    if not 1e-6 < half < 1e6:
        return number(value), number(low), number(high)
    places = decimals(half)
    return f"{value:z.{places}f}", f"{low:z.{places}f}", f"{high:z.{places}f}"


def common_places(metric: str, values: Sequence[tuple[float, float]]) -> int | None:
    """Decimal places that suit all of some (mean, half-width): the coarsest half-width's, but 2 digits of any mean."""
    scale = 100.0 if metric == "error" else 1.0
    coarsest = min((decimals(scale * half) for _, half in values if half > 0), default=None)
    smallest = max((decimals(scale * abs(value)) for value, half in values if value and half > 0), default=0)
    return None if coarsest is None else max(coarsest, smallest)


def p_text(p: float) -> str:
    """``p = .003``, ``p = .12`` or ``p < .0001``."""
    if p < 1e-4:
        return "p < .0001"
    if p > 0.995:
        return "p = 1"
    places = 2 if p >= 0.095 else 3 if p >= 0.00095 else 4
    return f"p = {p:.{places}f}".replace("0.", ".", 1)


def count_text(count: int, one: str, many: str | None = None) -> str:
    """``1 seed``, ``12 seeds``, with separators for thousands."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else "".join(words)


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a text, each in one line: parted by blank lines, or by line breaks where there are none."""
    parts = text.strip().split("\n\n" if "\n\n" in text else "\n")
    return [" ".join(part.split()) for part in parts if part.strip()]


def shape_text(stack: Stack) -> str:
    """A network's hidden layers, as short as can be: ``100``, ``19, 19``, ``4×11 tanh``, else the notation."""
    if not stack:
        return "no hidden layer"
    terms, kinds = _plain_terms(stack)
    if terms and len(kinds) == 1:
        kind = next(iter(kinds))
        text = ", ".join(terms) + ("" if kind is ActivationKind.RELU else f" {kind.value}")
    else:
        text = format_stack(stack)
    return text if len(text) <= MAX_SHAPE else text[: MAX_SHAPE - 1] + "…"


def _plain_terms(stack: Stack) -> tuple[list[str], set[ActivationKind]]:
    """Widths of a stack of linear layers, each with an activation; nothing for any other stack."""
    terms: list[str] = []
    kinds: set[ActivationKind] = set()
    rest: Sequence[Layer] = stack
    while rest:
        match list(rest[:2]):
            case [Repeat(times, (Linear() as linear, Activation(kind=kind))), *_] if _is_plain(linear):
                terms.append(f"{times}×{linear.out_features}")
                rest = rest[1:]
            case [Linear() as linear, Activation(kind=kind)] if _is_plain(linear):
                terms.append(str(linear.out_features))
                rest = rest[2:]
            case _:
                return [], set()
        kinds.add(kind)
    return terms, kinds


def _is_plain(linear: Linear) -> bool:
    return linear.bias and linear.init is None and linear.trainable


def subject(name: str, stack: Stack, num_params: int) -> str:
    """How a sentence introduces a candidate: ``deep (4×11, 453 params)``."""
    shape = shape_text(stack)
    size = count_text(num_params, "param")
    return f"{name} ({size})" if name in (shape, format_stack(stack)) else f"{name} ({shape}, {size})"


def hidden_depth(stack: Stack) -> int:
    """Hidden layers with weights along the longest path; the final projection is not one."""
    return sum(map(_depth_of, stack))


def _depth_of(layer: Layer) -> int:
    match layer:
        case Linear() | Conv():
            return 1
        case Repeat(times, body):
            return times * hidden_depth(body)
        case Sum(branches):
            return max(map(hidden_depth, branches), default=0)
        case _:
            return sum(map(hidden_depth, children(layer)))
