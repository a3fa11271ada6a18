"""The efficiency table as rows: sorted by a chosen column, moved sideways where there is too little room."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tuilab.analysis.columns import MISSING, Column, filled
from tuilab.analysis.efficiency import EfficiencyRow
from tuilab.analysis.equal_cost import EqualPoint, at_equal_flops, at_equal_seconds
from tuilab.analysis.report import ReportInput
from tuilab.analysis.wording import metric_text
from tuilab.tui.lines import Line, Span, cell_width, hue, left, letter, plain, right

_GAP = 2
_TITLE = 13
_CHOSEN = "strong accent"
_NAME = 16
"""Most cells of a candidate's name where the screen is narrow."""


@dataclass(frozen=True)
class EfficiencyTable:
    """One candidate a row, the first column always in sight.

    Attributes:
        rows: the table, in the comparison's order.
        metric: ``error`` or ``nmse``.
        sort: key of the column that it is sorted by; empty for the comparison's order.
        reverse: largest first.
        hidden: keys of columns that are not shown.

    """

    rows: tuple[EfficiencyRow, ...]
    metric: str
    sort: str = ""
    reverse: bool = False
    hidden: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns to choose from, without the name: those that somebody fills and nobody hid."""
        return tuple(one for one in filled(self.rows, self.metric) if one.key != "name" and one.key not in self.hidden)

    @cached_property
    def chosen(self) -> Column | None:
        """The column that it is sorted by; None for the comparison's order."""
        return next((one for one in self.columns if one.key == self.sort), None)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Indices of the candidates, top row first; those without a value come last either way."""
        indices = range(len(self.rows))
        column = self.chosen
        if column is None:
            return tuple(reversed(indices)) if self.reverse else tuple(indices)
        valued = [(value, index) for index in indices if (value := column.value(self.rows[index])) is not None]
        ranked = [index for _, index in sorted(valued, key=lambda one: one[0], reverse=self.reverse)]
        return (*ranked, *(index for index in indices if index not in ranked))

    def key_beside(self, step: int) -> str:
        """The key of the column ``step`` places right of the chosen one; empty stands left of the first."""
        keys = ["", *(one.key for one in self.columns)]
        here = keys.index(self.sort) if self.sort in keys else 0
        return keys[(here + step) % len(keys)]

    def header(self, width: int) -> Line | None:
        """The columns' names, the chosen one marked with the direction."""
        shown, more_left, more_right = self._window(width)
        arrow = "↓" if self.reverse else "↑"
        plain_order = self.chosen is None
        name = left(f"candidate {arrow}" if plain_order else "candidate", self._names(width) + 2)
        spans = [Span(name, _CHOSEN if plain_order else "dim"), Span(" <" if more_left else "  ", "accent")]
        for column in shown:
            chosen = column is self.chosen
            role = _CHOSEN if chosen else "dim"
            spans += [Span(right(column.title, self._width(column)), role), Span(f"{arrow} " if chosen else "  ", role)]
        if more_right:
            spans.append(Span(">", "accent"))
        return tuple(spans)

    def line(self, index: int, width: int) -> Line:
        """The candidate in the row at ``index``."""
        candidate = self.order[index]
        row = self.rows[candidate]
        shown, _, _ = self._window(width)
        spans = [
            Span(f"{letter(candidate)} ", f"{hue(candidate)} strong"),
            Span(left(row.name, self._names(width))),
            Span("  "),
        ]
        for column in shown:
            spans.append(Span(right(column.text(row), self._width(column)), self._role(column, candidate)))
            spans.append(Span(" " * _GAP))
        return tuple(spans[:-1])

    def _role(self, column: Column, candidate: int) -> str:
        if column.key == "front":
            return "good"
        if column.key == "metric":
            return "strong good" if candidate == self._best else ""
        return "strong" if column is self.chosen else ""

    @cached_property
    def _best(self) -> int | None:
        known = [(row.metric, index) for index, row in enumerate(self.rows) if row.metric is not None]
        return min(known)[1] if len(known) > 1 else None

    def _names(self, width: int) -> int:
        longest = max((cell_width(row.name) for row in self.rows), default=9)
        return max(9, min(longest, _NAME if width < 100 else 32))

    def _width(self, column: Column) -> int:
        cells = [column.title, *(column.text(row) for row in self.rows)]
        return max(map(cell_width, cells))

    def _window(self, width: int) -> tuple[Sequence[Column], bool, bool]:
        """The columns that fit, among them the chosen one, and whether there are more on either side."""
        room = width - self._names(width) - 5
        last = 0 if self.chosen is None else self.columns.index(self.chosen)
        first = 0
        while first < last and self._total(first, last) > room:
            first += 1
        end = first
        while end < len(self.columns) and (end <= last or self._total(first, end) <= room):
            end += 1
        return self.columns[first:end], first > 0, end < len(self.columns)

    def _total(self, first: int, last: int) -> int:
        return sum(self._width(column) + _GAP for column in self.columns[first : last + 1])


def cost_lines(report: ReportInput, width: int) -> tuple[Line, ...]:
    """Every candidate's validation metric at equal compute and at equal time; empty without curves."""
    runs, candidates = report.finals, report.candidates
    lines: list[Line] = []
    for title, points in (
        ("equal FLOPs", at_equal_flops(candidates, runs)),
        ("equal time", at_equal_seconds(candidates, runs)),
    ):
        if len(points) > 1:
            lines += _wrapped(title, [_equal_spans(report, index, one) for index, one in enumerate(points)], width)
    return tuple(lines)


def _equal_spans(report: ReportInput, index: int, point: EqualPoint) -> Line:
    metric = report.result.metric
    text = MISSING if point.metric is None else metric_text(metric, point.metric, point.half_width)
    return Span(f"{letter(index)} ", f"{hue(index)} strong"), Span(f"{text}   ")


def _wrapped(title: str, items: Sequence[Line], width: int) -> list[Line]:
    """A title and items that go on in the next line where they must, below the first."""
    lines: list[Line] = []
    current: Line = (Span(left(title, _TITLE), "dim"),)
    for item in items:
        if len(current) > 1 and cell_width(plain((*current, *item)).rstrip()) > width:
            lines.append(current)
            current = (Span(" " * _TITLE),)
        current = (*current, *item)
    return [*lines, current]
