"""A lab of its own for every test, and the ways into it: the command line and a terminal."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.terminal import Terminal

TINY = """\
title: Tiny
question: Does anything run?
task: {kind: xor, num_train: 64, num_val: 32, num_test: 64}
training: {lr: 0.01, steps: 60, batch_size: 32}
protocol: {final_seeds: 3}
candidates:
  - {name: wide, stack: 12 relu}
  - {name: deep, stack: 2*(5 relu)}
"""
LONG = TINY.replace("steps: 60", "steps: 1000000")

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A lab that no process outlives."""
    folder = tmp_path / "lab"
    yield folder
    for process in lab_processes(folder):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def lab_processes(folder: Path) -> list[psutil.Process]:
    """Runners of this lab and everything they started."""
    found = {}
    for process in psutil.process_iter(["cmdline"]):
        if str(folder) in " ".join(process.info["cmdline"] or []):
            found[process.pid] = process
            try:
                found.update({child.pid: child for child in process.children(recursive=True)})
            except psutil.NoSuchProcess:
                continue
    return list(found.values())


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a user whose lab is ``folder``."""
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    return {**kept, "TUILAB_HOME": str(folder), "PYTHONWARNINGS": "", **more}


@pytest.fixture
def cli(home: Path, tmp_path: Path) -> Cli:
    """``cli("count", "3 relu", ...)`` runs the command and waits for it."""

    def run(*arguments: str, timeout: float = 120, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tuilab", *arguments],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=environment(home, **more),
            cwd=tmp_path,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A preset file that trains in a second."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """A preset file that trains for longer than any test."""
    path = tmp_path / "long.yaml"
    path.write_text(LONG)
    return path


@pytest.fixture
def open_terminal(home: Path) -> Iterator[Callable[..., Terminal]]:
    """``open_terminal("spirals-depth", columns=80)`` starts tuilab in a pseudo-terminal of its own."""
    opened: list[Terminal] = []

    def start(*arguments: str, columns: int = 80, rows: int = 24, **more: str) -> Terminal:
        command = [sys.executable, "-m", "tuilab", *arguments]
        terminal = Terminal(command, columns, rows, environment(home, **{"TERM": "xterm-256color", **more}))
        opened.append(terminal)
        return terminal

    yield start
    for terminal in opened:
        terminal.kill()
