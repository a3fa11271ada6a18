"""What a live chart costs: milliseconds and bytes for each update.

    python -m benchmarks.chart [--candidates 8] [--points 100000] [--updates 1000] [--columns 160] [--lines 45]

Candidates report losses of ten seeds each. Every update does what the interface does when it has read new points from
the store: it takes in its share of all points (a thousandth: 3,200 points a second at four updates), makes the curves
of the loss chart (eval loss with its interval, train loss), draws them, and repaints the cells that changed. Over the
second half of the training: medians of the parts and of the whole, and the slowest update but two, in which axes move
or buckets are halved.
"""

import argparse
import asyncio
import gc
import math
import platform
import random
import time
from collections.abc import Iterator
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from rich.console import Console, RenderableType
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App, ComposeResult
from textual.screen import Screen

from tuilab.spec.comparison import Comparison
from tuilab.store.records import ExperimentRecord, Phase, Point, RunRecord, Status
from tuilab.tui.canvas import Glyphs
from tuilab.tui.charts import loss_chart
from tuilab.tui.live import LiveState, empty, reduce
from tuilab.tui.start import collect_after_start
from tuilab.tui.tight import TightUpdate
from tuilab.tui.widgets.chart import Chart

SEEDS = 10


def experiment(candidates: int, steps: int) -> ExperimentRecord:
    """Candidates that train for so many steps."""
    comparison = Comparison.model_validate(
        {
            "title": "benchmark",
            "task": "spirals",
            "training": {"steps": steps, "lr": 0.01},
            "protocol": {"final_seeds": SEEDS},
            "candidates": [{"name": f"candidate {k}", "stack": f"{k + 1} relu"} for k in range(candidates)],
        }
    )
    return ExperimentRecord("x1", comparison, "", Status.RUNNING, "", 0.0, 1.0, None, "cpu", 0, 0, None)


def final_runs(candidates: int) -> list[RunRecord]:
    """Ten runs of each candidate."""
    unknown = (None,) * 8
    return [
        RunRecord(SEEDS * k + seed, k, Phase.FINAL, seed, 0.01, Status.RUNNING, 0, "", *unknown)
        for k in range(candidates)
        for seed in range(SEEDS)
    ]


def batches(candidates: int, points: int, updates: int) -> Iterator[list[Point]]:
    """For each update the new points: losses that fall by a power law, with noise."""
    noise = random.Random(0)
    steps = points // SEEDS
    each = max(1, steps // updates)
    rowid = 0
    for first in range(0, steps, each):
        new = []
        for k in range(candidates):
            for step in range(first, min(first + each, steps)):
                for seed in range(SEEDS):
                    rowid += 1
                    loss = (1 + step / 50) ** -(0.2 + k / 8) * math.exp(noise.gauss(0, 0.1))
                    new.append(Point(rowid, SEEDS * k + seed, step, 0.8 * loss, loss, loss))
        yield new


class Counter(App[None]):
    """An application with nothing but a chart, that writes its updates as the lab does, but to nobody."""

    CSS = "Chart { height: 1fr; }"

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self.chart = Chart(glyphs=glyphs)
        self.sent = 0
        self.updates: list[ChopsUpdate | LayoutUpdate] = []
        self.paper = Console(force_terminal=True, color_system="truecolor")

    def compose(self) -> ComposeResult:
        yield self.chart

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if isinstance(renderable, ChopsUpdate | LayoutUpdate):
            self.sent += len(TightUpdate(renderable).render_segments(self.paper).encode())
            self.updates.append(renderable)
        super()._display(screen, renderable)

    def taken(self) -> tuple[int, int]:
        """Bytes sent since the last time, and those that textual would have sent."""
        found = self.sent, sum(len(update.render_segments(self.paper).encode()) for update in self.updates)
        self.sent = 0
        self.updates.clear()
        return found


class Update(NamedTuple):
    """What one update took: milliseconds of the processor, and bytes."""

    take_in: float
    curves: float
    draw: float
    paint: float
    whole: float
    sent: int
    loose: int


async def measure(glyphs: Glyphs, candidates: int, points: int, updates: int, size: tuple[int, int]) -> list[Update]:
    """Every update of a training."""
    app = Counter(glyphs)
    record, runs = experiment(candidates, points // SEEDS), final_runs(candidates)
    state: LiveState = empty(record)
    found = []
    gc.disable()
    async with app.run_test(size=size) as pilot:
        collect_after_start()
        for number, new in enumerate(batches(candidates, points, updates)):
            moments = [time.process_time()]
            state = reduce(state, record, runs, new, now=2.0 + 0.25 * number)
            moments.append(time.process_time())
            data = loss_chart(state)
            moments.append(time.process_time())
            app.chart.data = data
            moments.append(time.process_time())
            await pilot.pause()
            moments.append(time.process_time())
            take_in, curves, drawn, painted = (1e3 * (after - before) for before, after in pairwise(moments))
            whole = 1e3 * (moments[-1] - moments[0])
            found.append(Update(take_in, curves, drawn, painted, whole, *app.taken()))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--points", type=int, default=100_000, help="of each candidate")
    parser.add_argument("--updates", type=int, default=1000, help="in which they come")
    parser.add_argument("--columns", type=int, default=160)
    parser.add_argument("--lines", type=int, default=45)
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print(f"{options.candidates} x {options.points:,} points in {options.updates:,} updates", end="")
    print(f" at {options.columns}x{options.lines}; CPU ms per update:")
    print("glyphs      points in   curves     draw    paint    whole  slowest    bytes  textual")
    glyphs: Glyphs
    for glyphs in ("braille", "quadrant", "ascii"):
        size = options.columns, options.lines
        found = asyncio.run(measure(glyphs, options.candidates, options.points, options.updates, size))
        late = found[len(found) // 2 :]
        parts = [median(column) for column in zip(*late, strict=True)]
        slowest = sorted(update.whole for update in late)[-3]
        print("{:11} {:9.2f} {:8.2f} {:8.2f} {:8.2f} {:8.2f}".format(glyphs, *parts[:5]), end="")
        print(f" {slowest:8.2f} {parts[5]:8.0f} {parts[6]:8.0f}")


if __name__ == "__main__":
    main()
