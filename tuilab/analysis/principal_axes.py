"""The two directions in which a table varies most, in pure Python: for a picture, where no array library is loaded."""

from collections.abc import Sequence
from math import sqrt
from typing import TypeAlias

Vector: TypeAlias = list[float]
_TURNS = 60
"""Power iterations for each axis: enough for a picture, where axes that explain nearly the same may turn."""


def principal_axes(rows: Sequence[Sequence[float]], number: int = 2) -> list[tuple[float, ...]]:
    """Every row on the first ``number`` principal axes of the standardised columns (Pearson 1901).

    Args:
        rows: (rows, columns); at least one of each.
        number: of axes; there are never more than columns.

    Returns:
        (rows, axes). The sign of an axis is that of its largest weight.

    """
    columns = [_standardised(column) for column in zip(*rows, strict=True)]
    covariance = [[sum(map(_product, one, other)) / len(rows) for other in columns] for one in columns]
    axes: list[Vector] = []
    for start in range(min(number, len(columns))):
        axis = _leading(covariance, start)
        size = sum(map(_product, axis, _times(covariance, axis)))
        covariance = [
            [value - size * a * b for value, b in zip(row, axis, strict=True)]
            for row, a in zip(covariance, axis, strict=True)
        ]
        axes.append(axis)
    points = zip(*columns, strict=True)
    return [tuple(sum(map(_product, point, axis)) for axis in axes) for point in points]


def _product(one: float, other: float) -> float:
    return one * other


def _standardised(column: Sequence[float]) -> Vector:
    mean = sum(column) / len(column)
    deviation = sqrt(sum((value - mean) ** 2 for value in column) / len(column))
    return [(value - mean) / deviation if deviation > 1e-12 * max(1.0, abs(mean)) else 0.0 for value in column]


def _times(matrix: Sequence[Vector], vector: Vector) -> Vector:
    return [sum(map(_product, row, vector)) for row in matrix]


def _leading(matrix: Sequence[Vector], start: int) -> Vector:
    """The eigenvector of the largest eigenvalue, by power iteration from one that is at right angles to hardly any.

    Zeros where the matrix is zero.
    """
    axis = [1.0 + 0.1 * ((7 * place + 3 * start) % 11) for place in range(len(matrix))]
    for _ in range(_TURNS):
        turned = _times(matrix, axis)
        length = sqrt(sum(map(_product, turned, turned)))
        if length < 1e-12:
            return [0.0] * len(matrix)
        axis = [value / length for value in turned]
    sign = 1.0 if max(axis, key=abs) > 0 else -1.0
    return [sign * value for value in axis]
