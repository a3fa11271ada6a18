"""Starting the interface: at the library, at a preset or file, or at an experiment."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tuilab.cli.lean import without_openssl
from tuilab.spec.errors import LabError

if TYPE_CHECKING:
    import argparse


def open_interface(arguments: list[str]) -> int:
    """``tuilab``, ``tuilab PRESET_OR_FILE`` and ``tuilab "SHARE LINE"``: the interface, until it is left."""
    if len(arguments) > 1:
        raise LabError(f"unexpected {arguments[1]!r}: give one preset, file or command (see tuilab --help)")
    without_openssl()
    line, path = _wanted(arguments[0]) if arguments else (None, None)
    _need_terminal()
    from tuilab.store.home import lab_home
    from tuilab.tui.start import run

    return run(lab_home(), open_path=path, line=line)


def attach(arguments: "argparse.Namespace") -> int:
    """``tuilab attach ID``: the interface at an experiment."""
    without_openssl()
    from tuilab.store.home import lab_home
    from tuilab.store.reader import Reader

    home = lab_home()
    reader = Reader(home)
    experiment = reader.find(arguments.id).id
    reader.close()
    _need_terminal()
    from tuilab.tui.start import run

    return run(home, attach=experiment)


def _wanted(text: str) -> tuple[str | None, Path | None]:
    """The share line or else the preset file that an argument means; only then is it read, as that takes time."""
    from tuilab.spec.share import from_line, is_line

    if not is_line(text):
        return None, _find(text)
    from_line(text)
    return text, None


def _find(name: str) -> Path:
    from tuilab.spec.presets import find_preset

    try:
        return find_preset(name)
    except LabError as error:
        experiment = _experiment(name)
        if experiment is not None:
            advice = f"tuilab attach {experiment} opens it, tuilab show {experiment} prints it"
            raise LabError(f"{name!r} is an experiment: {advice}") from error
        raise LabError(f"{name!r} is neither a command nor a preset or file: {error}") from error


def _experiment(name: str) -> str | None:
    """The id of the experiment that a word means; None where it means none."""
    from tuilab.store.home import lab_home
    from tuilab.store.reader import Reader

    try:
        with Reader(lab_home()) as reader:
            return reader.find(name).id if name.strip() else None
    except LabError:
        return None


def _need_terminal() -> None:
    """Textual paints on standard error and reads standard input; both must be a real terminal."""
    from tuilab.tui.start import NO_TERMINALS

    term = os.environ.get("TERM", "")
    if term in NO_TERMINALS:
        raise LabError(
            f"the interface needs a terminal that can move its cursor, and TERM is {term or 'not set'!r}; "
            "use tuilab run, ls and show here, or set TERM (for example xterm-256color)"
        )
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise LabError("the interface needs a terminal on standard input, output and error; use tuilab run in scripts")
