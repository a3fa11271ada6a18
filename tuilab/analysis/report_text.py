"""Charts of a report as plain text, for Markdown: letters on a grid of characters."""

from collections.abc import Callable, Sequence

from tuilab.analysis.report_axes import axis
from tuilab.analysis.report_charts import Chart, Series

WIDTH, HEIGHT = 64, 14
"""Characters of a chart's inside."""
_MANY = "*"
"""Where candidates fall on the same character."""
_FITTED = "·"
"""What fitted curves are made of, where nothing else is."""


def text_chart(chart: Chart) -> str:
    """The chart as lines of text, with its legend."""
    series = [one for one in chart.series if one.marks]
    lines = _strip(chart, series) if chart.kind == "strip" else _plane(chart, series)
    return "\n".join(line.rstrip() for line in lines)


def _plane(chart: Chart, series: Sequence[Series]) -> list[str]:
    marks = [mark for one in series for mark in one.marks]
    fitted = [point for curve in chart.curves for point in curve.points]
    x_axis = axis([*(mark.x for mark in marks), *(x for x, _ in fitted)], chart.log_x)
    y_axis = axis([*(mark.y for mark in marks), *(y for _, y in fitted)], chart.log_y)
    grid = [[" "] * WIDTH for _ in range(HEIGHT)]

    def cell(x: float, y: float) -> tuple[int, int]:
        return HEIGHT - 1 - round(y_axis.at(y) * (HEIGHT - 1)), round(x_axis.at(x) * (WIDTH - 1))

    for x, y in fitted:
        row, column = cell(x, y)
        grid[row][column] = _FITTED
    for one in series:
        for mark in one.marks:
            row, column = cell(mark.x, mark.y)
            taken = grid[row][column]
            grid[row][column] = one.letter if taken in (" ", _FITTED, one.letter) else _MANY
    labels = {HEIGHT - 1 - round(y_axis.at(value) * (HEIGHT - 1)): label for value, label in y_axis.ticks()}
    lines = [f"{chart.y_title}{', logarithmic' if y_axis.log else ''}"]
    lines += [f"{labels.get(row, ''):>8} │{''.join(cells)}" for row, cells in enumerate(grid)]
    lines += [f"{'':>8} └{'─' * WIDTH}", _scale(x_axis.ticks(), x_axis.at)]
    lines.append(f"{'':>10}{chart.x_title}{', logarithmic' if x_axis.log else ''}")
    legend = [f"{one.letter} {one.name}{' (front)' if one.index in chart.front else ''}" for one in series]
    if any(_MANY in row for row in grid):
        legend.append(f"{_MANY} several")
    if chart.curves:
        legend.append(f"{_FITTED} fitted: {', '.join(curve.legend for curve in chart.curves)}")
    return [*lines, "", "; ".join(legend)]


def _strip(chart: Chart, series: Sequence[Series]) -> list[str]:
    scale = axis([mark.x for one in series for mark in one.marks], chart.log_x)
    lines = []
    for one in series:
        counts = [0] * WIDTH
        for mark in one.marks:
            counts[round(scale.at(mark.x) * (WIDTH - 1))] += 1
        cells = [" ·:∴∷"[min(count, 4)] for count in counts]
        mean = round(scale.at(sum(mark.x for mark in one.marks) / len(one.marks)) * (WIDTH - 1))
        cells[mean] = "|" if cells[mean] == " " else "╪"
        lines += [f"{one.letter} {one.name}", f"{'':>8} │{''.join(cells)}"]
    lines += [f"{'':>8} └{'─' * WIDTH}", _scale(scale.ticks(), scale.at)]
    return [*lines, f"{'':>10}{chart.x_title}{', logarithmic' if scale.log else ''}"]


def _scale(ticks: Sequence[tuple[float, str]], at: Callable[[float], float]) -> str:
    """Tick labels under their places; a label that would touch its neighbour is left out."""
    line = ""
    for value, label in ticks:
        start = 10 + round(at(value) * (WIDTH - 1)) - len(label) // 2
        if start > len(line) or not line:
            line = line.ljust(max(0, start)) + label
    return line
