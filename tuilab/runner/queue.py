"""The queue: experiments that wait for device slots get them in the order in which they were created."""

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
                os.utime(self._lock.path)
                self._signed = clock
            return
        if self._lock.acquire():
            # What cannot be written on a full disk costs a place in the queue, never the experiment.
            with suppress(OSError):
                self._lock.path.write_text(" ".join(slots), encoding="ascii")
            self._signed = clock

    def leave(self) -> None:
        """Wait no longer."""
        if self._lock.held:
            self._lock.path.unlink(missing_ok=True)
            self._lock.release()

    def before(self) -> dict[str, frozenset[str]]:
        """The experiments that were created earlier and wait, with the slots that they wait for."""
        return {name: slots for name, slots in _waiting(self._folder) if name < self._experiment}


def waiting(home: Path) -> tuple[str, ...]:
    """The experiments that wait for slots, in the order in which they will get them."""
    return tuple(name for name, _ in _waiting(queue_folder(home)))


def _waiting(folder: Path) -> Iterator[tuple[str, frozenset[str]]]:
    try:
        paths = sorted(folder.iterdir())
    except FileNotFoundError:
        return
    for path in paths:
        with suppress(OSError):
            if is_held(path) and time.time() - path.stat().st_mtime < STALE_SECONDS:
                yield path.name, frozenset(path.read_text(encoding="ascii").split())
