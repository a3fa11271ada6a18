"""Faults that are done to a lab with real processes, and what must be true afterwards."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from tests.runner.lab import Lab
from tuilab.runner import client
from tuilab.spec.training import report_steps
from tuilab.store.home import store_file
from tuilab.store.records import Point, Status
from tuilab.store.schema import connect

HANG_SECONDS = 10.0
"""Nobody may wait longer for anything."""
STEPS = 30
NUM_RUNS = 12
"""Of the experiment of ``tests.runner.lab``: six to tune, three and three final."""
PACE = 0.01


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fault has done.

    Attributes:
        lost: points that were in the store before and are not, or not as they were.
        missing: points that are not there in the end.
        twice: points that are there more than once.
        waited: longest time without a change that was due, in seconds.
        status: in the end.

    """

    lost: int
    missing: int
    twice: int
    waited: float
    status: Status

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return (self.lost, self.missing, self.twice, self.status) == (0, 0, 0, Status.FINISHED) and (
            self.waited <= HANG_SECONDS
        )


def kill_runner(lab: Lab, delay: float) -> Outcome:
    """Kill the runner after so many seconds and go on with the experiment."""
    identity = lab.start("--pace", PACE)
    wait(lambda: lab.processes(identity))
    time.sleep(delay)
    before = lab.reader.points(identity)
    hit(lab, identity, "tuilab.runner", signal.SIGKILL)
    waited = wait(lambda: lab.reader.find(identity).status.ended)
    lab.resume(identity, "--pace", PACE)
    return concluded(lab, identity, before, waited)


def kill_engine(lab: Lab, delay: float) -> Outcome:
    """Kill one engine after so many seconds."""
    identity = lab.start("--pace", PACE)
    wait(lambda: lab.processes(identity))
    time.sleep(delay)
    before = lab.reader.points(identity)
    hit(lab, identity, "scripted_engine", signal.SIGKILL)
    return concluded(lab, identity, before)


def halt_runner(lab: Lab, delay: float) -> Outcome:
    """Halt the runner for a second, as a laptop that sleeps does, and let it go on."""
    return _halt(lab, delay, "tuilab.runner")


def halt_engine(lab: Lab, delay: float) -> Outcome:
    """Halt one engine for a second and let it go on."""
    return _halt(lab, delay, "scripted_engine")


def _halt(lab: Lab, delay: float, name: str) -> Outcome:
    identity = lab.start("--pace", PACE)
    wait(lambda: lab.processes(identity))
    time.sleep(delay)
    before = lab.reader.points(identity)
    halted = hit(lab, identity, name, signal.SIGSTOP)
    time.sleep(1.0)
    assert lab.reader.find(identity).status is not Status.LOST
    for process in halted:
        process.send_signal(signal.SIGCONT)
    return concluded(lab, identity, before)


def start_twice(lab: Lab, delay: float) -> Outcome:
    """Start further runners for the same experiment after so many seconds."""
    identity = lab.start("--pace", PACE)
    time.sleep(delay)
    before = lab.reader.points(identity)
    for _ in range(2):
        client.launch(lab.home, identity, lab.engine("--pace", PACE))
    return concluded(lab, identity, before)


def lock_store(lab: Lab, delay: float, seconds: float = 1.0) -> Outcome:
    """Lock the store for so long, as a backup program might."""
    identity = lab.start("--pace", PACE)
    wait(lambda: lab.processes(identity))
    time.sleep(delay)
    before = lab.reader.points(identity)
    blocker = connect(store_file(lab.home))
    blocker.execute("BEGIN IMMEDIATE")
    time.sleep(seconds)
    blocker.execute("ROLLBACK")
    blocker.close()
    return concluded(lab, identity, before)


def hit(lab: Lab, identity: str, name: str, number: int) -> list[psutil.Process]:
    """Send a signal to the first process of an experiment with ``name`` in its command line; a list of it, or empty."""
    for process in lab.processes(identity):
        try:
            # An engine's runner has the engine's command among its own arguments.
            is_runner = "tuilab.runner" in process.cmdline()
            if is_runner == (name == "tuilab.runner") and name in " ".join(process.cmdline()):
                process.send_signal(number)
                return [process]
        except psutil.NoSuchProcess:
            continue
    return []


def wait(holds: Callable[[], object]) -> float:
    """Wait until something holds, at most twice as long as anything may hang; the seconds that took."""
    began = time.monotonic()
    while not holds() and time.monotonic() - began < 2 * HANG_SECONDS:
        time.sleep(0.01)
    return time.monotonic() - began


def concluded(lab: Lab, identity: str, before: list[Point], waited: float = 0.0) -> Outcome:
    """Wait for the end of an experiment, and compare what it has with what it had."""
    moved, last = time.monotonic(), (-1, Status.QUEUED)
    while True:
        record = lab.reader.find(identity)
        now = record.done_steps, record.status
        if now != last:
            moved, last = time.monotonic(), now
        waited = max(waited, time.monotonic() - moved)
        if record.status.ended or waited > 2 * HANG_SECONDS:
            break
        time.sleep(0.01)
    points = lab.reader.points(identity)
    steps = [(point.run, point.step) for point in points]
    return Outcome(
        lost=len(set(before) - set(points)),
        missing=NUM_RUNS * len(report_steps(STEPS)) - len(set(steps)),
        twice=len(steps) - len(set(steps)),
        waited=waited,
        status=record.status,
    )
