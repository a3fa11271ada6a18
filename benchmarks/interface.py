"""What the interface costs: first text, bytes, key latency and memory, in a real pseudo-terminal.

    python -m benchmarks.interface [--runs 9] [--keys 100] [--rounds 5]

Every figure of tuilab's stands beside that of an empty Textual app started in turn with it, because the ratio travels
between machines and milliseconds do not. Latency is measured while a preset trains on every core.
"""

import argparse
import json
import os
import platform
import pty
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fcntl import ioctl

import psutil

from tuilab.analysis.counting import totals
from tuilab.spec.network import Network
from tuilab.spec.notation import parse

EMPTY_APP = """\
from textual.app import App
from textual.widgets import Footer, Static
class Empty(App):
    BINDINGS = [("q", "quit", "Quit")]
    def compose(self):
        yield Static("an empty Textual app with one line of text")
        yield Footer()
Empty().run()
"""
TUILAB = [sys.executable, "-m", "tuilab"]
ESCAPES = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\)|\x1b[()*+][ -~]|\x1b[ -~]", re.DOTALL)
QUIET = 0.25
"""Seconds without output that end a burst."""


@dataclass
class Session:
    """A program under a pseudo-terminal; ``data`` is all that it wrote."""

    command: Sequence[str]
    environment: Mapping[str, str]
    columns: int = 80
    rows: int = 24
    data: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self.started = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))
            os.execvpe(self.command[0], list(self.command), dict(self.environment))

    def read(self, seconds: float) -> bool:
        """Whether anything came within this time."""
        if not select.select([self.fd], [], [], max(0.0, seconds))[0]:
            return False
        try:
            self.data += os.read(self.fd, 1 << 16)
        except OSError:
            return False
        return True

    def read_for(self, seconds: float) -> int:
        """Bytes that come within this time."""
        before, end = len(self.data), time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(left)
        return len(self.data) - before

    def first_text(self) -> tuple[float, int]:
        """Milliseconds to the first visible text, and the bytes of the whole first burst."""
        shown = None
        while self.read(QUIET if shown else 30):
            text = ESCAPES.sub(b"", bytes(self.data)).decode("utf-8", "ignore")
            if shown is None and sum(c > " " for c in text) >= 20:
                shown = (time.perf_counter() - self.started) * 1e3
        return shown or float("nan"), len(self.data)

    def wait_for(self, text: bytes, seconds: float) -> None:
        """Read until ``text`` was written."""
        end = time.perf_counter() + seconds
        while text not in ESCAPES.sub(b"", bytes(self.data)) and time.perf_counter() < end:
            self.read(0.1)

    def press(self, key: bytes, shows: bytes = b"") -> float:
        """Milliseconds from the key to the next byte, or until ``shows`` has been written; infinite if it never is."""
        while self.read(0.01):
            pass
        start, begun = len(self.data), time.perf_counter()
        os.write(self.fd, key)
        while self.read(begun + 10 - time.perf_counter()):
            if shows in ESCAPES.sub(b"", bytes(self.data[start:])):
                return (time.perf_counter() - begun) * 1e3
        return float("inf")

    def kill(self) -> None:
        """End the program at once."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)

    def end(self, key: bytes) -> float:
        """Press ``key`` and give the milliseconds until the program is gone."""
        begun = time.perf_counter()
        os.write(self.fd, key)
        while os.waitpid(self.pid, os.WNOHANG)[0] == 0:
            self.read(0.005)
        os.close(self.fd)
        return (time.perf_counter() - begun) * 1e3


def start_up(runs: int, environment: Mapping[str, str], columns: int, rows: int) -> None:
    """Print the first text of tuilab beside that of an empty app, started in turn."""
    empty, ours, sizes, quits = [], [], [], []
    for _ in range(runs):
        session = Session([sys.executable, "-c", EMPTY_APP], environment, columns, rows)
        empty.append(session.first_text()[0])
        session.end(b"q")
        session = Session(TUILAB, environment, columns, rows)
        milliseconds, size = session.first_text()
        ours.append(milliseconds)
        sizes.append(size)
        quits.append(session.end(b"q"))
    ratio = statistics.median(ours) / statistics.median(empty)
    line(f"first text {columns}x{rows}", f"{statistics.median(ours):.0f} ms", f"{ratio:.2f} x an empty app")
    line(f"first paint {columns}x{rows}", f"{statistics.median(sizes) / 1e3:.1f} kB", "")
    line("quit", f"{statistics.median(quits):.0f} ms", "")


def wait_for_training(session: Session, environment: Mapping[str, str]) -> None:
    """Read until the experiment's runs have taken steps: a mark on screen is there before any worker is.

    Raises:
        RuntimeError: when nothing has trained within a minute.

    """
    end = time.perf_counter() + 60
    while time.perf_counter() < end:
        listed = subprocess.run([*TUILAB, "ls", "--json"], env=dict(environment), check=True, capture_output=True)
        newest = (json.loads(listed.stdout) or [{}])[0]
        if newest.get("status") == "running" and newest.get("done_steps", 0) > 0:
            return
        session.read_for(0.5)
    raise RuntimeError("nothing has trained within a minute")


def memory(pid: int, when: str) -> None:
    """Print what an interface has in memory: all of it, and with its share only of what other processes use as well."""
    found = psutil.Process(pid).memory_full_info()
    line(
        "interface memory", f"{found.rss / 1e6:.0f} MB", f"{when}; {found.pss / 1e6:.0f} MB with its share of libraries"
    )


def while_training(keys: int, environment: Mapping[str, str]) -> None:
    """Print key latency, bytes per second and memory while a preset trains on every core."""
    session = Session([*TUILAB, "spirals-depth"], environment)
    session.first_text()
    session.read_for(3)
    line("idle", f"{session.read_for(5) / 5:.0f} B/s", "nothing running")
    memory(session.pid, "a preset open")
    session.press(b"r")
    wait_for_training(session, environment)
    line("curves moving", f"{session.read_for(10) / 1e4:.2f} kB/s", "")
    latencies = sorted(session.press(b"[" if index % 2 else b"]") for index in range(keys))
    line("key to paint, p50", f"{latencies[len(latencies) // 2]:.1f} ms", "while training")
    line("key to paint, p99", f"{latencies[int(len(latencies) * 0.99)]:.1f} ms", "")
    memory(session.pid, "while training")
    for process in psutil.process_iter(["cmdline", "environ", "memory_info"]):
        words = process.info["cmdline"] or []
        if (process.info["environ"] or {}).get("TUILAB_HOME") == environment["TUILAB_HOME"] and "-m" in words:
            module = words[words.index("-m") + 1]
            if module in ("tuilab.runner", "tuilab.engine"):
                line(f"{module} memory", f"{process.info['memory_info'].rss / 1e6:.0f} MB", "one process")
    session.kill()
    subprocess.run([*TUILAB, "stop", "last"], env=dict(environment), check=True, capture_output=True)


def editing(keys: int, environment: Mapping[str, str]) -> None:
    """Print the time from a key to the new counts on screen, in a stack of 100 layers and in one of 10,000.

    Every key widens the first layer by one, so that no count was ever worked out before; the key is through when the
    exact new number of parameters has been written.
    """
    for columns, rows, layers, folder in (
        (80, 24, 100, "hundred"),
        (160, 45, 100, "hundred"),
        (80, 24, 10_000, "thousands"),
        (160, 45, 10_000, "thousands"),
    ):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", prefix=folder) as file:
            stack = " ".join(f"{20 + index % 7} relu" for index in range(layers // 2))
            file.write(f"title: {folder}\ntask: spirals\ncandidates:\n  - {{name: long, stack: {stack}}}\n")
            file.flush()
            session = Session([*TUILAB, file.name], environment, columns, rows)
            session.first_text()
            session.wait_for(b"params", 60)
            session.read_for(3)
            session.press(b"j")
            process = psutil.Process(session.pid)
            before = sum(process.cpu_times()[:2])
            counts = [f"{num_params(f'{21 + index} {stack[3:]}'):,} params".encode() for index in range(keys)]
            latencies = sorted(session.press(b"+", count) for count in counts)
            cpu = (sum(process.cpu_times()[:2]) - before) / keys * 1e3
            note = f"p50; p99 {latencies[int(len(latencies) * 0.99)]:.1f} ms; CPU {cpu:.1f} ms a key; nothing training"
            line(f"edit, {layers:,}, {columns}x{rows}", f"{latencies[len(latencies) // 2]:.1f} ms", note)
            session.kill()


def num_params(stack: str) -> int:
    """Of a network for the spirals, which have 2 inputs and 2 classes."""
    return totals(Network(parse(stack), (2,), 2)).num_params


def cost_for_training(rounds: int, environment: Mapping[str, str]) -> None:
    """Print the training rate with the interface open on an experiment over the rate without it, in turn."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    for index in range(2 * rounds):
        attached = bool(index % 2)
        command = [*TUILAB, "run", "spirals-depth", "--seeds", "20", "--steps", "4000", "--json"]
        session = None
        runner = subprocess.Popen(command, env=dict(environment), stdout=subprocess.PIPE)
        if attached:
            time.sleep(2)
            session = Session([*TUILAB, "attach", "last"], environment)
        while runner.poll() is None:
            if session is None:
                time.sleep(0.05)
            else:
                session.read(0.05)
        assert runner.stdout is not None
        rates[attached].append(1 / json.loads(runner.stdout.read())["seconds"])
        if session is not None:
            session.kill()
    ratio = statistics.median(with_it / without for with_it, without in zip(rates[True], rates[False], strict=True))
    line("training beside it", f"{100 * ratio:.1f} %", "of the rate without an interface")


def hang_up(environment: Mapping[str, str]) -> None:
    """Print how soon the interface is gone when its terminal goes, and whether the training goes on."""
    session = Session([*TUILAB, "spirals-depth"], environment)
    session.first_text()
    session.press(b"r")
    wait_for_training(session, environment)
    begun = time.perf_counter()
    os.close(session.fd)
    os.waitpid(session.pid, 0)
    gone = (time.perf_counter() - begun) * 1e3
    listed = subprocess.run([*TUILAB, "ls", "--json"], env=dict(environment), check=True, capture_output=True)
    line("hang-up", f"{gone:.0f} ms", f"the experiment is {json.loads(listed.stdout)[0]['status']}")
    subprocess.run([*TUILAB, "stop", "last"], env=dict(environment), check=True, capture_output=True)


def line(name: str, value: str, note: str) -> None:
    print(f"{name:<24}{value:>12}  {note}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5, help="of training with and without an interface")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TERM": "xterm-256color", "TUILAB_HOME": folder}
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; medians")
        for columns, rows in ((80, 24), (160, 45)):
            start_up(options.runs, environment, columns, rows)
        while_training(options.keys, environment)
        editing(options.keys, environment)
        hang_up(environment)
        cost_for_training(options.rounds, environment)


if __name__ == "__main__":
    main()
