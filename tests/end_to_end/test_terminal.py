"""The interface in a real terminal: two keys to a running curve, and training that outlives it."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.conftest import Cli, lab_processes
from tests.end_to_end.terminal import Terminal
from tests.end_to_end.test_command_line import wait_for_status, wait_until

Open = Callable[..., Terminal]


def status(cli: Cli) -> str:
    listed = json.loads(cli("ls", "--json").stdout)
    return listed[0]["status"] if listed else "none"


def test_two_keys_lead_from_the_library_to_a_running_curve(open_terminal: Open, cli: Cli) -> None:
    terminal = open_terminal()
    terminal.wait_for("pirals")
    terminal.press("enter")
    terminal.wait_for("relu")
    terminal.press("r")
    terminal.wait_for("▶", seconds=60)
    wait_until(lambda: status(cli) == "running" and '"done_steps": 0,' not in cli("ls", "--json").stdout)


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (160, 45), (60, 18)])
def test_the_interface_opens_and_leaves_the_terminal_as_it_was(open_terminal: Open, columns: int, rows: int) -> None:
    terminal = open_terminal(columns=columns, rows=rows)
    terminal.wait_for("tuilab")
    terminal.wait_for("pirals")
    terminal.press("q")
    assert terminal.wait_until_gone() == 0
    output = bytes(terminal.output)
    for on, off in ((b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[?25l", b"\x1b[?25h"), (b"\x1b[?1000h", b"\x1b[?1000l")):
        assert output.rfind(off) > output.rfind(on)


def test_resizing_to_a_sliver_and_back_is_survived(open_terminal: Open, tiny: Path) -> None:
    terminal = open_terminal(str(tiny))
    terminal.wait_for("62 params")
    terminal.resize(40, 12)
    terminal.read(0.5)
    terminal.resize(30, 8)
    terminal.wait_for("small")
    terminal.resize(80, 24)
    terminal.wait_for("62 params")


@pytest.mark.parametrize("end", ["hang up", "kill", "leave"])
def test_training_outlives_the_interface_and_a_new_one_shows_it(
    open_terminal: Open, cli: Cli, home: Path, long: Path, end: str
) -> None:
    terminal = open_terminal(str(long))
    terminal.wait_for("62 params")
    terminal.press("r")
    wait_until(lambda: status(cli) == "running")
    if end == "hang up":
        terminal.hang_up()
    elif end == "kill":
        os.kill(terminal.pid, signal.SIGKILL)
    else:
        terminal.press("q")
        terminal.wait_for("eave")
        terminal.press("enter")
        assert terminal.wait_until_gone() == 0
    if end != "leave":
        begun = time.monotonic()
        os.waitpid(terminal.pid, 0)
        terminal.status = 0
        assert time.monotonic() - begun < 5
    before = json.loads(cli("ls", "--json").stdout)[0]["done_steps"]
    wait_until(lambda: json.loads(cli("ls", "--json").stdout)[0]["done_steps"] > before)
    again = open_terminal("attach", "last")
    again.wait_for("Tiny")
    again.wait_for("▶")
    assert cli("stop", "last").returncode == 0
    wait_for_status(cli, "last", "stopped")
    again.wait_for("stopped")


def test_an_idle_interface_leaves_no_process_behind(open_terminal: Open, home: Path) -> None:
    terminal = open_terminal()
    terminal.wait_for("pirals")
    wait_until(lambda: any("--standby" in process.cmdline() for process in lab_processes(home)))
    os.kill(terminal.pid, signal.SIGKILL)
    os.waitpid(terminal.pid, 0)
    terminal.status = -9
    terminal.hang_up()
    wait_until(lambda: not lab_processes(home))


def test_the_interface_never_maps_torch(open_terminal: Open) -> None:
    terminal = open_terminal()
    terminal.wait_for("pirals")
    terminal.press("enter")
    terminal.wait_for("relu")
    mapped = {Path(entry.path).name for entry in psutil.Process(terminal.pid).memory_maps()}
    assert not any("torch" in name or "openblas" in name for name in mapped)


def test_a_locale_that_cannot_print_gets_plain_characters(open_terminal: Open) -> None:
    terminal = open_terminal(LANG="C", LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    terminal.wait_for("pirals")
    terminal.press("enter")
    text = terminal.wait_for("relu")
    assert text.isascii(), text


def test_a_fault_of_its_own_shows_a_sentence_and_no_traceback(open_terminal: Open, home: Path) -> None:
    home.mkdir()
    (home / "lab.sqlite3").mkdir()
    terminal = open_terminal()
    terminal.wait_for("pirals")
    terminal.press("q")
    terminal.wait_until_gone()
    assert "Traceback" not in terminal.text
    assert b"Traceback" not in bytes(terminal.output)


def test_the_readmes_demo_builds_the_spirals_comparison_in_a_real_terminal(open_terminal: Open) -> None:
    terminal = open_terminal(columns=100, rows=30)
    terminal.wait_for("pirals")
    terminal.press("n")
    terminal.wait_for("6 params")
    terminal.press("i")
    terminal.wait_for("Accept")
    terminal.press("100 relu", "enter")
    terminal.wait_for("502 params", without="Accept")
    for notation, params in (("2*(19 relu)", 477), ("3*(14 relu)", 492), ("4*(11 relu)", 453)):
        terminal.press("n")
        terminal.wait_for("the stack of a new candidate")
        terminal.press(notation, "enter")
        terminal.wait_for(f"{params} params", without="Accept")
    for shown in ("502", "477", "492", "453"):
        terminal.wait_for(shown)
