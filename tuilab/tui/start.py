"""The way in: prepares the process and only then imports Textual, which reads its environment on import."""

import gc
import os
from collections.abc import Mapping
from pathlib import Path

NO_TERMINALS = ("", "dumb", "unknown")
"""What TERM says where the cursor cannot be moved."""


def run(home: Path, attach: str | None = None, open_path: Path | None = None, line: str | None = None) -> int:
    """Show the interface until it is left.

    Args:
        home: the lab's folder.
        attach: id of an experiment to open.
        open_path: preset file to open.
        line: share line to open.

    Returns:
        The process's exit code.

    """
    prepare(os.environ)
    # Nothing that is made while starting is garbage; looking for some would delay the first paint. The application
    # enables it again once it has painted.
    gc.disable()
    from tuilab.tui.app import LabApp

    app = LabApp(home, attach=attach, open_path=open_path, line=line)
    app.run()
    return app.return_code or 0


def collect_after_start() -> None:
    """Look for garbage from now on, as often as painting makes it."""
    # What starting has left behind is used again by what follows; what stays need not be looked at again.
    gc.collect()
    gc.freeze()
    # Strips hold themselves in their caches, so that only the collector frees them, and every repaint makes some
    # hundred: by default it would let seven megabytes of them come together.
    gc.set_threshold(700, 10, 3)
    gc.enable()


def prepare(environment: os._Environ[str] | dict[str, str]) -> None:
    """Set what Textual reads when it is imported: a short wait after escape, no animations over SSH."""
    environment.setdefault("ESCDELAY", "25")
    if environment.get("NO_COLOR") == "":
        # An empty one asks for nothing (no-color.org); Textual takes it for a wish.
        del environment["NO_COLOR"]
    if over_ssh(environment):
        environment.setdefault("TEXTUAL_ANIMATIONS", "none")


def over_ssh(environment: Mapping[str, str]) -> bool:
    """Whether the terminal is at the other end of an SSH connection."""
    return bool(environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"))
