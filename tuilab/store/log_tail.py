"""Following an experiment's log, across its rotation."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Self, TextIO

from tuilab.store.home import log_file, log_files


class LogTail:
    """What there is of a log at the first read, and what has been added at every later one."""

    def __init__(self, home: Path, experiment: str) -> None:
        """Nothing is read yet; a log that has not begun reads as empty."""
        self._home, self._experiment = home, experiment
        self._file: TextIO | None = None
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self) -> str:
        """What has not been read yet; bytes that are no text are replaced.

        Raises:
            OSError: when the log cannot be read.

        """
        pieces = []
        if not self._begun:
            self._begun = True
            for path in log_files(self._home, self._experiment)[:-1]:
                with suppress(FileNotFoundError):
                    pieces.append(path.read_text(encoding="utf-8", errors="replace"))
        newest = log_file(self._home, self._experiment)
        if self._file is not None:
            pieces.append(self._file.read())
        if self._is_another(newest):
            if self._file is not None:
                # What came between the read above and the rotation.
                pieces.append(self._file.read())
                self._file.close()
            self._file = newest.open(encoding="utf-8", errors="replace")
            pieces.append(self._file.read())
        return "".join(pieces)

    def _is_another(self, newest: Path) -> bool:
        """Whether the newest file is there and not the one that is open."""
        try:
            there = newest.stat().st_ino
        except FileNotFoundError:
            return False
        return self._file is None or there != os.fstat(self._file.fileno()).st_ino

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
