"""The terminal as Textual drives it, for terminals that go away at any moment."""

from contextlib import suppress
from typing import IO, TYPE_CHECKING, cast

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from io import TextIOWrapper

    from textual.app import App


class _Lasting:
    """A file that goes on taking text when there is nobody left to read it."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write text, or drop it."""
        with suppress(OSError):
            return self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what has been written, or drop it."""
        with suppress(OSError):
            self._file.flush()

    def fileno(self) -> int:
        """The descriptor of the file."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Whether the file is a terminal."""
        return self._file.isatty()


class LastingDriver(LinuxDriver):
    """A driver that gets through to its end on a terminal that has been closed.

    Textual writes in a thread that ends with the first error; what is written after that fills its queue, and the
    interface waits for room in it for ever.
    """

    def __init__(
        self, app: "App[object]", *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        if self._file is not None:
            self._file = cast("TextIOWrapper", _Lasting(self._file))
