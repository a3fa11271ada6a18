"""The queue: experiments that wait for device slots get them in the order in which they were created.

Unless somebody has put one of them first: then that is served first, and of several the one that was put there last.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from tuilab.store.home import queue_folder
from tuilab.store.locks import FileLock, is_held

STALE_SECONDS = 10.0
"""An experiment in the queue that has given no sign of life for so long, because its runner was halted, is passed."""
_SIGN_SECONDS = 1.0


class Place:
    """An experiment's place in the queue of its lab: a file that its runner holds locked while it waits."""

    def __init__(self, home: Path, experiment: str) -> None:
        """Not in the queue yet."""
        self._folder = queue_folder(home)
        self._experiment = experiment
        self._lock = FileLock(self._folder / experiment)
        self._signed = 0.0

    def enter(self, slots: Sequence[str]) -> None:
        """Wait for some of these slots; again and again while that lasts."""
        clock = time.monotonic()
        if self._lock.held:
            if clock - self._signed > _SIGN_SECONDS:
                with suppress(OSError):
                    os.utime(self._lock.path)
                self._signed = clock
            return
        # What cannot be written on a full disk costs a place in the queue, never the experiment.
        with suppress(OSError):
            if self._lock.acquire():
                # One that is there was left by a runner that was killed while it waited.
                _mark(self._lock.path).unlink(missing_ok=True)
                self._signed = clock
                self._lock.path.write_text(" ".join(slots), encoding="ascii")

    def leave(self) -> None:
        """Wait no longer."""
        if self._lock.held:
            _mark(self._lock.path).unlink(missing_ok=True)
            self._lock.path.unlink(missing_ok=True)
            self._lock.release()

    def before(self) -> dict[str, frozenset[str]]:
        """The experiments that wait and are served earlier, with the slots that they wait for."""
        own = _rank(self._lock.path)
        return {path.name: slots for path, slots in _waiting(self._folder) if _rank(path) < own}


def waiting(home: Path) -> tuple[str, ...]:
    """The experiments that wait for slots, in the order in which they will get them."""
    return tuple(path.name for path, _ in _waiting(queue_folder(home)))


def put_first(home: Path, experiment: str) -> bool:
    """Have an experiment that waits served before all others; False, and nothing is changed, where it does not wait."""
    path = queue_folder(home) / experiment
    if not is_held(path):
        return False
    mark = _mark(path)
    mark.touch(0o600)
    os.utime(mark)
    return True


def _mark(path: Path) -> Path:
    """The file that is there where an experiment has been put first."""
    return path.with_name(f"{path.name}.first")


def _rank(path: Path) -> tuple[float, str]:
    """What the queue is sorted by, the smallest first."""
    try:
        return -_mark(path).stat().st_mtime, path.name
    except OSError:
        return 0.0, path.name


def _waiting(folder: Path) -> Iterator[tuple[Path, frozenset[str]]]:
    try:
        paths = sorted((path for path in folder.iterdir() if not path.suffix), key=_rank)
    except FileNotFoundError:
        return
    for path in paths:
        with suppress(OSError):
            if is_held(path) and time.time() - path.stat().st_mtime < STALE_SECONDS:
                yield path, frozenset(path.read_text(encoding="ascii").split())
