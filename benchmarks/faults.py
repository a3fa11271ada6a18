"""Faults at random moments, many of each, with real processes: ``python -m benchmarks.faults [--trials N]``.

Each trial runs an experiment with scripted engines, does something to it, and lets it come to its end. Prints for each
kind of fault how many points were lost, missing or doubled, how many trials hung for more than ten seconds, and how
many ended in a wrong state. Every number in those columns should be 0.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.end_to_end import faults
from tests.end_to_end.faults import HANG_SECONDS, Outcome
from tests.runner.lab import Lab
from tuilab.store.records import Status

FAULTS: dict[str, Callable[[Lab, float], Outcome]] = {
    "interface killed": faults.kill_interface,
    "runner killed, resumed": faults.kill_runner,
    "engine killed": faults.kill_engine,
    "runner halted for 1 s": faults.halt_runner,
    "engine halted for 1 s": faults.halt_engine,
    "two more runners": faults.start_twice,
    "store locked for 1 s": faults.lock_store,
    "terminal closed": faults.close_terminal,
    "clock set three times": faults.jump_clock,
    "disk full": faults.fill_disk,
}
LATEST_SECONDS = 2.5
"""A trial without a fault takes about as long."""


def campaign(name: str, trials: int, generator: random.Random) -> str:
    """Do one kind of fault so many times; a row of the table."""
    outcomes: list[Outcome] = []
    began = time.monotonic()
    for _ in range(trials):
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            lab = Lab(Path(folder) / "lab")
            try:
                outcomes.append(FAULTS[name](lab, generator.uniform(0, LATEST_SECONDS)))
            finally:
                lab.close()
                time.sleep(0.1)
    lost, missing, twice = (sum(getattr(one, field) for one in outcomes) for field in ("lost", "missing", "twice"))
    hung = sum(one.waited > HANG_SECONDS for one in outcomes)
    wrong = sum(one.status is not Status.FINISHED for one in outcomes)
    waited = median(one.waited for one in outcomes), max(one.waited for one in outcomes)
    numbers = f"{trials:>6} {lost:>6} {missing:>8} {twice:>6} {hung:>6} {wrong:>6}"
    return f"{name:<24}{numbers}   {waited[0]:>5.1f} / {waited[1]:>4.1f}   {time.monotonic() - began:>6.0f}"


def main() -> None:
    """Run every campaign and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=50, help="of each fault (default %(default)s)")
    parser.add_argument("--only", choices=tuple(FAULTS), action="append", help="this fault, and others named like this")
    arguments = parser.parse_args()
    generator = random.Random(0)
    print(f"{'fault':<24}trials   lost  missing  twice   hung  wrong   longest wait   seconds")
    for name in arguments.only or FAULTS:
        print(campaign(name, arguments.trials, generator), flush=True)


if __name__ == "__main__":
    main()
