"""Faults of tuilab's own: the traceback goes to the lab's log, the person gets one sentence."""

import traceback
from pathlib import Path

from tuilab.store.home import log_folder


def note_fault(home: Path, error: BaseException) -> str:
    """Write the traceback of ``error`` to the lab's ``tuilab.log`` and return the sentence to show."""
    said = f"a fault of its own: {type(error).__name__}: {error}"
    log = log_folder(home) / "tuilab.log"
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write("".join(traceback.format_exception(error)))
    except OSError:
        return said
    return f"{said} (details in {log}; what trains goes on)"
