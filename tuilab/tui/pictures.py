"""Pictures of final results, drawn on a canvas: the metric against a cost, and the metric of every seed."""

import itertools
from collections.abc import Callable, Sequence
from typing import TypeAlias

from tuilab.analysis.report_axes import Axis, axis
from tuilab.analysis.report_charts import Chart, Curve, Mark, Series
from tuilab.analysis.statistics import mean, t_half_width
from tuilab.tui.canvas import Canvas, Glyphs, Ink, Row, ink
from tuilab.tui.lines import cell_width, clip
from tuilab.tui.scales import Scale, format_count, format_value, y_ticks

Placing: TypeAlias = Callable[[float], int]
"""The column of a value, in cells."""
Place: TypeAlias = tuple[int, int]
"""Column and row, of a dot or of a cell."""
_EMPTY = "no finished run yet"
_DASH = 3
"""Dots from one dot of a dotted line to the next."""
_NAMES = 0.3
"""Most of the width that names may take."""
_PER_TICK = 9
"""Cells that a tick on the horizontal axis needs."""
_DECADE = 10.0
"""Least ratio of the ends of a logarithmic axis that is labelled by powers."""
_TINY = 1e-200
_BAND = 7
"""Most rows of a candidate's band in a strip."""


def draw_picture(chart: Chart | None, width: int, height: int, glyphs: Glyphs = "braille") -> tuple[Row, ...]:
    """A ``points`` or ``strip`` chart as ``height`` rows of ``width`` cells; a few words where there is nothing."""
    if width <= 0 or height <= 0:
        return ()
    canvas = Canvas(width, height, glyphs)
    if chart is None or chart.empty or width < 16 or height < 4:
        canvas.write(max(0, (width - len(_EMPTY)) // 2), (height - 1) // 2, _EMPTY, Ink.LABEL)
    elif chart.kind == "strip":
        _strip(chart, canvas)
    else:
        _points(chart, canvas)
    return canvas.rows("".join(one.letter.lower() for one in chart.series) if chart else "")


# The metric against a cost -------------------------------------------------------------------------------------------


def _points(chart: Chart, canvas: Canvas) -> None:
    series = [one for one in chart.series if one.marks]
    marks = [mark for one in series for mark in one.marks]
    ends = _flushed([end for mark in marks for end in (mark.low, mark.high) if end is not None])
    fitted = [point for curve in chart.curves for point in curve.points]
    values = _flushed([*(mark.y for mark in marks), *(y for _, y in fitted)])
    x_axis = axis(_flushed([*(mark.x for mark in marks), *(x for x, _ in fitted)]), chart.log_x)
    y_axis = _with_ends(axis(values, chart.log_y), values, ends)
    labels = _ticks(y_axis, max(2, canvas.height // 3))
    first = max(len(label) for _, label in labels) + 1
    plane = _Plane(canvas, x_axis, y_axis, first)
    plane.frame(labels)
    plane.front([mark for one in series if one.index in chart.front for mark in one.marks])
    for one in series:
        for mark in one.marks:
            plane.interval(one.index, mark)
    paths = [(curve, plane.curve(curve)) for curve in chart.curves]
    for one in series:
        for mark in one.marks:
            plane.mark(one, mark, on_front=one.index in chart.front)
    for curve, path in paths:
        plane.name(curve, path)


def _flushed(values: Sequence[float]) -> list[float]:
    """The values with those as zero that are so small that an axis below them would begin at zero."""
    return [0.0 if abs(value) < _TINY else value for value in values]


def _with_ends(found: Axis, values: Sequence[float], ends: Sequence[float]) -> Axis:
    """The axis widened for the intervals; a logarithmic one goes down by at most a decade below the least value."""
    if not found.log:
        return axis([*values, *ends], False)
    floor = min((value for value in values if value > 0), default=found.low) / 10
    low = min([found.low, *(max(end, floor) / 1.1 for end in ends if end < found.low)])
    return Axis(low, max([found.high, *(end * 1.1 for end in ends)]), True)


class _Plane:
    """Two axes on a canvas; places are dots, counted from the top left of the whole canvas."""

    def __init__(self, canvas: Canvas, x_axis: Axis, y_axis: Axis, first: int) -> None:
        self.canvas, self.x_axis, self.y_axis, self.first = canvas, x_axis, y_axis, first
        self.across = canvas.dots_across // canvas.width
        self.down = canvas.dots_down // canvas.height
        self.columns = canvas.width - first - 1
        self.bottom = canvas.height - 2
        self.dotted: set[Place] = set()
        """Cells that bars and curves go through."""
        self.written: set[Place] = set()
        """Cells with letters and names, and those beside them."""

    def x(self, value: float) -> int:
        return round((self.first + 0.5 + self.x_axis.at(value) * (self.columns - 1)) * self.across)

    def y(self, value: float) -> int:
        return round((1 - self.y_axis.at(value)) * (self.bottom * self.down - 1))

    def frame(self, labels: Sequence[tuple[float, str]]) -> None:
        """Axis lines, ticks and labels."""
        canvas, first = self.canvas, self.first
        for row in range(self.bottom):
            canvas.write(first - 1, row, "│", Ink.AXIS)
        canvas.write(first - 1, self.bottom, "└" + "─" * self.columns, Ink.AXIS)
        taken = -2
        for value, label in sorted(labels, key=lambda one: -one[0]):
            row = self.y(value) // self.down
            if row - taken >= 2:
                canvas.write(first - 1 - len(label), row, label, Ink.LABEL)
                canvas.write(first - 1, row, "┤", Ink.AXIS)
                taken = row
        _ruler(canvas, self.x_axis, lambda value: self.x(value) // self.across, self.bottom)

    def front(self, marks: Sequence[Mark]) -> None:
        """A dotted line through the candidates that no cheaper one clearly beats."""
        self._dots(self._path([(mark.x, mark.y) for mark in sorted(marks, key=lambda mark: mark.x)]), Ink.GRID)

    def curve(self, curve: Curve) -> list[Place]:
        """A fitted curve, dotted in its family's colour; the dots that it goes through."""
        path = self._path(curve.points)
        self._dots(path, ink(Ink.LINE if self.canvas.glyphs != "ascii" else Ink.FAINT, curve.index))
        return path

    def _path(self, points: Sequence[tuple[float, float]]) -> list[Place]:
        """The dots along straight lines between points whose x ascends."""
        places = [(self.x(x), self.y(y)) for x, y in points]
        path = places[:1]
        for (x0, y0), (x1, y1) in itertools.pairwise(places):
            steps = max(x1 - x0, abs(y1 - y0))
            path += [
                (round(x0 + (x1 - x0) * step / steps), round(y0 + (y1 - y0) * step / steps))
                for step in range(1, steps + 1)
            ]
        return path

    def _dots(self, path: Sequence[Place], number: int) -> None:
        for x, y in path[::_DASH]:
            self.canvas.dot(x, y, number)
        self.dotted.update((x // self.across, y // self.down) for x, y in path)

    def name(self, curve: Curve, path: Sequence[Place]) -> None:
        """The family's name at its curve, shorter or left out where letters leave no room."""
        for label in (curve.label, curve.label.removesuffix(" family")):
            place = self._room(len(label), path)
            if place is not None:
                self._write(*place, label, ink(Ink.LINE, curve.index))
                return

    def _room(self, width: int, path: Sequence[Place]) -> Place | None:
        """Where so many cells above, below or on a path cover least of what is drawn, near its middle if possible."""
        found: list[tuple[int, int, Place]] = []
        for at, (x, y) in enumerate(path):
            for row in (y // self.down - 1, y // self.down + 1, y // self.down):
                start = x // self.across - width // 2
                cells = {(column, row) for column in range(start, start + width)}
                inside = self.first <= start and start + width <= self.canvas.width and 0 <= row < self.bottom
                if inside and not cells & self.written:
                    found.append((len(cells & self.dotted), abs(at - len(path) // 2), (start, row)))
        return min(found)[2] if found else None

    def _write(self, x: int, y: int, text: str, number: int) -> None:
        self.canvas.write(x, y, text, number)
        self.written.update((column, y) for column in range(x - 1, x + len(text) + 1))

    def interval(self, index: int, mark: Mark) -> None:
        """The mark's interval as a bar."""
        if mark.low is not None and mark.high is not None:
            x, top, bottom = self.x(mark.x), self.y(mark.high), self.y(mark.low)
            self.canvas.columns(x, [(top, bottom)], ink(Ink.FAINT, index))
            self.dotted.update((x // self.across, row) for row in range(top // self.down, bottom // self.down + 1))

    def mark(self, one: Series, mark: Mark, *, on_front: bool) -> None:
        """The candidate's letter in the middle of its bar, with a star beside it on the front."""
        x, y = self.x(mark.x) // self.across, min(self.bottom - 1, self.y(mark.y) // self.down)
        star = "*" if self.canvas.glyphs == "ascii" else "★"
        self._write(x, y, one.letter + (star if on_front else ""), ink(Ink.END, one.index))


# The metric of every seed --------------------------------------------------------------------------------------------


def _strip(chart: Chart, canvas: Canvas) -> None:
    """A band of rows for each candidate: a dot for each run, and their mean ``|`` with its 95 % interval."""
    series = [one for one in chart.series if one.marks]
    scale = axis(_flushed([mark.x for one in series for mark in one.marks]), chart.log_x)
    names = min(max(cell_width(one.name) for one in chart.series) + 2, int(canvas.width * _NAMES))
    first, bottom = names + 1, canvas.height - 2
    columns = canvas.width - first - 1

    def column(value: float) -> int:
        return first + round(scale.at(value) * (columns - 1))

    band = min(_BAND, max(1, bottom // max(1, len(chart.series))))
    top = (bottom - band * len(chart.series)) // 2
    for row in range(bottom):
        canvas.write(first - 1, row, "│", Ink.AXIS)
    canvas.write(first - 1, bottom, "└" + "─" * columns, Ink.AXIS)
    _ruler(canvas, scale, column, bottom)
    for place, one in enumerate(chart.series):
        base = top + place * band + band // 2
        if base < bottom:
            canvas.write(0, base, one.letter, ink(Ink.END, one.index))
            canvas.write(2, base, clip(one.name, names - 2), Ink.LABEL)
            _heaps(canvas, one, [column(mark.x) for mark in one.marks], base, band // 2 + 1)
            _mean(canvas, one, column, base + 1 if band > 2 else base, interval=band > 2)


def _heaps(canvas: Canvas, one: Series, columns: Sequence[int], base: int, most: int) -> None:
    """A dot for each run, heaped up from the row ``base`` where they meet; a full heap ends in a larger dot."""
    several, single = ("O", "o") if canvas.glyphs == "ascii" else ("●", "•")
    for at in set(columns):
        count = columns.count(at)
        for up in range(min(count, most)):
            full = up == most - 1 and count > most
            canvas.write(at, base - up, several if full else single, ink(Ink.LINE, one.index))


def _mean(canvas: Canvas, one: Series, column: Placing, row: int, *, interval: bool) -> None:
    """The mean of the runs as ``|``, on its interval if wanted."""
    values = [mark.x for mark in one.marks]
    middle, half = mean(values), t_half_width(values)
    if middle is None:
        return
    if interval and half is not None:
        start, end = column(middle - half), column(middle + half)
        canvas.write(start, row, "─" * (end + 1 - start), ink(Ink.FAINT, one.index))
    canvas.write(column(middle), row, "|", ink(Ink.END, one.index))


def _ruler(canvas: Canvas, scale: Axis, column: Placing, row: int) -> None:
    """Ticks on the line at ``row``, labels below it; a label that would touch its neighbour is left out."""
    free = 0
    for value, label in _ticks(scale, max(2, canvas.width // _PER_TICK)):
        at = column(value)
        start = min(at - (len(label) - 1) // 2, canvas.width - len(label))
        if start < free:
            continue
        canvas.write(at, row, "┬", Ink.AXIS)
        canvas.write(start, row + 1, label, Ink.LABEL)
        free = start + len(label) + 1


def _ticks(scale: Axis, most: int) -> list[tuple[float, str]]:
    """Values to label: the axis's own over some decades, round steps within one."""
    if not scale.log or scale.high / scale.low < _DECADE:
        return [(tick.value, tick.label) for tick in y_ticks(Scale(scale.low, scale.high), most)]
    values = [value for value, _ in scale.ticks()]
    every = -(-len(values) // most)
    return [(value, format_count(value) if value >= 1000 else format_value(value)) for value in values[::every]]
