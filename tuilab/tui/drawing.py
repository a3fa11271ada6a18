"""A chart drawn on a canvas: axes, grid, bands, lines, letters. What has not changed is not drawn again."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tuilab.tui.axes import Axes, frame_of, plane_of
from tuilab.tui.canvas import Canvas, Glyphs, Ink, Row, ink
from tuilab.tui.growth import Growth
from tuilab.tui.letters import End, write_letters
from tuilab.tui.lines import cell_width
from tuilab.tui.plot import NO_POINTS, ChartData, Series, SeriesKind
from tuilab.tui.scales import Scale, fit_samples, thinned
from tuilab.tui.traces import Trace

_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_DOTTED = 3
"""A dotted line shows every how-manieth dot column."""


def _write_instead(canvas: Canvas, text: str) -> None:
    """Put a sentence into the middle of a canvas, without the characters that take two cells, which it cannot place."""
    narrow = "".join(character for character in text if cell_width(character) == 1)
    from textwrap import wrap as break_lines

    lines = break_lines(narrow, max(8, canvas.width - 4))[: canvas.height]
    for row, line in enumerate(lines, (canvas.height - len(lines)) // 2):
        canvas.write((canvas.width - len(line)) // 2, row, line, Ink.LABEL)


class Drawing:
    """Draws one chart again and again, as its curves grow."""

    def __init__(self) -> None:
        self._plot: _Plot | None = None
        self._data: ChartData | None = None
        self._growths: dict[_Key, Growth] = {}

    def fitting(self, data: ChartData | None) -> Scale | None:
        """The y axis that fits the data; None without points."""
        shown = self._follow(data)
        if data is None or not shown:
            return None
        growths = self._growths
        bands = [band for key in shown if (band := growths[key].band) is not None]
        bounds = (min(low for low, _ in bands), max(high for _, high in bands)) if bands else None
        lines = [thinned(series.values, *growths[key].extremes) for key, series in shown.items()]
        return fit_samples([value for line in lines for value in line], bounds, log=data.log_y)

    def rows(
        self, data: ChartData | None, width: int, height: int, glyphs: Glyphs = "braille", scale: Scale | None = None
    ) -> tuple[Row, ...]:
        """The chart as ``height`` rows of ``width`` cells, the same whatever has been drawn before.

        Args:
            data: None, and data without points, are a few words.
            width: in cells.
            height: in cells.
            glyphs: what curves are drawn with.
            scale: the y axis; by default the one that fits the data.

        """
        if width <= 0 or height <= 0:
            return ()
        shown = self._follow(data)
        if not shown or data is None or width < 8 or height < 2:
            canvas = Canvas(width, height, glyphs)
            if not shown:
                _write_instead(canvas, NO_POINTS if data is None else data.empty)
            return canvas.rows()
        setting = _Setting(
            width, height, glyphs, scale or self.fitting(data) or Scale(0.0, 1.0), data.x_max, data.marks
        )
        if self._plot is None or self._plot.setting != setting:
            self._plot = _Plot(setting)
        return self._plot.rows(shown, self._growths)

    def _follow(self, data: ChartData | None) -> "dict[_Key, Series]":
        """The curves that have points, compared with those of the data before."""
        series = [one for one in data.series if one.steps] if data else []
        shown = {_Key(place, one.index, one.kind): one for place, one in enumerate(series)}
        if data is not self._data:
            self._data = data
            self._growths = {key: self._growths.get(key) or Growth() for key in shown}
            for key, one in shown.items():
                self._growths[key].follow(one)
        return shown


class _Setting(NamedTuple):
    """What everything in a plot depends on."""

    width: int
    height: int
    glyphs: Glyphs
    scale: Scale
    x_max: float
    marks: tuple[int, ...]


class _Key(NamedTuple):
    """Which curve it is."""

    place: int
    candidate: int
    kind: SeriesKind


class _Plot:
    """One chart whose axes stay."""

    def __init__(self, setting: _Setting) -> None:
        self.setting = setting
        self._canvas = Canvas(setting.width, setting.height, setting.glyphs)
        self._frame = frame_of(setting.x_max, setting.scale, setting.width, setting.height)
        self._plane = plane_of(self._frame, setting.x_max, self._canvas)
        axes = Axes(self._canvas, self._frame, self._plane)
        axes.draw()
        axes.changed(setting.marks)
        self._canvas.keep()
        self._traces: dict[_Key, Trace] = {}
        self._order: list[_Key] = []

    def rows(self, shown: Mapping[_Key, Series], growths: Mapping[_Key, Growth]) -> tuple[Row, ...]:
        """The chart with these curves."""
        keys = list(shown)
        self._traces = {key: self._traces.get(key) or Trace(self._plane) for key in keys}
        changed = [self._traces[key].follow(series, growths[key]) for key, series in shown.items()]
        bands = [key for key in keys if self._traces[key].band]
        bands.sort(key=lambda key: self._traces[key].thickness, reverse=True)
        as_before, self._order = self._order == [*bands, *keys], [*bands, *keys]
        for first, end in self._cells(changed) if as_before else [(0, self._canvas.width)]:
            self._canvas.wipe(first, end)
            self._draw(bands, keys, first * self._plane.across, end * self._plane.across)
        self._canvas.wipe_texts()
        ends = [self._end(self._traces[key], one) for key, one in shown.items() if key.kind is not SeriesKind.TRAIN]
        write_letters(self._canvas, ends, self._frame.bottom)
        return self._canvas.rows(_ALPHABET)

    def _cells(self, changed: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Cell columns (first, one past the last) that hold these dot columns; apart from each other."""
        across, left = self._plane.across, self._plane.first
        cells = [((left + first) // across, -(-(left + end) // across)) for first, end in changed if first < end]
        start = stop = 0
        for first, end in sorted(cells):
            if first > stop:
                if start < stop:
                    yield start, stop
                start = first
            stop = max(stop, end)
        if start < stop:
            yield start, stop

    def _draw(self, bands: Sequence[_Key], lines: Sequence[_Key], first: int, end: int) -> None:
        """Draw curves in some dot columns of the canvas: narrow bands over wide ones, and lines over bands."""
        for key in bands:
            self._put(self._traces[key], self._traces[key].band, ink(Ink.BAND, key.candidate), first, end)
        for key in lines:
            kind = Ink.LINE if key.kind is SeriesKind.EVAL else Ink.FAINT
            every = _DOTTED if key.kind is SeriesKind.TRAIN else 1
            self._put(self._traces[key], self._traces[key].line, ink(kind, key.candidate), first, end, every)

    def _put(
        self, one: Trace, runs: Sequence[tuple[int, int]], number: int, first: int, end: int, every: int = 1
    ) -> None:
        left = self._plane.first + one.first
        start = max(first, left)
        if start < end:
            self._canvas.columns(start, runs[start - left : end - left], number, every)

    def _end(self, one: Trace, series: Series) -> End:
        """The end of a line, and its letter."""
        across, down = self._plane.across, self._plane.down
        bright = series.kind is SeriesKind.EVAL
        return End(
            (one.ys[-1] + 0.5) / down - 0.5,
            -series.values[-1],
            series.index,
            (self._plane.first + one.end - 1) // across + 1,
            series.letter if bright else series.letter.lower(),
            ink(Ink.END if bright else Ink.FAINT, series.index),
        )
