"""An experiment on paper: charts and tables for the command line, pipes and reports. Does not need textual."""

import sys
import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

from tuilab.spec.comparison import LETTERS
from tuilab.tui.canvas import Glyphs
from tuilab.tui.charts import loss_chart
from tuilab.tui.lines import spelled, to_ascii
from tuilab.tui.live import empty, reduce
from tuilab.tui.numbers import clock, exact, rate, tabled, with_half_width
from tuilab.tui.palette import candidate_color, default_glyphs
from tuilab.tui.plot import ChartData
from tuilab.tui.scales import Scale, Tick, fit, x_ticks, y_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from rich.table import Table

    from tuilab.analysis.result import Result
    from tuilab.store.records import ExperimentRecord, Point, RunRecord

_MARKERS: dict[Glyphs, str] = {"braille": "braille", "quadrant": "hd", "ascii": ""}
_FRAME = str.maketrans("─│┌┐└┘├┤┬┴┼", "-|+++++++++")
_WIDEST = 120
"""Columns beyond which a chart gains nothing."""
_HEIGHT = 18
_NAME = 12
"""Cells that a candidate's name keeps, whatever else a table shows."""


def experiment_view(
    record: "ExperimentRecord",
    runs: "Sequence[RunRecord]",
    points: "Sequence[Point]",
    *,
    width: int,
    color: bool,
    glyphs: Glyphs | None = None,
    tables: "Sequence[RenderableType]" = (),
) -> "list[RenderableType]":
    """What there is to show of an experiment, as parts for a rich console: title, curves, final runs, table, verdict.

    Args:
        record: of the experiment.
        runs: all of them.
        points: all of them.
        width: of the console, in cells.
        color: whether charts may be coloured.
        glyphs: what charts are drawn with; by default what standard output can show.
        tables: to be shown between the table of results and the verdict.

    """
    from rich.text import Text

    shown: Glyphs = glyphs or default_glyphs(encoding=sys.stdout.encoding)
    plain = spelled if shown == "ascii" else str
    state = reduce(empty(record), record, runs, points)
    data = loss_chart(state, train=False)
    size = min(width, _WIDEST)
    head = [record.comparison.title, record.comparison.question, _facts(record, state.seconds)]
    parts: list[RenderableType] = [Text(plain("\n".join(filter(None, head))), style="bold" if color else "")]
    if data.series:
        parts.append(Text.from_ansi(curves_chart(data, width=size, height=_HEIGHT, color=color, glyphs=shown)))
    if record.result is not None:
        if any(one.values for one in record.result.candidates):
            parts.append(Text.from_ansi(final_strip_chart(record.result, width=size, color=color, glyphs=shown)))
        parts.append(result_table(record, record.result, width=width, glyphs=shown))
        parts += tables
        said = (record.result.verdict, *record.result.comparisons, *record.result.caveats)
        parts.append(Text(plain("\n".join(said))))
    if record.message:
        parts.append(Text(plain(record.message)))
    return parts


def _facts(record: "ExperimentRecord", seconds: float) -> str:
    took = clock(seconds) if record.started else ""
    return " · ".join(filter(None, (record.id, record.status.value, record.device, took)))


def curves_chart(
    data: ChartData, *, width: int = 80, height: int = _HEIGHT, color: bool = False, glyphs: Glyphs = "braille"
) -> str:
    """The lines of a chart with its title and a legend, as text; with colours as escape sequences if wanted.

    Args:
        data: lines without points are left out; bands are not drawn.
        width: in cells, at least 20.
        height: in cells, title and legend included.
        color: whether to use colours.
        glyphs: ASCII draws each line with its candidate's small letter.

    """
    shown = [series for series in data.series if series.steps]
    scale = fit([series.values for series in shown], None, log=data.log_y)
    title = " · ".join(filter(None, (data.title, data.unit, "log" if data.log_y else "")))
    legend = "   ".join(dict.fromkeys(f"{series.letter} {series.name}" for series in shown))
    with _figure(width, height - 2) as plot:
        marks = y_ticks(scale, max(2, height // 4))
        places = [1 - row for row in scale.rows([tick.value for tick in marks], 2)]
        _ticks(
            plot, [Tick(place, tick.label) for place, tick in zip(places, marks, strict=True)], _step_ticks(data, width)
        )
        plot.xlim(0, data.x_max)
        plot.ylim(0, 1)
        for series in shown:
            heights = [min(1 - row, 1.0) for row in scale.rows(series.values, 2)]
            hue = _rgb(series.index, color)
            plot.plot(series.steps, heights, marker=_MARKERS[glyphs] or series.letter.lower(), color=hue)
            plot.text(series.letter, series.steps[-1], heights[-1], color=hue)
        body = plot.build()
    return _finish((title, body, legend), color, glyphs)


def final_strip_chart(result: "Result", *, width: int = 80, color: bool = False, glyphs: Glyphs = "braille") -> str:
    """The final metric of every seed as a dot, one line for each candidate, with the mean marked ``|``, as text.

    Args:
        result: candidates without values keep an empty line.
        width: in cells.
        color: whether to use colours.
        glyphs: what dots are drawn with.

    """
    rows = len(result.candidates)
    finals = [value for one in result.candidates for value in one.values]
    scale = fit([finals], None, log=False)
    title = f"final {result.metric} of every seed (| mean)"
    with _figure(width, 2 * rows + 4) as plot:
        plot.ylim(0.5, rows + 0.5)
        names = [f"{LETTERS[k]} {one.name}" for k, one in enumerate(result.candidates)]
        places = [rows - k for k in range(rows)]
        _ticks(plot, [Tick(place, name) for place, name in zip(places, names, strict=True)], _value_ticks(scale, width))
        plot.xlim(scale.low, scale.high)
        for k, (place, one) in enumerate(zip(places, result.candidates, strict=True)):
            if one.values:
                hue = _rgb(k, color)
                dot = "•" if glyphs != "ascii" else "o"
                plot.scatter(list(one.values), [place] * len(one.values), marker=dot, color=hue)
            if one.mean is not None:
                plot.text("|", min(max(one.mean, scale.low), scale.high), place)
        body = plot.build()
    return _finish((title, body), color, glyphs)


def _step_ticks(data: ChartData, width: int) -> tuple[Tick, ...]:
    return x_ticks(data.x_max, max(1, width // 14))


def _value_ticks(scale: Scale, width: int) -> tuple[Tick, ...]:
    return y_ticks(scale, max(2, width // 14))


def result_table(
    record: "ExperimentRecord", result: "Result", *, width: int = 80, glyphs: Glyphs = "braille"
) -> "Table":
    """Candidates with what they cost and what they reach; the best mean is bold.

    Args:
        record: of the experiment.
        result: of the same.
        width: of the console; narrow ones leave out notation and speed.
        glyphs: ASCII draws plain lines.

    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    plain = spelled if glyphs == "ascii" else str
    wide = width >= 110
    table = Table(box=box.ASCII2 if glyphs == "ascii" else box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    longest = max((len(one.name) for one in result.candidates), default=0)
    table.add_column("candidate", overflow="fold", min_width=min(longest, _NAME))
    if wide:
        table.add_column("notation", overflow="fold")
    for heading in ("params", "MACs", f"test {result.metric}", "seeds", "failed", "lr", *(["steps/s"] if wide else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    means = [one.mean for one in result.candidates if one.mean is not None]
    for letter, one in zip(LETTERS, result.candidates, strict=False):
        best = len(means) > 1 and one.mean == min(means)
        cells = [letter, one.name, *([one.notation] if wide else []), tabled(one.num_params), tabled(one.macs)]
        metric = Text(plain(with_half_width(one.mean, one.half_width)), style="bold" if best else "")
        seeds = f"{len(one.values)}/{record.comparison.protocol.final_seeds}"
        lr = "" if one.lr is None else f"{one.lr:g}"
        ending = [seeds, exact(one.failures), lr, *([rate(one.steps_per_second)] if wide else [])]
        table.add_row(*map(Text, map(plain, cells)), metric, *map(Text, map(plain, ending)))
    return table


@contextmanager
def _figure(width: int, height: int) -> "Iterator[ModuleType]":
    """Plotext's one global figure, cleared before and after: it keeps whatever was drawn last."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import plotext

        plotext.clear_figure()
        try:
            plotext.limit_size(False, False)
            plotext.plot_size(max(20, width), max(4, height))
            plotext.theme("clear")
            yield plotext
        finally:
            plotext.clear_figure()


def _ticks(plot: ModuleType, rows: "Sequence[Tick]", columns: "Sequence[Tick]") -> None:
    plot.yticks([tick.value for tick in rows], [tick.label for tick in rows])
    plot.xticks([tick.value for tick in columns], [tick.label for tick in columns])


def _rgb(index: int, color: bool) -> tuple[int, int, int] | str:
    if not color:
        return "default"
    hexadecimal = candidate_color(index)
    return int(hexadecimal[1:3], 16), int(hexadecimal[3:5], 16), int(hexadecimal[5:7], 16)


def _finish(parts: Sequence[str], color: bool, glyphs: Glyphs) -> str:
    """Title, chart and legend below each other, without colours or non-ASCII characters where they are not wanted."""
    import plotext

    text = "\n".join(part.rstrip("\n") for part in parts)
    if not color:
        text = plotext.uncolorize(text)
    if glyphs == "ascii":
        text = "\n".join(map(to_ascii, text.translate(_FRAME).split("\n")))
    return "\n".join(line.rstrip() for line in text.split("\n")) + "\n"
