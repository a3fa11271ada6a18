"""Faults that are done to a lab with real processes, and what must be true afterwards."""

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.end_to_end.conftest import environment
from tests.end_to_end.terminal import Terminal
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

JUMPS = (-86_400.0, 7_200.0, 86_400.0)
"""Seconds by which clocks are set, one after the other: a day back, two hours on, a day on."""
JUMPING_RUNNER = f"""
import sys, time
told, began = time.time, time.monotonic()
def jumping():
    since = time.monotonic() - began - float(sys.argv[1])
    return told() + (0 if since < 0 else {JUMPS}[min(2, int(since / 0.3))])
time.time = jumping
from tuilab.runner.__main__ import main
sys.exit(main(sys.argv[2:]))
"""
"""A runner for whom the clock of the machine jumps after as many seconds as its first argument says."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fault has done.

    Attributes:
        lost: points that were in the store before and are not, or not as they were.
        missing: points that are not there in the end.
        twice: points that are there more than once.
        waited: longest time without a change that was due, in seconds.
        status: in the end.
        message: of the experiment, in the end.

    """

    lost: int
    missing: int
    twice: int
    waited: float
    status: Status
    message: str

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


def kill_interface(lab: Lab, delay: float) -> Outcome:
    """Kill an interface that watches the experiment after so many seconds; what trains must not notice."""
    with _interface(lab, delay) as (identity, terminal):
        before = lab.reader.points(identity)
        terminal.kill()
        return concluded(lab, identity, before)


def close_terminal(lab: Lab, delay: float) -> Outcome:
    """Close the terminal of an interface after so many seconds, as a dropped connection does: it must end by itself."""
    with _interface(lab, delay) as (identity, terminal):
        before = lab.reader.points(identity)
        process = psutil.Process(terminal.pid)
        terminal.hang_up()
        waited = wait(lambda: process.status() == psutil.STATUS_ZOMBIE)
        return concluded(lab, identity, before, waited)


@contextmanager
def _interface(lab: Lab, delay: float) -> Iterator[tuple[str, Terminal]]:
    """An experiment, and an interface that was started so many seconds ago to watch it."""
    identity = lab.start("--pace", PACE)
    command = [sys.executable, "-m", "tuilab", "attach", identity]
    terminal = Terminal(command, 100, 30, environment(lab.home, TERM="xterm-256color"))
    try:
        deadline = time.monotonic() + delay
        while (left := deadline - time.monotonic()) > 0:
            terminal.read(left)
        yield identity, terminal
    finally:
        terminal.kill()


def jump_clock(lab: Lab, delay: float) -> Outcome:
    """Set the runner's clock a day back after so many seconds, then two hours on, then a day on."""
    identity = lab.create()
    arguments = ["--home", str(lab.home), "--engine", " ".join(lab.engine("--pace", PACE)), identity]
    runner = subprocess.Popen([sys.executable, "-c", JUMPING_RUNNER, str(delay), *arguments])
    try:
        wait(lambda: lab.reader.find(identity).status is not Status.QUEUED)
        return concluded(lab, identity, [])
    finally:
        runner.terminate()
        runner.wait()


def fill_disk(lab: Lab, delay: float) -> Outcome:
    """Fill the lab's disk after so many seconds, and make room once the experiment has said so.

    Raises:
        PermissionError: to anybody who may not mount a file system.

    """
    with small_disk(lab.home.parent / "disk") as folder:
        own = Lab(folder / "lab")
        try:
            identity = own.start("--pace", PACE)
            wait(lambda: own.processes(identity))
            time.sleep(delay)
            before = own.reader.points(identity)
            ballast = folder / "ballast"
            fill(ballast)
            told = wait(lambda: "disk is full" in (now := own.reader.find(identity)).message or now.status.ended)
            assert shutil.disk_usage(folder).free == 0
            ballast.unlink()
            return concluded(own, identity, before, told)
        finally:
            own.close()


def fill(ballast: Path) -> None:
    """Write a file as large as its disk allows."""
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        for size in (2**16, 2**12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))


@contextmanager
def small_disk(folder: Path, size: str = "2m") -> Iterator[Path]:
    """A file system of this size on a new folder.

    Raises:
        PermissionError: to anybody who may not mount one.

    """
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        raise PermissionError(mounted.stderr)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


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
        message=record.message,
    )
