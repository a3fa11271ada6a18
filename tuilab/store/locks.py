"""Locks that the kernel frees when their holder dies, however it dies."""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

PROBE_SECONDS = 0.5
"""How long ``acquire`` tries unless told: whoever probes a lock holds it for some microseconds."""


LAST_WORD = "failed: "
"""What a note begins with that says why an experiment failed whose end could not be written."""
_NOTE_BYTES = 1024


class FileLock:
    """An exclusive lock on a file, held by one process.

    The file stays when the lock is released: removing it would let two processes lock two files of the same name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._fd is not None

    def try_acquire(self) -> bool:
        """Take the lock if nobody else holds it; True where this object holds it afterwards.

        Raises:
            OSError: when the file cannot be opened.

        """
        if self._fd is not None:
            return True
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._fd = fd
        return True

    def take_over(self, fd: int) -> bool:
        """Go on holding the lock that the process which started this one held on an inherited descriptor.

        False, and the descriptor is closed, where that is not one of this lock's file.
        """
        with suppress(OSError):
            if self._fd is None and os.path.samestat(os.fstat(fd), self.path.stat()):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.set_inheritable(fd, False)
                self._fd = fd
                return True
        with suppress(OSError):
            os.close(fd)
        return False

    def fileno(self) -> int | None:
        """The descriptor that holds the lock; a process that inherits it holds the lock too. None where not held."""
        return self._fd

    def acquire(self, seconds: float = PROBE_SECONDS) -> bool:
        """As ``try_acquire``, but wait so long for whoever has it, such as a reader that only probes."""
        deadline = time.monotonic() + seconds
        while not self.try_acquire():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def note(self, text: str) -> None:
        """Leave a note in the file for those who find it locked, or left behind; an empty one takes it away.

        Room is made for it beforehand, so that it can be left on a disk that is full. Nothing happens where the lock
        is not held.
        """
        if self._fd is not None:
            with suppress(OSError):
                os.pwrite(self._fd, text.encode()[:_NOTE_BYTES].ljust(_NOTE_BYTES, b"\0"), 0)

    def release(self) -> None:
        """Let go; nothing happens where the lock is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def read_note(path: Path) -> str:
    """The note in a lock's file; empty where there is none."""
    try:
        return path.read_bytes()[:_NOTE_BYTES].rstrip(b"\0").decode(errors="replace")
    except OSError:
        return ""


def is_held(path: Path) -> bool:
    """Whether some process holds the lock on ``path``."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def held_in(folder: Path) -> list[str]:
    """Names of the locks in a folder that some process holds, in order: ids of experiments, and slots of devices."""
    return sorted(path.stem for path in folder.glob("[0-9a-z]*.lock") if is_held(path))
