"""What the store can take in and how fast it gives it back: a million points written, and opened as the lab does.

    python -m benchmarks.store [--points 1000000] [--batch 5000] [--rounds 3]

Points come from 8 candidates with 10 seeds each, as a runner writes them: in transactions of one batch. Opening means
everything that the lab screen does before it draws: the experiment's record, its curves and its runs. It is timed for
a finished experiment and for one that runs, which has points that are not in the reduced copy yet.
"""

import argparse
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tuilab.spec.comparison import Candidate, Comparison
from tuilab.spec.task import Spirals
from tuilab.store.reader import Reader
from tuilab.store.records import NewPoint, NewRun, Phase, Progress, Status
from tuilab.store.writer import Writer
from tuilab.tui.live import LiveState, empty, reduce, restored

CANDIDATES, SEEDS = 8, 10
ROWS_A_LOOK = 20_000


def batches(runs: list[int], points: int, size: int) -> Iterator[list[NewPoint]]:
    """Losses that fall by a power law, all runs at every step."""
    steps = max(1, size // len(runs))
    for first in range(1, points // len(runs) + 1, steps):
        last = min(first + steps, points // len(runs) + 1)
        yield [
            NewPoint(run, step, step**-0.5, 1.1 * step**-0.5, 1 / step) for step in range(first, last) for run in runs
        ]


def opened(home: Path, identity: str) -> LiveState:
    """The experiment as the lab screen has it when it is drawn for the first time."""
    with Reader(home) as reader:
        record = reader.experiment(identity)
        assert record is not None
        state = restored(empty(record), *reader.curves(identity))
        while True:
            points = reader.points(identity, state.last_rowid, ROWS_A_LOOK)
            state = reduce(state, record, reader.runs(identity), points)
            if len(points) < ROWS_A_LOOK:
                return state


def one_round(points: int, size: int) -> tuple[float, float, float, float, float]:
    """(Wall and CPU seconds to write, seconds to open while it runs and once it has ended, bytes a point)."""
    candidates = tuple(Candidate(name=f"c{k}", stack=f"{10 + k} relu") for k in range(CANDIDATES))
    comparison = Comparison(title="A long one", task=Spirals(), candidates=candidates)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with Writer(home) as writer:
            identity = writer.create_experiment(comparison)
            planned = [NewRun(c, Phase.FINAL, s, 0.01) for c in range(CANDIDATES) for s in range(SEEDS)]
            runs = [run.id for run in writer.add_runs(identity, planned)]
            wall = cpu = 0.0
            for batch in batches(runs, points, size):
                begun = time.perf_counter(), time.process_time()
                writer.write(identity, batch, progress=Progress(Status.RUNNING))
                wall, cpu = wall + time.perf_counter() - begun[0], cpu + time.process_time() - begun[1]
            begun_running = time.perf_counter()
            assert opened(home, identity).last_rowid == points // len(runs) * len(runs)
            running = time.perf_counter() - begun_running
            writer.write(identity, progress=Progress(Status.FINISHED))
        begun_ended = time.perf_counter()
        opened(home, identity)
        ended = time.perf_counter() - begun_ended
        return wall, cpu, running, ended, sum(part.stat().st_size for part in home.glob("lab.sqlite3*")) / points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=5_000, help="points of one transaction")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds = [one_round(options.points, options.batch) for _ in range(options.rounds)]
    wall, cpu, running, ended, size = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}; medians of {len(rounds)}")
    print(f"written          {options.points / wall:12,.0f} points/s  ({options.points / cpu:,.0f} a CPU second)")
    print(f"opened, running  {running:12.3f} s")
    print(f"opened, ended    {ended:12.3f} s")
    print(f"on disk          {size:12.1f} bytes a point")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(f"memory, peak     {peak / 1e6:12.0f} MB")


if __name__ == "__main__":
    main()
