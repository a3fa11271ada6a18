"""The dots of one curve of a chart. As a curve grows, those that it keeps are not computed again."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from math import log2

from tuilab.tui.axes import Plane
from tuilab.tui.canvas import band_runs, line_runs
from tuilab.tui.growth import Growth
from tuilab.tui.plot import Series, SeriesKind

Runs = list[tuple[int, int]]
"""First and last dot row of each dot column."""


class Trace:
    """A curve in dots: of its points those in one dot column are gathered, and columns between points are filled.

    Attributes:
        ys: dot rows of the line, one for each dot column from the first to the last; not rounded.
        line, band: the dots, one run for each dot column; no band where none is drawn.

    """

    def __init__(self, plane: Plane) -> None:
        """A trace without a curve; columns count from the left edge of the plane."""
        self.ys: list[float] = []
        self.line: Runs = []
        self.band: Runs = []
        self._plane = plane
        self._series: Series | None = None
        self._columns: list[int] = []
        """Dot columns that have points, ascending."""
        self._starts: list[int] = []
        """Of each of them the place of its first point."""
        self._tops: list[float] = []
        self._bottoms: list[float] = []

    @property
    def first(self) -> int:
        """Its first dot column."""
        return self._columns[0]

    @property
    def end(self) -> int:
        """The dot column after its last; 0 without a curve."""
        return self._columns[-1] + 1 if self._columns else 0

    @property
    def thickness(self) -> int:
        """Of the band, in dots, on average, as a power of two: coarse, so that the order of bands does not flicker."""
        return int(log2(1 + (sum(self._bottoms) - sum(self._tops)) / len(self._tops)))

    def follow(self, series: Series, growth: Growth) -> tuple[int, int]:
        """Show this curve, which has points; those that it shares with the one before are not computed again.

        Args:
            series: the curve.
            growth: that has followed it.

        Returns:
            The dot columns (first, one past the last) in which the two may differ.

        """
        before, self._series = self._series, series
        if before is series:
            return self.end, self.end
        same = growth.same if before is growth.before else 0
        was, kept = self.end, 0
        if same:
            (last,) = self._plane.x(series.steps[same - 1 : same])
            kept = bisect_left(self._columns, last)
        return self._grow(series, kept), max(was, self.end)

    def _grow(self, series: Series, kept: int) -> int:
        """Keep the first columns that have points, and compute the others; the first dot column that is not kept."""
        start = self._starts[kept] if kept else 0
        dots = self._columns[kept - 1] + 1 - self._columns[0] if kept else 0
        ends = {column: end for end, column in enumerate(self._plane.x(series.steps[start:]), start + 1)}
        places = [start, *ends.values()]
        pieces = [slice(a, b) for a, b in pairwise(places)]
        self._columns[kept:] = ends
        self._starts[kept:] = places[:-1]
        gaps = self._columns[max(0, kept - 1) :]
        self._stretch(self.ys, dots, gaps, [sum(series.values[one]) / (one.stop - one.start) for one in pieces])
        before = self.ys[dots - 1] if dots else None
        self.line[dots:] = line_runs(self.ys[dots:], before, connected=series.kind is not SeriesKind.TRAIN)
        if _has_band(series, self._plane):
            self._stretch(self._tops, dots, gaps, [max(series.highs[one]) for one in pieces])
            self._stretch(self._bottoms, dots, gaps, [min(series.lows[one]) for one in pieces])
            self.band[dots:] = band_runs(self._tops[dots:], self._bottoms[dots:])
        else:
            self.band.clear()
        return self._columns[0] + dots if dots else 0

    def _stretch(self, ys: list[float], dots: int, columns: Sequence[int], values: Sequence[float]) -> None:
        """Replace all but the first dot rows by those of values in some columns, on straight lines between them.

        Args:
            ys: dot rows of all dot columns.
            dots: how many of them stay.
            columns: that have points: where dot rows stay, the last of them, and then one for each value.
            values: in data units.

        """
        del ys[dots:]
        rows = self._plane.y(values)
        if not dots:
            ys.append(rows.pop(0))
        y = ys[-1]
        for (before, column), here in zip(pairwise(columns), rows, strict=True):
            if column - before > 1:
                slope = (here - y) / (column - before)
                ys.extend([y + slope * k for k in range(1, column - before)])
            ys.append(here)
            y = here


def _has_band(series: Series, plane: Plane) -> bool:
    return series.kind is SeriesKind.EVAL and bool(series.lows) and plane.across > 1
