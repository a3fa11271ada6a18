"""Charts of a report as SVG: a few rectangles, lines and glyphs, readable in light and dark, by colour and by shape."""

from collections.abc import Callable, Sequence
from html import escape
from math import cos, pi, sin
from typing import TypeAlias

from tuilab.analysis.report_axes import Axis, axis
from tuilab.analysis.report_charts import Chart, Curve, Mark, Series

Place: TypeAlias = Callable[[float], float]

WIDTH, HEIGHT = 720, 340
"""Pixels of a chart without its legend."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 16, 12, 44
_ROW = 26
"""Pixels a candidate takes in a strip plot and two candidates in a legend."""
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#7f7f7f", "#882255")
"""Okabe and Ito's colours, which the colour-blind can tell apart, with darker yellow and two more."""
_CORNERS = (0, 4, 3, 5)
"""Corners of the glyph of every fourth candidate; 0 is a disc."""


def svg(chart: Chart) -> str:
    """The chart as one ``<svg>`` element; text and lines take the page's ``currentColor``."""
    series = [one for one in chart.series if one.marks]
    body = _strip(chart, series) if chart.kind == "strip" else _plane(chart, series)
    height, parts = body
    label = escape(f"{chart.title}: {chart.about}", quote=True)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{label}">'
    )
    return "\n".join([head, *parts, "</svg>"])


def _plane(chart: Chart, series: Sequence[Series]) -> tuple[float, list[str]]:
    marks = [mark for one in series for mark in one.marks]
    ends = [end for mark in marks for end in (mark.y, mark.low, mark.high) if end is not None]
    fitted = [point for curve in chart.curves for point in curve.points]
    x_axis = axis([*(mark.x for mark in marks), *(x for x, _ in fitted)], chart.log_x)
    y_axis = axis([*ends, *(y for _, y in fitted)], chart.log_y)
    x, y = _horizontal(x_axis), _vertical(y_axis)
    parts = [*_grid_x(x_axis, x, HEIGHT - _BOTTOM), *_grid_y(y_axis, y), *_titles(chart, HEIGHT)]
    parts += _front(chart, x, y)
    for curve in chart.curves:
        parts.append(_curve(curve, [(x(at), y(value)) for at, value in curve.points]))
    draw = _line if chart.kind == "lines" else _dots
    for one in series:
        parts += draw(one, x, y)
    parts += _legend(series, chart.curves, HEIGHT + 4)
    return HEIGHT + 4 + _ROW * ((len(series) + len(chart.curves) + 1) // 2), parts


def _strip(chart: Chart, series: Sequence[Series]) -> tuple[float, list[str]]:
    x_axis = axis([mark.x for one in series for mark in one.marks], chart.log_x)
    x = _horizontal(x_axis)
    bottom = _TOP + _ROW * 2 * len(series)
    parts = [*_grid_x(x_axis, x, bottom), *_titles(chart, bottom + _BOTTOM)]
    for row, one in enumerate(series):
        middle = _TOP + _ROW * (2 * row + 1.2)
        color = _color(one)
        parts.append(_text(_LEFT, middle - 12, f"{one.letter} {one.name}", "start", color))
        at = x(sum(mark.x for mark in one.marks) / len(one.marks))
        parts.append(f'<path d="M{at:.1f} {middle - 9:.1f}v18" stroke="{color}" stroke-width="2"/>')
        parts += [_glyph(one, x(mark.x), middle + (seed % 3 - 1) * 5, 3.2, 0.75) for seed, mark in enumerate(one.marks)]
    return bottom + _BOTTOM, parts


def _horizontal(scale: Axis) -> Place:
    return lambda value: _LEFT + scale.at(value) * (WIDTH - _LEFT - _RIGHT)


def _vertical(scale: Axis) -> Place:
    return lambda value: HEIGHT - _BOTTOM - scale.at(value) * (HEIGHT - _TOP - _BOTTOM)


def _grid_x(scale: Axis, x: Place, bottom: float) -> list[str]:
    parts = []
    for value, label in scale.ticks():
        parts.append(f'<path d="M{x(value):.1f} {_TOP}V{bottom:.1f}" stroke="currentColor" stroke-opacity=".13"/>')
        parts.append(_text(x(value), bottom + 15, label, "middle"))
    return parts


def _grid_y(scale: Axis, y: Place) -> list[str]:
    parts = []
    for value, label in scale.ticks():
        line = f"M{_LEFT} {y(value):.1f}H{WIDTH - _RIGHT}"
        parts.append(f'<path d="{line}" stroke="currentColor" stroke-opacity=".13"/>')
        parts.append(_text(_LEFT - 6, y(value) + 4, label, "end"))
    return parts


def _titles(chart: Chart, height: float) -> list[str]:
    parts = [_text((WIDTH + _LEFT) / 2, height - 8, chart.x_title, "middle")]
    if chart.y_title:
        middle = (height - _BOTTOM + _TOP) / 2
        text = f'<text transform="translate(13 {middle:.0f}) rotate(-90)" text-anchor="middle"'
        parts.append(f'{text} font-size="12" fill="currentColor">{escape(chart.y_title)}</text>')
    return parts


def _line(series: Series, x: Place, y: Place) -> list[str]:
    color = _color(series)
    upper = [f"{x(mark.x):.1f} {y(_or(mark.high, mark)):.1f}" for mark in series.marks]
    lower = [f"{x(mark.x):.1f} {y(_or(mark.low, mark)):.1f}" for mark in reversed(series.marks)]
    middle = [f"{x(mark.x):.1f} {y(mark.y):.1f}" for mark in series.marks]
    last = series.marks[-1]
    return [
        f'<path d="M{"L".join(upper + lower)}Z" fill="{color}" fill-opacity=".14"/>',
        f'<path d="M{"L".join(middle)}" fill="none" stroke="{color}" stroke-width="1.8"/>',
        _glyph(series, x(last.x), y(last.y), 4.5),
    ]


def _dots(series: Series, x: Place, y: Place) -> list[str]:
    parts = []
    for mark in series.marks:
        if mark.low is not None and mark.high is not None:
            line = f"M{x(mark.x):.1f} {y(mark.low):.1f}V{y(mark.high):.1f}"
            parts.append(f'<path d="{line}" stroke="{_color(series)}" stroke-width="1.6"/>')
        parts.append(_glyph(series, x(mark.x), y(mark.y), 5.0))
        parts.append(_text(x(mark.x) + 8, y(mark.y) - 6, series.letter, "start", _color(series)))
    return parts


def _front(chart: Chart, x: Place, y: Place) -> list[str]:
    marks = sorted((mark for one in chart.series if one.index in chart.front for mark in one.marks), key=lambda m: m.x)
    if len(marks) < 2:
        return []
    line = "L".join(f"{x(mark.x):.1f} {y(mark.y):.1f}" for mark in marks)
    return [f'<path d="M{line}" fill="none" stroke="currentColor" stroke-opacity=".45" stroke-dasharray="5 4"/>']


def _curve(curve: Curve, places: Sequence[tuple[float, float]]) -> str:
    """A dotted line through places on the page, with the family's name to point at."""
    line = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    dots = f'stroke="{_color(curve)}" stroke-width="2.2" stroke-linecap="round" stroke-dasharray="0.1 5"'
    return f'<path d="M{line}" fill="none" {dots}><title>{escape(curve.legend)}, fitted</title></path>'


def _or(value: float | None, mark: Mark) -> float:
    return mark.y if value is None else value


def _legend(series: Sequence[Series], curves: Sequence[Curve], top: float) -> list[str]:
    parts = []
    entries: list[Series | Curve] = [*series, *curves]
    for place, one in enumerate(entries):
        x = _LEFT + (place % 2) * (WIDTH - _LEFT) / 2
        y = top + _ROW * (place // 2) + 12
        if isinstance(one, Curve):
            parts.append(_curve(one, [(x - 5, y - 4), (x + 26, y - 4)]))
            parts.append(_text(x + 34, y, f"{one.legend}, fitted", "start"))
        else:
            parts.append(_glyph(one, x, y - 4, 4.5))
            parts.append(_text(x + 11, y, f"{one.letter} {one.name}", "start"))
    return parts


def _color(one: Series | Curve) -> str:
    return _COLORS[one.index % len(_COLORS)]


def _glyph(series: Series, x: float, y: float, radius: float, opacity: float = 1.0) -> str:
    corners = _CORNERS[series.index % len(_CORNERS)]
    paint = f'fill="{_color(series)}" fill-opacity="{opacity:g}"'
    if not corners:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" {paint}/>'
    turn = pi / 4 if corners == 4 else pi / 2
    angles = [turn + 2 * pi * corner / corners for corner in range(corners)]
    points = " ".join(f"{x + 1.25 * radius * cos(a):.1f},{y - 1.25 * radius * sin(a):.1f}" for a in angles)
    return f'<polygon points="{points}" {paint}/>'


def _text(x: float, y: float, text: str, anchor: str, color: str = "currentColor") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="12" fill="{color}"'
    return f"<text {place}>{escape(text)}</text>"
