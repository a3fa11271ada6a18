"""The log of an experiment: one file that is rotated, for whatever its runner and engines say."""

import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from tuilab.store.home import LOG_PARTS

LOG_BYTES = 2**20
"""Size at which the log is rotated; the ``LOG_PARTS`` newest files are kept."""
_FORMAT = "%(asctime)s %(levelname)s %(message)s"


class ExperimentLog(RotatingFileHandler):
    """Writes to a rotating file that standard output and standard error follow, for tracebacks of the interpreter."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path, maxBytes=LOG_BYTES, backupCount=LOG_PARTS - 1, encoding="utf-8", errors="backslashreplace"
        )
        self.setFormatter(logging.Formatter(_FORMAT))
        self._redirect()

    def doRollover(self) -> None:  # noqa: N802 - logging's name
        """Begin a new file."""
        super().doRollover()
        self._redirect()

    def _open(self) -> TextIOWrapper:
        file = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return os.fdopen(file, "a", encoding=self.encoding, errors=self.errors)

    def _redirect(self) -> None:
        if self.stream is not None:
            for number in (1, 2):
                os.dup2(self.stream.fileno(), number)


def log_to_stderr() -> None:
    """Log to standard error until an experiment is known."""
    logging.basicConfig(level=logging.INFO, format=_FORMAT)


def log_to(path: Path) -> None:
    """Log to this file from now on; standard output and standard error go there too."""
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    root.addHandler(ExperimentLog(path))
