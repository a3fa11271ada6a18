"""An hour's work in some minutes, watched by many: ``python -m benchmarks.soak [--seconds N]``.

One experiment of 500 runs reports 1,000,000 points (scripted engines: what is tested is everything around them) while
eight interfaces in terminals of their own watch it from the start. Prints the memory of the runner and of the
interfaces at some parts of the work, what the interfaces paint meanwhile, and how long it takes to open the store
again. Growth should stay below 10 %, opening at or below 0.5 s.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

from tests.end_to_end.conftest import environment
from tests.end_to_end.terminal import Terminal
from tests.runner.lab import Lab
from tuilab.store.evidence import read_points
from tuilab.store.home import store_file
from tuilab.store.reader import Reader
from tuilab.store.records import Status

CANDIDATES, SEEDS, STEPS = 5, 100, 1999
SLOTS = 2
"""On which the runs are expected to be trained, for the pace."""
INTERFACES = 8
MARKS = (0.1, 0.45, 0.7, 1.0)
"""Parts of the work at which memory is read."""
BASE = 0.45
"""Growth counts from here: the first runs have ended, and so everything that is needed has been imported."""
LIMIT_SECONDS = 3600


@dataclass
class Watcher:
    """An interface whose terminal is read by a thread, as a terminal does, without keeping what it says."""

    terminal: Terminal
    num_bytes: int = 0
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._drain, daemon=True)
        self.thread.start()

    def _drain(self) -> None:
        try:
            while read := os.read(self.terminal.fd, 1 << 16):
                self.num_bytes += len(read)
        except OSError:
            return


def megabytes(pid: int) -> float:
    """Memory that only this process has."""
    return float(psutil.Process(pid).memory_full_info().uss) / 2**20


def soak(lab: Lab, seconds: float) -> None:
    """Run the experiment with its watchers, and print what they take."""
    pace = seconds * SLOTS / (CANDIDATES * (STEPS + 1))
    identity = lab.start(
        "--every-step",
        "--pace",
        pace,
        training={"steps": STEPS, "lr": 0.01},
        protocol={"final_seeds": SEEDS},
        candidates=[{"name": f"wide {width}", "stack": f"{width} relu"} for width in range(3, 3 + CANDIDATES)],
    )
    command = [sys.executable, "-m", "tuilab", "attach", identity]
    surroundings = environment(lab.home, TERM="xterm-256color")
    watchers = [Watcher(Terminal(command, 120, 40, surroundings)) for _ in range(INTERFACES)]
    planned = CANDIDATES * SEEDS * STEPS
    began = time.monotonic()
    print("part of the work    runner    interfaces (median, largest)    painted each")
    try:
        base: list[float] = []
        for mark in MARKS:
            until(lab, identity, mark * planned)
            runner = lab.processes(identity)[:1]
            sizes = [megabytes(watcher.terminal.pid) for watcher in watchers]
            now = [megabytes(runner[0].pid) if runner else float("nan"), median(sizes), max(sizes)]
            base = now if mark == BASE else base
            growth = ", ".join(f"{100 * (one / other - 1):+.1f} %" for one, other in zip(now, base, strict=False))
            painted = median(watcher.num_bytes for watcher in watchers) / 1000
            print(f"{mark:>15.0%} {now[0]:>8.1f} MB {now[1]:>8.1f} MB {now[2]:>8.1f} MB ({growth}) {painted:>9.0f} kB")
        alive = sum(psutil.pid_exists(watcher.terminal.pid) for watcher in watchers)
        print(f"{alive} of {INTERFACES} interfaces alive after {time.monotonic() - began:.0f} s")
    finally:
        for watcher in watchers:
            watcher.terminal.kill()
    record = lab.finish(identity)
    points, runs = len(read_points(lab.reader, identity)), len(lab.reader.runs(identity))
    print(f"{record.status.value}, {points:,} points, {runs} runs")
    print(f"the store: {store_file(lab.home).stat().st_size / 2**20:.0f} MB")
    reopen(lab.home, identity)


def until(lab: Lab, identity: str, steps: float) -> None:
    """Wait until so many steps have been taken; the last of them is read while the runner is still there."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while (record := lab.reader.find(identity)).done_steps < 0.995 * steps:
        if record.status not in (Status.QUEUED, Status.RUNNING) or time.monotonic() > deadline:
            raise SystemExit(f"the experiment is {record.status.value}: {record.message}")
        time.sleep(0.05)


def reopen(home: Path, identity: str) -> None:
    """Print how long opening the store takes, to the list of experiments and to what a screen of one needs first."""
    listed, shown = [], []
    for _ in range(5):
        began = time.perf_counter()
        with Reader(home) as reader:
            reader.experiments()
            listed.append(time.perf_counter() - began)
            reader.find(identity)
            reader.runs(identity)
            reader.points(identity, 0, 6000)
            shown.append(time.perf_counter() - began)
    print(
        f"opened again, median of 5: the list after {median(listed):.3f} s, an experiment after {median(shown):.3f} s"
    )


def main() -> None:
    """Soak a lab in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=150, help="that training should take (default %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        lab = Lab(Path(folder) / "lab")
        try:
            soak(lab, arguments.seconds)
        finally:
            lab.close()


if __name__ == "__main__":
    main()
