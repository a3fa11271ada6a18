"""The one family of errors whose text a user reads.

Every message is a sentence that says what is wrong, where, and what to do.
"""


def printable(text: str) -> str:
    """The text with control characters escaped, so that a terminal shows them and does not obey them."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class LabError(Exception):
    """Something a user can put right. ``str(error)`` is the whole message, without a traceback."""


class NotationError(LabError):
    """Text that is not stack notation.

    Attributes:
        text: the notation as given.
        column: 1-based column where the parser stopped.
        problem: what was expected there.

    """

    def __init__(self, text: str, column: int, problem: str) -> None:
        super().__init__(f"stack notation, column {column}: {problem}")
        self.text = text
        self.column = column
        self.problem = problem


class ShapeError(LabError):
    """Layers whose shapes do not fit.

    Attributes:
        path: position of the layer: indices into the stack, outermost first (as in ``spec.network.Path``).
        problem: what does not fit and what to do.

    """

    def __init__(self, path: tuple[int, ...], problem: str, place: str = "") -> None:
        """Make the error.

        Args:
            path: position of the layer.
            problem: what does not fit and what to do.
            place: the layer in words, as ``Network.place`` gives it; empty where the whole network is not known.

        """
        super().__init__(f"{place}: {problem}" if place else problem)
        self.path = path
        self.problem = problem


class FileError(LabError):
    """A file of the user's that cannot be read as what it should be.

    Attributes:
        file: path as the user gave it.
        line: 1-based line, or None when the file as a whole is at fault.
        field: dotted field name, or None.

    """

    def __init__(self, file: str, problem: str, line: int | None = None, field: str | None = None) -> None:
        where = file if line is None else f"{file}, line {line}"
        super().__init__(printable(f"{where}: {field + ': ' if field else ''}{problem}"))
        self.file = file
        self.line = line
        self.field = field
        self.problem = problem
