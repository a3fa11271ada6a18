"""Folding weights: one weight matrix and one bias that say exactly what several affine layers say."""

from typing import TYPE_CHECKING, TypeAlias

from tuilab.analysis.freedom import is_transparent
from tuilab.spec.errors import LabError
from tuilab.spec.layers import Layer, Linear, Repeat, Residual, Stack, Sum
from tuilab.spec.notation import format_layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[np.float64]


def fold_weights(
    stack: Stack, weights: "Iterable[tuple[Array, Array | None]]", in_features: int
) -> "tuple[Array, Array | None]":
    """One layer that computes what ``stack`` computes.

    Args:
        stack: linear layers, sums, residuals and repeats of them, and layers that change nothing.
        weights: weight (out, in) and bias (out,) or None of every linear layer, in the order in which data meets
            them, a sum's branches one after the other.
        in_features: size of the input.

    Returns:
        weight (out, in) and bias (out,), or None where no layer has a bias.

    Raises:
        LabError: when a layer is not affine.

    """
    import numpy as np

    left = iter(weights)
    weight, bias = _fold(stack, left, np.eye(in_features), None)
    assert next(left, None) is None, "more weights than linear layers"
    return weight, bias


def _fold(
    stack: Stack, weights: "Iterator[tuple[Array, Array | None]]", weight: "Array", bias: "Array | None"
) -> "tuple[Array, Array | None]":
    """``stack`` after the affine map x -> weight x + bias."""
    for layer in stack:
        weight, bias = _fold_layer(layer, weights, weight, bias)
    return weight, bias


def _fold_layer(
    layer: Layer, weights: "Iterator[tuple[Array, Array | None]]", weight: "Array", bias: "Array | None"
) -> "tuple[Array, Array | None]":
    match layer:
        case Linear():
            own, own_bias = next(weights)
            return own @ weight, _plus(None if bias is None else own @ bias, own_bias)
        case Repeat(times, body):
            for _ in range(times):
                weight, bias = _fold(body, weights, weight, bias)
            return weight, bias
        case Residual(body):
            branch, branch_bias = _fold(body, weights, weight, bias)
            return weight + branch, _plus(bias, branch_bias)
        case Sum(branches):
            parts = [_fold(branch, weights, weight, bias) for branch in branches]
            total, total_bias = parts[0]
            for part, part_bias in parts[1:]:
                total, total_bias = total + part, _plus(total_bias, part_bias)
            return total, total_bias
        case _ if is_transparent(layer):
            return weight, bias
        case _:
            raise LabError(f"{format_layer(layer)} is not an affine map and cannot be folded")


def _plus(one: "Array | None", other: "Array | None") -> "Array | None":
    if one is None or other is None:
        return other if one is None else one
    return one + other
