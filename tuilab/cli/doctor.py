"""``tuilab doctor``: what this machine, this terminal and this lab are."""

import argparse
import importlib.metadata
import locale
import os
import platform
import shutil
import sqlite3
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from tuilab import __version__
from tuilab.cli.output import Json, print_json, say
from tuilab.cli.torch_facts import torch_facts
from tuilab.runner.resources import Monitor, strip
from tuilab.spec.errors import LabError
from tuilab.store.home import lab_home, store_file
from tuilab.store.rescue import damage, set_aside
from tuilab.store.schema import on_network
from tuilab.tui.start import over_ssh
from tuilab.tui.terminal_facts import choices

_PACKAGES = ("torch", "textual", "plotext", "pydantic", "numpy", "scipy", "scikit-learn", "rich", "numba")
_LOOK_SECONDS = 0.2


def doctor(arguments: argparse.Namespace) -> int:
    """Print versions, devices, threads, where the lab lives and what the terminal can do; or set a bad store aside."""
    if arguments.set_aside:
        say(f"the damaged store is now {set_aside(lab_home())}; a new one is made with the next experiment")
        return 0
    report = _report()
    if arguments.json:
        print_json(report)
        return 0
    for section, facts in report.items():
        say(section)
        for name, value in facts.items():
            shown = ", ".join(map(str, value)) if isinstance(value, list) else "none" if value is None else value
            say(f"  {name:<14} {shown}")
    return 0


def _report() -> dict[str, Mapping[str, Json]]:
    return {
        "versions": versions(),
        "machine": {
            "system": platform.platform(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            **torch_facts(),
            "now": list(_now(lab_home())),
        },
        "lab": _lab(lab_home()),
        "terminal": _terminal(),
    }


def versions() -> dict[str, str]:
    """Versions of tuilab and of what it stands on, by name."""
    found = {"tuilab": __version__, "python": platform.python_version()}
    return {**found, **{name: _version(name) for name in _PACKAGES}, "sqlite": sqlite3.sqlite_version}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _now(home: Path) -> tuple[str, ...]:
    """What the machine is doing; processor times need two looks."""
    monitor = Monitor(home)
    monitor.look()
    time.sleep(_LOOK_SECONDS)
    return strip(monitor.look())


def _lab(home: Path) -> dict[str, Json]:
    store = store_file(home)
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    return {
        "home": str(home),
        "store": f"{store.stat().st_size:,} bytes" if store.exists() else "none yet",
        "check": _check(home),
        "journal": _journal(store),
        "writable": "yes" if os.access(existing, os.W_OK) else f"no: {existing} cannot be written",
        "free": f"{shutil.disk_usage(existing).free / 2**30:.1f} GiB",
    }


def _check(home: Path) -> str:
    if not store_file(home).exists():
        return "nothing to check"
    try:
        found = damage(home)
    except LabError as error:
        return f"cannot be checked: {error}"
    return "ok" if found is None else f"damaged: {found}; tuilab doctor --set-aside renames it, and a new one is made"


def _journal(store: Path) -> str:
    """How the store is kept safe while it is written, and whether its file system allows that."""
    remote = on_network(store)
    where = "a network file system" if remote else "a local file system"
    if not store.exists():
        return f"will be a {'rollback journal' if remote else 'write-ahead log'} on {where}"
    try:
        with closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True)) as connection:
            ahead = connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    except sqlite3.Error:
        return f"unknown, on {where}"
    if ahead and remote:
        return f"write-ahead log on {where}, which is not safe: set TUILAB_HOME to a folder on a local disk"
    return f"{'write-ahead log' if ahead else 'rollback journal'} on {where}"


def _terminal() -> dict[str, Json]:
    """What the terminal says of itself, and what the interface chooses for it and why."""
    size = shutil.get_terminal_size(fallback=(0, 0))
    streams = (sys.stdin, sys.stdout, sys.stderr)
    chosen = choices(
        os.environ,
        size.columns,
        size.lines,
        is_terminal=all(stream is not None and stream.isatty() for stream in streams),
    )
    return {
        "TERM": os.environ.get("TERM", "not set"),
        "COLORTERM": os.environ.get("COLORTERM", "not set"),
        "size": f"{size.columns}x{size.lines}" if size.columns else "no terminal",
        "encoding": f"{sys.stderr.encoding or 'unknown'} (locale {locale.getpreferredencoding(False)})",
        "NO_COLOR": "set" if os.environ.get("NO_COLOR") else "not set",
        "ssh": "yes" if over_ssh(os.environ) else "no",
        **{choice.what: f"{choice.chosen} ({choice.because})" for choice in chosen},
    }
