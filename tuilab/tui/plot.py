"""Curves over steps, drawn on a canvas: axes, grid, bands, lines, letters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from math import floor, log2
from typing import NamedTuple

from tuilab.tui.canvas import Canvas, Glyphs, Ink, Row, ink
from tuilab.tui.scales import Scale, Tick, fit, x_ticks, y_ticks


class SeriesKind(Enum):
    """What a curve shows, and so how strongly it is drawn."""

    EVAL = "eval"
    """The main curve of a candidate: bright, over its band."""
    TRAIN = "train"
    """Beside the main curve: faint and dotted, without letter."""
    TUNING = "tuning"
    """Instead of the main curve while learning rates are tried: faint, with a small letter, without band."""


@dataclass(frozen=True, slots=True)
class Series:
    """One curve.

    Attributes:
        letter: the candidate's.
        name: the candidate's.
        index: the candidate's, which decides its colour.
        kind: how it is drawn.
        steps: ascending, (points,).
        values: (points,).
        lows, highs: limits of the band, (points,); empty without one.

    """

    letter: str
    name: str
    index: int
    kind: SeriesKind
    steps: tuple[float, ...]
    values: tuple[float, ...]
    lows: tuple[float, ...] = ()
    highs: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ChartData:
    """What a chart shows.

    Attributes:
        title: of the quantity, such as ``Loss``.
        series: in any order; empty while there are no points.
        x_max: planned steps; the x axis always runs from 0 to here.
        log_y: whether the y axis is logarithmic.
        unit: of the y axis; empty without one.
        note: a few words on how to read it, for the lower border.
        marks: steps at which somebody changed runs by hand, marked on the x axis.

    """

    title: str
    series: tuple[Series, ...]
    x_max: float
    log_y: bool = False
    unit: str = ""
    note: str = ""
    marks: tuple[int, ...] = ()


_EMPTY = "no points yet"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_PER_TICK = 3
"""Rows that a y tick needs."""
_DOTTED = 3
"""A dotted line shows every how-manieth dot column."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where things go, in cells: the plot lies right of ``left`` and above ``bottom``; letters may lie right of it."""

    scale: Scale
    left: int
    bottom: int
    width: int
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]


def scale_of(data: ChartData | None) -> Scale | None:
    """The y axis that fits the data; None without points."""
    shown = [series for series in data.series if series.steps] if data else []
    if data is None or not shown:
        return None
    banded = [one for one in shown if one.kind is SeriesKind.EVAL and one.lows]
    limits = [limit for one in banded for limit in (one.lows, one.highs)]
    bounds = (min(map(min, limits)), max(map(max, limits))) if limits else None
    return fit([series.values for series in shown], bounds, log=data.log_y)


def draw(
    data: ChartData | None, width: int, height: int, glyphs: Glyphs = "braille", scale: Scale | None = None
) -> tuple[Row, ...]:
    """The chart as ``height`` rows of ``width`` cells.

    Args:
        data: None, and data without points, are a few words.
        width: in cells.
        height: in cells.
        glyphs: what curves are drawn with.
        scale: the y axis; by default the one that fits the data.

    """
    if width <= 0 or height <= 0:
        return ()
    canvas = Canvas(width, height, glyphs)
    shown = tuple(series for series in data.series if series.steps) if data else ()
    if not shown or data is None or width < 8 or height < 2:
        canvas.write((width - len(_EMPTY)) // 2, (height - 1) // 2, _EMPTY if not shown else "", Ink.LABEL)
        return canvas.rows()
    frame = _frame(data.x_max, scale or scale_of(data) or Scale(0.0, 1.0), width, height)
    plot = _Plot(canvas, frame, max(data.x_max, 1.0))
    plot.axes()
    plot.changed(data.marks)
    plot.add(shown)
    plot.letters()
    return canvas.rows(_ALPHABET)


def _frame(x_max: float, scale: Scale, width: int, height: int) -> _Frame:
    bottom = height - (2 if height >= 6 else 1 if height >= 4 else 0)
    ticks = y_ticks(scale, max(2, bottom // _PER_TICK + 1))
    left = max((len(tick.label) for tick in ticks), default=0) + 1
    if width - left < 12:
        left, ticks = 0, ()
    across = width - left - 1
    return _Frame(scale, left, bottom, across, ticks, x_ticks(x_max, max(1, across // 12)))


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


class _Plot:
    """Draws the parts of one chart."""

    def __init__(self, canvas: Canvas, frame: _Frame, x_max: float) -> None:
        self._canvas = canvas
        self._frame = frame
        self._scale = frame.scale
        self._x_max = x_max
        self._across = canvas.dots_across // canvas.width
        self._down = canvas.dots_down // canvas.height
        self._first = frame.left * self._across
        self._columns = frame.width * self._across
        self._rows = frame.bottom * self._down
        self._ends: list[_End] = []

    def _x(self, steps: Iterable[float]) -> list[int]:
        """Dot columns, counted from the plot's left edge, of ascending steps."""
        last = self._columns - 1
        per_step = last / self._x_max
        columns = [int(step * per_step + 0.5) for step in steps]
        return columns if not columns or columns[-1] <= last else [min(column, last) for column in columns]

    def axes(self) -> None:
        """Axis lines, ticks, labels and the sparse grid."""
        marks = _ASCII_AXES if self._canvas.glyphs == "ascii" else _AXES
        if self._frame.bottom < self._canvas.height:
            self._canvas.write(self._frame.left, self._frame.bottom, marks.line * self._frame.width, Ink.AXIS)
        self._grid(self._y_axis(marks), self._x_axis(marks))

    def changed(self, steps: Sequence[int]) -> None:
        """Mark on the x axis where runs were changed by hand."""
        if self._frame.bottom < self._canvas.height:
            glyph = _ASCII_CHANGED if self._canvas.glyphs == "ascii" else _CHANGED
            for column in self._x(sorted(steps)):
                self._canvas.write(self._frame.left + column // self._across, self._frame.bottom, glyph, Ink.LABEL)

    def _y_axis(self, marks: _Marks) -> list[int]:
        """Draw the axis; the dot rows of its ticks."""
        canvas, frame = self._canvas, self._frame
        if frame.left:
            for row in range(frame.bottom):
                canvas.write(frame.left - 1, row, marks.pole, Ink.AXIS)
            if frame.bottom < canvas.height:
                canvas.write(frame.left - 1, frame.bottom, marks.corner, Ink.AXIS)
        rows = [round(y) for y in self._scale.rows([tick.value for tick in frame.y_ticks], self._rows)]
        for tick, row in zip(frame.y_ticks, rows, strict=True):
            cell = min(max(row // self._down, 0), frame.bottom - 1)
            canvas.write(frame.left - 1 - len(tick.label), cell, tick.label, Ink.LABEL)
            canvas.write(frame.left - 1, cell, marks.y_tick, Ink.AXIS)
        return rows

    def _x_axis(self, marks: _Marks) -> list[int]:
        """Write ticks and labels where there is room; the dot columns of the ticks."""
        canvas, frame = self._canvas, self._frame
        columns = self._x(tick.value for tick in frame.x_ticks)
        if frame.bottom == canvas.height - 2:
            free, edge = 0, frame.left + frame.width + 1
            for tick, column in zip(frame.x_ticks, columns, strict=True):
                cell = frame.left + column // self._across
                canvas.write(cell, frame.bottom, marks.x_tick, Ink.AXIS)
                start = min(max(cell - (len(tick.label) - 1) // 2, free), edge - len(tick.label))
                canvas.write(start, frame.bottom + 1, tick.label, Ink.LABEL)
                free = start + len(tick.label) + 1
        return columns

    def _grid(self, rows: Sequence[int], columns: Sequence[int]) -> None:
        if len(columns) < 2:
            return
        spacing = columns[1] - columns[0]
        pieces = max(1, round(spacing / self._across / 5))
        for piece in range(self._columns * pieces // spacing + 1):
            column = round(piece * spacing / pieces)
            if 0 < column < self._columns:
                for row in rows:
                    if 0 <= row < self._rows:
                        self._canvas.dot(self._first + column, row, Ink.GRID)

    def add(self, shown: Sequence[Series]) -> None:
        """Draw curves, and remember where their letters go. Narrow bands lie over wide ones, and lines over bands."""
        gathered = {steps: _Columns(self._x(steps)) for steps in {series.steps for series in shown}}
        columns = [gathered[series.steps] for series in shown]
        bands = [self._band(*one) for one in zip(shown, columns, strict=True) if self._has_band(one[0])]
        for band in sorted(bands, key=lambda band: band.thickness, reverse=True):
            self._canvas.band(band.first, band.tops, band.bottoms, band.ink)
        for series, points in zip(shown, columns, strict=True):
            self._line(series, points)

    def _has_band(self, series: Series) -> bool:
        return series.kind is SeriesKind.EVAL and bool(series.lows) and self._across > 1

    def _band(self, series: Series, points: "_Columns") -> "_Band":
        tops = self._stretch(points.columns, points.highest(series.highs))
        bottoms = self._stretch(points.columns, points.lowest(series.lows))
        first = self._first + points.columns[0]
        thickness = int(log2(1 + (sum(bottoms) - sum(tops)) / len(tops)))
        return _Band(thickness, first, tops, bottoms, ink(Ink.BAND, series.index))

    def _line(self, series: Series, points: "_Columns") -> None:
        first = self._first + points.columns[0]
        bright = series.kind is SeriesKind.EVAL
        ys = self._stretch(points.columns, points.mean(series.values))
        every = _DOTTED if series.kind is SeriesKind.TRAIN else 1
        self._canvas.line(first, ys, ink(Ink.LINE if bright else Ink.FAINT, series.index), every)
        if series.kind is not SeriesKind.TRAIN:
            letter = series.letter if bright else series.letter.lower()
            column = (first + len(ys) - 1) // self._across + 1
            row = (ys[-1] + 0.5) / self._down - 0.5
            number = ink(Ink.END if bright else Ink.FAINT, series.index)
            self._ends.append(_End(row, -series.values[-1], series.index, column, letter, number))

    def _stretch(self, columns: Sequence[int], values: Sequence[float]) -> list[float]:
        """Dot rows for every column from the first of ``columns`` to the last, on straight lines between them."""
        rows = self._scale.rows(values, self._rows)
        before, y = columns[0], rows[0]
        if columns[-1] - before == len(columns) - 1:
            return rows
        ys = [y]
        for column, here in zip(columns[1:], rows[1:], strict=True):
            if column - before > 1:
                slope = (here - y) / (column - before)
                ys.extend([y + slope * k for k in range(1, column - before)])
            ys.append(here)
            before, y = column, here
        return ys

    def letters(self) -> None:
        """Write the letters right of the ends of the lines, in the order in which the lines end, near their lines."""
        groups: dict[int, list[_End]] = {}
        for end in sorted(self._ends):
            groups.setdefault(end.column, []).append(end)
        for column, ends in groups.items():
            beside = -(-len(ends) // self._frame.bottom)
            rows = [ends[at : at + beside] for at in range(0, len(ends), beside)]
            wanted = [sum(end.row for end in row) / len(row) for row in rows]
            for cell, row in zip(places(wanted, self._frame.bottom), rows, strict=True):
                for back, end in enumerate(reversed(row)):
                    self._canvas.write(column - back, cell, end.letter, end.ink)


class _End(NamedTuple):
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


class _Band(NamedTuple):
    """A band: its first dot column, and its dot rows for each column from there."""

    thickness: int
    """In dots, on average, as a power of two: coarse, so that the order of bands does not flicker as they grow."""
    first: int
    tops: Sequence[float]
    bottoms: Sequence[float]
    ink: int


class _Columns:
    """Points gathered by dot column: a chart has fewer columns than a long curve has points."""

    def __init__(self, columns: Sequence[int]) -> None:
        """Gather points, given the column of each, ascending."""
        ends = {column: end for end, column in enumerate(columns, 1)}
        self.columns = list(ends)
        self._pieces = [slice(a, b) for a, b in pairwise((0, *ends.values()))]
        self._sizes = [piece.stop - piece.start for piece in self._pieces]
        self._single = len(self.columns) == len(columns)

    def highest(self, values: Sequence[float]) -> Sequence[float]:
        """The greatest value in each column."""
        return values if self._single else [max(values[piece]) for piece in self._pieces]

    def lowest(self, values: Sequence[float]) -> Sequence[float]:
        """The least value in each column."""
        return values if self._single else [min(values[piece]) for piece in self._pieces]

    def mean(self, values: Sequence[float]) -> Sequence[float]:
        """The mean of the values in each column."""
        if self._single:
            return values
        return [sum(values[piece]) / size for piece, size in zip(self._pieces, self._sizes, strict=True)]
