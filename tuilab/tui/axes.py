"""The axes of a chart: where things go, lines, ticks, labels and the sparse grid."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tuilab.tui.canvas import Canvas, Ink
from tuilab.tui.scales import Scale, Tick, x_ticks, y_ticks

_PER_TICK = 3
"""Rows that a y tick needs."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where things go, in cells: the plot lies right of ``left`` and above ``bottom``; letters may lie right of it."""

    scale: Scale
    left: int
    bottom: int
    width: int
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Plane:
    """Where values lie, in dots: columns count from the plot's left edge, rows from the top.

    Attributes:
        scale: of the rows.
        x_max: steps at the last column.
        first: the plot's left edge, in dot columns of the canvas.
        columns, rows: how many.
        across, down: dot columns and dot rows of a cell.

    """

    scale: Scale
    x_max: float
    first: int
    columns: int
    rows: int
    across: int
    down: int

    def x(self, steps: Iterable[float]) -> list[int]:
        """Dot columns of ascending steps."""
        last = self.columns - 1
        per_step = last / self.x_max
        columns = [int(step * per_step + 0.5) for step in steps]
        return columns if not columns or columns[-1] <= last else [min(column, last) for column in columns]

    def y(self, values: Sequence[float]) -> list[float]:
        """Dot rows, not rounded."""
        return self.scale.rows(values, self.rows)


def frame_of(x_max: float, scale: Scale, width: int, height: int) -> Frame:
    """Room for a plot and its axes on ``width`` x ``height`` cells."""
    bottom = height - (2 if height >= 6 else 1 if height >= 4 else 0)
    ticks = y_ticks(scale, max(2, bottom // _PER_TICK + 1))
    left = max((len(tick.label) for tick in ticks), default=0) + 1
    if width - left < 12:
        left, ticks = 0, ()
    across = width - left - 1
    return Frame(scale, left, bottom, across, ticks, x_ticks(x_max, max(1, across // 12)))


def plane_of(frame: Frame, x_max: float, canvas: Canvas) -> Plane:
    """The dots of the plot in a frame on this canvas."""
    across, down = canvas.dots_across // canvas.width, canvas.dots_down // canvas.height
    first, columns, rows = frame.left * across, frame.width * across, frame.bottom * down
    return Plane(frame.scale, max(x_max, 1.0), first, columns, rows, across, down)


class _Marks(NamedTuple):
    """Characters of the axes."""

    line: str
    pole: str
    corner: str
    y_tick: str
    x_tick: str


_AXES = _Marks("─", "│", "└", "┤", "┬")
_ASCII_AXES = _Marks("-", "|", "+", "+", "+")
_CHANGED, _ASCII_CHANGED = "▲", "^"
"""Where runs were changed by hand."""


class Axes:
    """Draws the axes of one chart."""

    def __init__(self, canvas: Canvas, frame: Frame, plane: Plane) -> None:
        self._canvas = canvas
        self._frame = frame
        self._plane = plane

    def draw(self) -> None:
        """Axis lines, ticks, labels and the sparse grid."""
        marks = _ASCII_AXES if self._canvas.glyphs == "ascii" else _AXES
        if self._frame.bottom < self._canvas.height:
            self._canvas.write(self._frame.left, self._frame.bottom, marks.line * self._frame.width, Ink.AXIS)
        self._grid(self._y_axis(marks), self._x_axis(marks))

    def changed(self, steps: Sequence[int]) -> None:
        """Mark on the x axis where runs were changed by hand."""
        if self._frame.bottom < self._canvas.height:
            glyph = _ASCII_CHANGED if self._canvas.glyphs == "ascii" else _CHANGED
            for column in self._plane.x(sorted(steps)):
                self._canvas.write(
                    self._frame.left + column // self._plane.across, self._frame.bottom, glyph, Ink.LABEL
                )

    def _y_axis(self, marks: _Marks) -> list[int]:
        """Draw the axis; the dot rows of its ticks."""
        canvas, frame = self._canvas, self._frame
        if frame.left:
            for row in range(frame.bottom):
                canvas.write(frame.left - 1, row, marks.pole, Ink.AXIS)
            if frame.bottom < canvas.height:
                canvas.write(frame.left - 1, frame.bottom, marks.corner, Ink.AXIS)
        rows = [round(y) for y in self._plane.y([tick.value for tick in frame.y_ticks])]
        for tick, row in zip(frame.y_ticks, rows, strict=True):
            cell = min(max(row // self._plane.down, 0), frame.bottom - 1)
            canvas.write(frame.left - 1 - len(tick.label), cell, tick.label, Ink.LABEL)
            canvas.write(frame.left - 1, cell, marks.y_tick, Ink.AXIS)
        return rows

    def _x_axis(self, marks: _Marks) -> list[int]:
        """Write ticks and labels where there is room; the dot columns of the ticks."""
        canvas, frame = self._canvas, self._frame
        columns = self._plane.x(tick.value for tick in frame.x_ticks)
        if frame.bottom == canvas.height - 2:
            free, edge = 0, frame.left + frame.width + 1
            for tick, column in zip(frame.x_ticks, columns, strict=True):
                cell = frame.left + column // self._plane.across
                canvas.write(cell, frame.bottom, marks.x_tick, Ink.AXIS)
                start = min(max(cell - (len(tick.label) - 1) // 2, free), edge - len(tick.label))
                canvas.write(start, frame.bottom + 1, tick.label, Ink.LABEL)
                free = start + len(tick.label) + 1
        return columns

    def _grid(self, rows: Sequence[int], columns: Sequence[int]) -> None:
        if len(columns) < 2:
            return
        spacing = columns[1] - columns[0]
        pieces = max(1, round(spacing / self._plane.across / 5))
        for piece in range(self._plane.columns * pieces // spacing + 1):
            column = round(piece * spacing / pieces)
            if 0 < column < self._plane.columns:
                for row in rows:
                    if 0 <= row < self._plane.rows:
                        self._canvas.dot(self._plane.first + column, row, Ink.GRID)
