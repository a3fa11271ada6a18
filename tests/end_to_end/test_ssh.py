"""Over a real OpenSSH connection: a line that drops takes no training with it, and the next one shows the same."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.conftest import Cli
from tests.end_to_end.sshd import Sshd, missing_program
from tests.end_to_end.terminal import Terminal
from tests.end_to_end.test_command_line import wait_until

pytestmark = pytest.mark.skipif(missing_program() is not None, reason=f"there is no {missing_program()} here")

Connect = Callable[..., Terminal]


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A server on the loopback."""
    server = Sshd(tmp_path / "sshd")
    yield server
    server.close()


@pytest.fixture
def connect(sshd: Sshd, home: Path, tmp_path: Path) -> Iterator[Connect]:
    """``connect("attach", "last", TERM="vt100")`` logs in from a terminal of its own and runs tuilab there."""
    opened: list[Terminal] = []

    def start(*arguments: str, term: str = "xterm-256color", columns: int = 80, rows: int = 24, **far: str) -> Terminal:
        far = {"TUILAB_HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2]), "LANG": "C.UTF-8", **far}
        command = sshd.client([sys.executable, "-m", "tuilab", *arguments], far)
        terminal = Terminal(command, columns, rows, {**os.environ, "TERM": term})
        opened.append(terminal)
        return terminal

    yield start
    for terminal in opened:
        terminal.kill()


def interfaces(home: Path) -> list[psutil.Process]:
    """Processes of this lab that have a terminal."""
    return [process for process in psutil.process_iter() if _shows(process, home)]


def _shows(process: psutil.Process, home: Path) -> bool:
    try:
        return process.terminal() is not None and process.environ().get("TUILAB_HOME") == str(home)
    except psutil.Error:
        return False


def done(cli: Cli) -> int:
    steps: int = json.loads(cli("ls", "--json").stdout)[0]["done_steps"]
    return steps


def test_a_dropped_line_takes_nothing_with_it(connect: Connect, sshd: Sshd, cli: Cli, home: Path, long: Path) -> None:
    terminal = connect(str(long))
    terminal.wait_for("62 params")
    terminal.press("r")
    terminal.wait_for("▶ running", seconds=60)
    os.kill(terminal.pid, signal.SIGKILL)
    terminal.wait_until_gone()
    wait_until(lambda: not interfaces(home))
    steps = done(cli)
    wait_until(lambda: done(cli) > steps)

    again = connect("attach", "last")
    again.wait_for("▶ running")
    again.press("down", "space")
    again.wait_for("holding")
    again.wait_for("= paused", without="holding")
    before = again.settle()
    sshd.drop()
    again.wait_until_gone()
    wait_until(lambda: not interfaces(home))

    third = connect("attach", "last")
    third.wait_for("= paused")
    third.press("down")
    third.wait_for(before)
    third.press("R")
    third.wait_for("▶ running")
    assert cli("stop", "last").returncode == 0
    third.wait_for("■ stopped")
