"""The lines of a log as rows: broken where they are too long, coloured by how bad they are. Pure."""

from tuilab.spec.errors import printable
from tuilab.tui.lines import Line, Span, cell_width

_STAMP = len("2026-11-25 22:31:45,123 ")
_DATE = len("2026-11-25 ")
_MILLISECONDS = len(",123 ")
_WIDE = 120
_INDENT = "    "
_NEAR = 0.7
"""Part of a row that must be filled where it is broken at a blank."""
_ROLES = {"ERROR": "error", "CRITICAL": "error", "WARNING": "warn"}


def log_rows(raw: str, width: int) -> list[Line]:
    """One line of a log in as many rows as it takes; what a terminal would obey is spelled out.

    Args:
        raw: as it is in the file, without the line's end.
        width: cells; below 120 the date and the milliseconds are left out.

    """
    width = max(20, width)
    stamp, level, text = _parts(printable(raw.expandtabs(4)))
    if stamp and width < _WIDE:
        stamp = stamp[_DATE:-_MILLISECONDS] + " "
    role = _ROLES.get(level, "")
    if level and level != "INFO":
        text = f"{level} {text}"
    first, *rest = _broken(text, width - len(stamp), width - len(_INDENT))
    rows: list[Line] = [(Span(stamp, "dim"), Span(first, role)) if stamp else (Span(first, role),)]
    return [*rows, *((Span(_INDENT), Span(piece, role)) for piece in rest)]


def is_problem(row: Line) -> bool:
    """Whether a row begins or goes on with a warning or an error."""
    return any(span.role in ("warn", "error") for span in row)


def _parts(line: str) -> tuple[str, str, str]:
    """Date and time, level, and the rest of a line; a line of a traceback is all rest."""
    stamp, rest = line[:_STAMP], line[_STAMP:]
    level, _, text = rest.partition(" ")
    if stamp[:4].isdecimal() and stamp[4:5] == "-" and stamp[-5:-4] == "," and level.isupper() and level.isalpha():
        return stamp, level, text
    return "", "", line


def _broken(text: str, first: int, later: int) -> list[str]:
    """The text in pieces of at most so many cells, first and later ones, broken at a blank if one is near."""
    pieces, room, piece, used = [], first, "", 0
    for character in text:
        cells = cell_width(character)
        if used + cells > room:
            blank = piece.rfind(" ") + 1
            end = blank if blank > room * _NEAR else len(piece)
            pieces.append(piece[:end].rstrip() if end == blank else piece)
            piece, room = piece[end:], later
            used = cell_width(piece)
        piece += character
        used += cells
    return [*pieces, piece]
