"""What the store takes in, on the way that the runner's points come, and how fast it gives it back.

    python -m benchmarks.store [--points 1000000] [--rounds 3]

A process writes what engines say (``Points``, as JSON lines) into the pipe of an ``EnginePool``; this one does with it
what the runner's loop does: parse, enter in the ledger, write at most every 0.1 s. How much a transaction holds is
thus a matter of the rate, as it is when something trains. A message is of one group: 10 seeds of a candidate, at most
100 steps. Two shapes of a million points are written, by 8 candidates each:

    long    10 seeds that report 12,500 times each, as if every step were reported
    many    900 seeds that report 139 times each, which is about the most that the engine's schedule has

Beside the whole, the rate of the store alone (what a commit of the ledger takes) is shown. In one more round the lab's
screen looks at the store between commits as often as it does when it is open, and takes in at most 20,000 points a
look: what that costs is timed by itself, as the interface is a process of its own. Opening means everything that the
screen does before it draws: the experiment's record, its curves and its runs; for an experiment that runs, which has
points that are not in the reduced copy yet, and for a finished one.
"""

import argparse
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tuilab.runner.engines import EnginePool
from tuilab.runner.ledger import Ledger
from tuilab.spec.comparison import Candidate, Comparison
from tuilab.spec.protocol import EVENT, Points
from tuilab.spec.task import Spirals
from tuilab.store.batches import Columns
from tuilab.store.reader import Reader
from tuilab.store.records import NewPoint, NewRun, Phase, Progress, RunRecord, Status
from tuilab.store.writer import Writer
from tuilab.tui.live import LiveState, empty, reduce, restored

CANDIDATES, GROUP = 8, 10
STEPS_A_MESSAGE = 100
SHAPES = {"long": 10, "many": 900}
"""Seeds of a candidate."""
ROWS_A_LOOK, LOOK_SECONDS = 20_000, 0.1
POLL_SECONDS = 0.1
_SPEAK = "import shutil, sys; shutil.copyfileobj(open(sys.argv[1], 'rb'), sys.stdout.buffer, 2**20)"


@dataclass(slots=True)
class Measured:
    """What one round took: (wall, CPU) seconds, and counts."""

    whole: list[float] = field(default_factory=lambda: [0.0, 0.0])
    store: list[float] = field(default_factory=lambda: [0.0, 0.0])
    looks: list[float] = field(default_factory=list)
    """CPU seconds of each."""
    taken_in: int = 0
    """Points that looks took in."""
    commits: int = 0
    opened_running: float = 0.0
    opened_ended: float = 0.0
    bytes_a_point: float = 0.0


class TimedWriter(Writer):
    """A writer that knows how long its transactions took."""

    measured: Measured

    def write(
        self,
        experiment: str,
        points: Columns | Sequence[NewPoint] = (),
        runs: Sequence[RunRecord] = (),
        progress: Progress | None = None,
    ) -> None:
        """As ``Writer.write``."""
        begun = _now()
        super().write(experiment, points, runs, progress)
        _add(self.measured.store, begun)
        self.measured.commits += 1


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _add(total: list[float], begun: tuple[float, float]) -> None:
    for place, (before, now) in enumerate(zip(begun, _now(), strict=True)):
        total[place] += now - before


def messages(seeds: int, points: int) -> Iterator[Points]:
    """Losses that fall by a power law, each candidate's runs in groups; the runs' ids count from 1."""
    steps = points // (CANDIDATES * seeds)
    for first_seed in range(0, seeds, GROUP):
        for first in range(0, steps, STEPS_A_MESSAGE):
            block = tuple(range(first, min(first + STEPS_A_MESSAGE, steps)))
            for candidate in range(CANDIDATES):
                own = range(first_seed, min(first_seed + GROUP, seeds))
                factors = [float(f"{1 + 0.013 * (seed % 97):.7g}") for seed in own]
                rows = [[round(factor * (step + 1) ** -0.5, 7) for factor in factors] for step in block]
                runs = tuple(1 + candidate * seeds + seed for seed in own)
                shown = tuple(map(tuple, rows))
                yield Points(group=1, runs=runs, steps=block, train_loss=shown, eval_loss=shown, metric=shown)


def look(reader: Reader, identity: str, state: LiveState | None) -> LiveState:
    """What the lab screen does at a look."""
    record = reader.experiment(identity)
    assert record is not None
    state = restored(empty(record), *reader.curves(identity)) if state is None else state
    points = reader.points(identity, state.last_rowid, ROWS_A_LOOK)
    return reduce(state, record, reader.runs(identity), points)


def opened(home: Path, identity: str, points: int) -> float:
    """Seconds until the lab screen has the whole experiment."""
    begun = time.perf_counter()
    with Reader(home) as reader:
        state = look(reader, identity, None)
        while state.last_rowid < points:
            state = look(reader, identity, state)
    return time.perf_counter() - begun


def listen(ledger: Ledger, heard: Path, reader: Reader, identity: str, measured: Measured, *, watched: bool) -> None:
    """Do what the runner does until its engine has said everything; with a look now and then where ``watched``."""
    pool = EnginePool([sys.executable, "-c", _SPEAK, str(heard)])
    pool.grow(1)
    engine, state = pool.engines[0], None
    events, begun, looked = pool.poll(60.0), _now(), time.monotonic()
    while not engine.gone:
        for _, event in events:
            assert isinstance(event, Points)
            ledger.report(event)
        ledger.flush()
        events = pool.poll(POLL_SECONDS)
        if watched and time.monotonic() - looked > LOOK_SECONDS:
            _add(measured.whole, begun)
            before, cpu = 0 if state is None else state.last_rowid, time.process_time()
            state = look(reader, identity, state)
            measured.looks.append(time.process_time() - cpu)
            measured.taken_in += state.last_rowid - before
            begun, looked = _now(), time.monotonic()
    ledger.flush(now=True)
    _add(measured.whole, begun)
    pool.close(1.0)


def one_round(heard: Path, seeds: int, points: int, *, watched: bool = False) -> Measured:
    """Write what engines said, see ``messages``, and open it."""
    candidates = tuple(Candidate(name=f"c{k}", stack=f"{10 + k} relu") for k in range(CANDIDATES))
    comparison = Comparison(title="A long one", task=Spirals(), candidates=candidates)
    measured = Measured()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with TimedWriter(home) as writer, Reader(home) as reader:
            writer.measured = measured
            identity = writer.create_experiment(comparison)
            ledger = Ledger(writer, identity)
            ledger.add([NewRun(c, Phase.FINAL, s, 0.01) for c in range(CANDIDATES) for s in range(seeds)])
            ledger.update(Progress(Status.RUNNING))
            listen(ledger, heard, reader, identity, measured, watched=watched)
            measured.opened_running = opened(home, identity, points)
            ledger.update(Progress(Status.FINISHED))
            ledger.close()
        measured.opened_ended = opened(home, identity, points)
        measured.bytes_a_point = sum(part.stat().st_size for part in home.glob("lab.sqlite3*")) / points
    return measured


def show(name: str, points: int, rounds: Sequence[Measured], watched: Measured) -> None:
    """Medians over the rounds of one shape, and the looks of the one that was watched."""

    def median(values: Iterable[float]) -> float:
        return statistics.median(values)

    def rate(pairs: Sequence[list[float]]) -> str:
        wall, cpu = (points / median(pair[place] for pair in pairs) for place in (0, 1))
        return f"{wall:12,.0f} points/s  ({cpu:,.0f} a CPU second)"

    print(f"{name}: 8 candidates, {SHAPES[name]} seeds, {points:,} points")
    print(f"  engine's pipe to store  {rate([one.whole for one in rounds])}")
    print(f"  ledger to store         {rate([one.store for one in rounds])}")
    commits, seconds = median(one.commits for one in rounds), median(one.whole[0] for one in rounds)
    print(f"  commits                 {commits:12,.0f}           ({commits / seconds:.1f}/s)")
    print(f"  on disk                 {median(one.bytes_a_point for one in rounds):12.1f} bytes a point")
    taken = watched.taken_in / max(1, len(watched.looks))
    print(f"  a look while written    {1e3 * median(watched.looks or [0.0]):12.1f} ms of CPU ({taken:,.0f} new points)")
    print(f"  opened, running         {median(one.opened_running for one in rounds):12.3f} s")
    print(f"  opened, ended           {median(one.opened_ended for one in rounds):12.3f} s")


def main() -> None:
    """Run the rounds and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}; {options.rounds} rounds")
    for name, seeds in SHAPES.items():
        points = options.points // (CANDIDATES * seeds) * CANDIDATES * seeds
        with tempfile.NamedTemporaryFile() as file:
            for message in messages(seeds, options.points):
                file.write(EVENT.dump_json(message) + b"\n")
            file.flush()
            rounds = [one_round(Path(file.name), seeds, points) for _ in range(options.rounds)]
            watched = one_round(Path(file.name), seeds, points, watched=True)
        show(name, points, rounds, watched)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(f"memory, peak              {peak / 1e6:12.0f} MB")


if __name__ == "__main__":
    main()
