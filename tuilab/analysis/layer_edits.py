"""Editing one layer of a stack: its number, its activation, its lock, its bias. Paths as in ``edit``."""

from dataclasses import replace

from tuilab.analysis.edit import Edited, delete, insert_after, layer_at, stack_at, substitute
from tuilab.spec.errors import LabError
from tuilab.spec.layers import (
    Activation,
    ActivationKind,
    AvgPool,
    Conv,
    Dropout,
    Layer,
    Linear,
    MaxPool,
    Out,
    Repeat,
    Stack,
)
from tuilab.spec.network import Path
from tuilab.spec.notation import format_layer
from tuilab.spec.vocabulary import MAX_INTEGER


def number_of(layer: Layer) -> float | int | None:
    """The one number of a layer that is edited in place: width, channels, copies, window, probability or slope."""
    match layer:
        case Linear(width) | Conv(width):
            return width
        case Repeat(times):
            return times
        case MaxPool(kernel) | AvgPool(kernel):
            return kernel
        case Dropout(p):
            return p
        case Activation(ActivationKind.LEAKY_RELU, slope):
            return slope
        case _:
            return None


def set_number(stack: Stack, path: Path, value: float) -> Edited:
    """Change the number of the row at ``path``, see ``number_of``.

    Raises:
        LabError: when the layer has none, or not this one.

    """
    layer = layer_at(stack, path)
    return substitute(stack, path, (_with_number(layer, value),))


def bump(stack: Stack, path: Path, by: int) -> Edited:
    """Change the number of the row at ``path`` by so many steps: of 1, or of 0.05 for a probability or slope."""
    layer = layer_at(stack, path)
    value = number_of(layer)
    match layer, value:
        case (Dropout() | Activation(), int() | float()):
            high = 0.95 if isinstance(layer, Dropout) else 1.0
            return set_number(stack, path, min(max(round(value + 0.05 * by, 10), 0.0), high))
        case (_, int()):
            return set_number(stack, path, min(max(value + by, 1), MAX_INTEGER))
        case _:
            raise _without_number(layer)


def toggle_activation(stack: Stack, path: Path, kind: ActivationKind = ActivationKind.RELU) -> Edited:
    """Remove the activation on the row or right after it, or add one of ``kind`` after the row."""
    around, at = stack_at(stack, path[:-1]), path[-1]
    if isinstance(layer_at(stack, path), Activation):
        return delete(stack, path)
    if at + 1 < len(around) and isinstance(around[at + 1], Activation):
        return Edited(delete(stack, (*path[:-1], at + 1)).stack, path)
    return Edited(insert_after(stack, path, (Activation(kind),)).stack, path)


def cycle_activation(stack: Stack, path: Path, step: int = 1) -> Edited:
    """Change the activation on the row, or right after it, to the next kind.

    Raises:
        LabError: when there is no activation here.

    """
    around, at = stack_at(stack, path[:-1]), path[-1]
    for place in (at, at + 1):
        layer = around[place] if place < len(around) else None
        if isinstance(layer, Activation):
            kinds = tuple(ActivationKind)
            kind = kinds[(kinds.index(layer.kind) + step) % len(kinds)]
            return Edited(substitute(stack, (*path[:-1], place), (Activation(kind),)).stack, path)
    raise LabError("no activation here or right after; add one first")


def toggle_lock(stack: Stack, path: Path) -> Edited:
    """Lock or unlock a width against matching.

    Raises:
        LabError: when the row has no width.

    """
    match layer_at(stack, path):
        case Linear() | Conv() as layer:
            return substitute(stack, path, (replace(layer, locked=not layer.locked),))
        case other:
            raise LabError(f"{format_layer(other)} has no width to lock; lock linear and conv layers")


def toggle_bias(stack: Stack, path: Path) -> Edited:
    """Give the layer a bias, or take it away.

    Raises:
        LabError: when the row has no weights.

    """
    match layer_at(stack, path):
        case Linear() | Conv() | Out() as layer:
            return substitute(stack, path, (replace(layer, bias=not layer.bias),))
        case other:
            raise LabError(f"{format_layer(other)} has no bias; linear, conv and out have one")


def _with_number(layer: Layer, value: float) -> Layer:
    match layer:
        case Dropout():
            if not 0 <= value <= 1:
                raise LabError(f"a dropout probability lies between 0 and 1, not {value:g}")
            return Dropout(float(value))
        case Activation(ActivationKind.LEAKY_RELU as kind):
            if not 0 <= value <= 1e6:
                raise LabError(f"a negative slope is at least 0, not {value:g}")
            return Activation(kind, float(value))
        case _:
            pass
    if value != int(value) or not 1 <= value <= MAX_INTEGER:
        raise LabError(f"a width or count is a whole number from 1 to 10^15, not {value:g}")
    whole = int(value)
    match layer:
        case Linear():
            return replace(layer, out_features=whole)
        case Conv():
            return replace(layer, out_channels=whole)
        case Repeat():
            return replace(layer, times=whole)
        case MaxPool() | AvgPool():
            return replace(layer, kernel_size=whole)
        case _:
            raise _without_number(layer)


def _without_number(layer: Layer) -> LabError:
    return LabError(f"{format_layer(layer)} has no number to change; edit it as text")
