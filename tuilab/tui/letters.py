"""The letters at the ends of the lines of a chart."""

from collections.abc import Iterable, Sequence
from math import floor
from typing import NamedTuple

from tuilab.tui.canvas import Canvas


class End(NamedTuple):
    """The end of a line and its letter; ordered as they stand, from the top."""

    row: float
    """Where the line ends, in cells from the middle of the top row; not rounded."""
    below: float
    """Minus the last value, which orders lines that end beyond the scale."""
    order: int
    column: int
    letter: str
    ink: int


def places(wanted: Sequence[float], rows: int) -> list[int]:
    """A row of its own for each letter, in the given order, moved as little as that allows.

    Isotonic regression by pooling neighbours (Ayer et al. 1955): letter k wants row ``wanted[k]``, and rows minus
    k must not fall; neighbours that would are put side by side around the mean of what they want. Least squares.

    Args:
        wanted: ascending, at most as many as ``rows``.
        rows: how many there are.

    """
    pools: list[tuple[float, int]] = []
    for k, row in enumerate(wanted):
        total, size = row - k, 1
        while pools and pools[-1][0] / pools[-1][1] > total / size:
            before, count = pools.pop()
            total, size = total + before, size + count
        pools.append((total, size))
    last = rows - len(wanted)
    starts = [min(max(floor(total / size + 0.5), 0), last) for total, size in pools for _ in range(size)]
    return [start + k for k, start in enumerate(starts)]


def write_letters(canvas: Canvas, ends: Iterable[End], rows: int) -> None:
    """Write the letters right of the ends of the lines, in the order in which the lines end, near their lines.

    Args:
        canvas: to write on.
        ends: of the lines, in any order.
        rows: of cells, from the top, in which letters may stand.

    """
    groups: dict[int, list[End]] = {}
    for end in sorted(ends):
        groups.setdefault(end.column, []).append(end)
    for column, group in groups.items():
        beside = -(-len(group) // rows)
        lines = [group[at : at + beside] for at in range(0, len(group), beside)]
        wanted = [sum(end.row for end in line) / len(line) for line in lines]
        for cell, line in zip(places(wanted, rows), lines, strict=True):
            for back, end in enumerate(reversed(line)):
                canvas.write(column - back, cell, end.letter, end.ink)
