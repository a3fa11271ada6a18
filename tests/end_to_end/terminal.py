"""A program in a real pseudo-terminal, with a screen that can be read."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence

import pyte

KEYS = {"enter": "\r", "escape": "\x1b", "tab": "\t", "down": "\x1b[B", "up": "\x1b[A", "ctrl+p": "\x10", "space": " "}
_UNKNOWN_TO_PYTE = re.compile(rb"\x1b\[[<=>][0-9;]*[A-Za-z]|\x1b\[\?[0-9;]*\$p")


class Terminal:
    """One program under one pseudo-terminal of a given size."""

    def __init__(self, command: Sequence[str], columns: int, rows: int, environment: Mapping[str, str]) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.output = bytearray()
        self.status: int | None = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execvpe(command[0], list(command), dict(environment))

    def press(self, *keys: str) -> None:
        """Type keys by name, or text as it is."""
        for key in keys:
            os.write(self.fd, KEYS.get(key, key).encode())

    def resize(self, columns: int, rows: int) -> None:
        """Change the window's size, as a person dragging its corner does."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def read(self, seconds: float = 0.1) -> bool:
        """Take in what comes within this time; False when the terminal is closed."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.fd, 1 << 16)
        except OSError:
            return False
        self.output += data
        self.stream.feed(_UNKNOWN_TO_PYTE.sub(b"", data))
        return bool(data)

    @property
    def text(self) -> str:
        """The screen as lines of text."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait_for(self, text: str, seconds: float = 30, without: str | None = None) -> str:
        """The screen once it shows ``text``, and no longer ``without``."""
        end = time.monotonic() + seconds
        while text not in self.text or (without is not None and without in self.text):
            assert time.monotonic() < end, f"{text!r} did not appear:\n{self.text}"
            if not self.read():
                raise AssertionError(f"the program ended before {text!r} appeared:\n{self.text}")
        return self.text

    def settle(self, quiet: float = 1.0, seconds: float = 30) -> str:
        """The screen once nothing has come for this long."""
        end = time.monotonic() + seconds
        while True:
            known = len(self.output)
            self.read(quiet)
            if len(self.output) == known:
                return self.text
            assert time.monotonic() < end, f"the screen does not come to rest:\n{self.text}"

    def wait_until_gone(self, seconds: float = 10) -> int:
        """The exit status of the program, once it has ended."""
        end = time.monotonic() + seconds
        while self.status is None:
            assert time.monotonic() < end, f"still running:\n{self.text}"
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            else:
                self.read(0.02)
        while self.read(0.05) and select.select([self.fd], [], [], 0)[0]:
            pass
        return self.status

    def hang_up(self) -> None:
        """Close the terminal, as a dropped connection does."""
        os.close(self.fd)
        self.fd = -1

    def kill(self) -> None:
        """End the program, whatever state it is in."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
