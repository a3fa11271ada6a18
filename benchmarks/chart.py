"""What a live chart costs: milliseconds and bytes for each update.

    python benchmarks/chart.py [--candidates 8] [--points 100000] [--columns 160] [--lines 45]

Candidates report losses of ten seeds each; every update takes in a hundredth of the points, makes the curves, draws
them and repaints the cells that changed. Medians over the second half of the training.
"""

import argparse
import asyncio
import math
import platform
import random
import time
from collections.abc import Iterator
from statistics import median

from rich.console import Console, RenderableType
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App, ComposeResult
from textual.screen import Screen

from tuilab.store.curves import Curves
from tuilab.store.records import Point
from tuilab.tui.canvas import Glyphs
from tuilab.tui.plot import ChartData, Series, SeriesKind, draw
from tuilab.tui.tight import TightUpdate
from tuilab.tui.widgets.chart import Chart

SEEDS = 10
UPDATES = 100


def batches(candidates: int, points: int) -> Iterator[list[list[Point]]]:
    """For each update, the new points of each candidate: losses that fall by a power law, with noise."""
    noise = random.Random(0)
    steps = points // SEEDS
    each = max(1, steps // UPDATES)
    for first in range(0, steps, each):
        yield [
            [
                Point(0, seed, step, *([(1 + step / 50) ** -(0.2 + candidate / 8) * math.exp(noise.gauss(0, 0.1))] * 3))
                for step in range(first, min(first + each, steps))
                for seed in range(SEEDS)
            ]
            for candidate in range(candidates)
        ]


def chart_of(curves: list[Curves], steps: float) -> ChartData:
    """The eval losses as a chart."""
    series = [
        Series(chr(65 + k), f"candidate {k}", k, SeriesKind.EVAL, *one.eval_loss.curve(log=True))
        for k, one in enumerate(curves)
    ]
    return ChartData("Eval loss", tuple(series), steps, log_y=True)


class Counter(App[None]):
    """An application with nothing but a chart, that counts what it would send to a terminal."""

    CSS = "Chart { height: 1fr; }"

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self.chart = Chart(glyphs=glyphs)
        self.sent = 0
        self.loose = 0
        self.console = Console(force_terminal=True, color_system="truecolor")

    def compose(self) -> ComposeResult:
        yield self.chart

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if isinstance(renderable, ChopsUpdate | LayoutUpdate):
            self.loose += len(renderable.render_segments(self.console).encode())
            self.sent += len(TightUpdate(renderable).render_segments(self.console).encode())
        super()._display(screen, renderable)


async def measure(glyphs: Glyphs, candidates: int, points: int, size: tuple[int, int]) -> tuple[float, ...]:
    """Median ms to take points in, to make the curves, to draw; bytes of an update; bytes that textual would send."""
    app = Counter(glyphs)
    curves = [Curves.empty() for _ in range(candidates)]
    rows = []
    async with app.run_test(size=size) as pilot:
        for batch in batches(candidates, points):
            start = time.process_time()
            curves = [one.extended(new) for one, new in zip(curves, batch, strict=True)]
            taken_in = time.process_time()
            data = chart_of(curves, points / SEEDS)
            made = time.process_time()
            draw(data, app.chart.size.width, app.chart.size.height, glyphs)
            drawn = time.process_time()
            before = app.sent, app.loose
            app.chart.data = data
            await pilot.pause()
            rows.append((taken_in - start, made - taken_in, drawn - made, app.sent - before[0], app.loose - before[1]))
    late = rows[len(rows) // 2 :]
    take, make, paint, sent, loose = (median(column) for column in zip(*late, strict=True))
    return take * 1e3, make * 1e3, paint * 1e3, sent, loose


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--points", type=int, default=100_000, help="of each candidate")
    parser.add_argument("--columns", type=int, default=160)
    parser.add_argument("--lines", type=int, default=45)
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print(f"{options.candidates} x {options.points:,} points at {options.columns}x{options.lines}; CPU per update:")
    print(f"{'glyphs':10} {'points in':>10} {'curves':>8} {'draw':>8} {'bytes':>8} {'textual':>8}")
    glyphs: Glyphs
    for glyphs in ("braille", "quadrant", "ascii"):
        found = asyncio.run(measure(glyphs, options.candidates, options.points, (options.columns, options.lines)))
        print("{:10} {:7.1f} ms {:5.1f} ms {:5.1f} ms {:8.0f} {:8.0f}".format(glyphs, *found))


if __name__ == "__main__":
    main()
