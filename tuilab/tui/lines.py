"""Lines of text with roles: what the panes show, before any colour. Pure and testable as plain text."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple, Protocol, TypeAlias


class Span(NamedTuple):
    """A piece of text and what it is.

    ``role`` is a space-separated list of: ``dim``, ``strong``, ``accent``, ``key``, ``warn``, ``error``, ``good``,
    ``reverse`` and ``c0``, ``c1``, ... (the colour of the candidate at that position).
    """

    text: str
    role: str = ""


Line: TypeAlias = tuple[Span, ...]


class Rows(Protocol):
    """What a row view shows; lines are made only for the rows on screen."""

    def __len__(self) -> int: ...

    def header(self, width: int) -> Line | None:
        """The line that stays on top, if any."""
        ...

    def line(self, index: int, width: int) -> Line:
        """The row at ``index`` for ``width`` cells."""
        ...


class Text:
    """Rows that are known beforehand: a few lines of prose."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = tuple(lines)

    def __len__(self) -> int:
        return len(self._lines)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and other._lines == self._lines

    def __hash__(self) -> int:
        return hash(self._lines)

    def header(self, width: int) -> Line | None:
        """None."""
        return None

    def line(self, index: int, width: int) -> Line:
        """The line as given."""
        return self._lines[index]


def plain(line: Line) -> str:
    """The line's text without roles."""
    return "".join(span.text for span in line)


def cell_width(text: str) -> int:
    """Terminal cells that ``text`` takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def clip(text: str, width: int) -> str:
    """``text`` in at most ``width`` cells, ending in … where it was cut."""
    if cell_width(text) <= width:
        return text
    if width < 1:
        return ""
    from rich.cells import set_cell_size

    return set_cell_size(text, width - 1).rstrip() + "…"


def left(text: str, width: int) -> str:
    """``text`` at the left of a column of ``width`` cells, cut if need be."""
    text = clip(text, width)
    return text + " " * (width - cell_width(text))


def right(text: str, width: int) -> str:
    """``text`` at the right of a column of ``width`` cells, cut if need be."""
    text = clip(text, width)
    return " " * (width - cell_width(text)) + text


def spread(first: Line, last: Line, width: int) -> Line:
    """``first`` at the left and ``last`` at the right; the last is dropped where both do not fit."""
    gap = width - cell_width(plain(first)) - cell_width(plain(last))
    return (*first, Span(" " * gap), *last) if gap >= 1 else first


def wrap(text: str, width: int, role: str = "") -> list[Line]:
    """``text`` broken at spaces into lines of at most ``width`` cells; paragraphs are kept apart by blank lines."""
    from textwrap import wrap as break_lines

    lines: list[Line] = []
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        if number:
            lines.append(())
        lines += [(Span(line, role),) for line in break_lines(" ".join(paragraph.split()), max(8, width))]
    return lines


def letter(index: int) -> str:
    """The letter of the candidate at ``index``."""
    return chr(ord("A") + index % 26)


def hue(index: int) -> str:
    """The role that colours what belongs to the candidate at ``index``."""
    return f"c{index}"


_PLAIN = str.maketrans(
    {
        "…": ".",
        "–": "-",
        "−": "-",
        "—": "-",
        "×": "x",
        "±": "~",
        "·": "-",
        "∞": "!",
        "→": ">",
        "←": "<",
        "↑": "^",
        "↓": "v",
        "▶": ">",
        "⏸": "=",
        "✓": "=",
        "✗": "!",
        "○": "o",
        "●": "*",
        "■": "#",
        "▪": "#",
        "◆": "*",
        "★": "*",
        "─": "-",
        "┤": "+",
        "└": "+",
        "┬": "+",
        "↷": "&",
        "▣": "#",
        "▾": "v",
        "═": "=",
        "◌": ".",
        "▌": "|",
        "━": "#",
        "▔": "-",
        "▁": "_",
        "▎": "|",
        "▊": "|",
        "▏": "|",
        "▕": "|",
        "▍": "|",
        "█": "#",
        "▇": "#",
        "▆": "#",
        "▅": "#",
        "▄": "_",
        "▃": "_",
        "▂": "_",
        "🔎": "> ",
        "╸": "#",
        "│": "|",
        "┆": "|",
        "╭": "+",
        "╰": "+",
        "⏎": "<",
        "▸": ">",
        "⌥": "M",
        "⇥": ">",
        "⇧": "S",
        "⌫": "b",
        "∑": "S",
        "≈": "~",
        "∝": "~",
        "°": " ",
        "≤": "<",
        "≥": ">",
        "σ": "s",
        "²": "2",
        "’": "'",
        "“": '"',
        "”": '"',
    }
)


_SPELLED = {"±": "+-", "≤": "<=", "≥": ">=", "≈": "~=", "∞": "inf", "…": "..."}
"""What reads better in more cells, where there are some."""


def spelled(text: str) -> str:
    """``text`` in ASCII, of any width: for prose and for tables that are laid out afterwards."""
    for mark, words in {**_SPELLED, "✓": "ok"}.items():
        text = text.replace(mark, words)
    return to_ascii(text)


def to_ascii(text: str) -> str:
    """``text`` for a terminal that has only ASCII, cell for cell; see ``ascii_line``."""
    return text if text.isascii() else ascii_line((text,))[0]


def ascii_line(texts: Sequence[str], room: int = 0) -> list[str]:
    """The pieces of one line for a terminal that has only ASCII, in the cells that they took before.

    A mark that is spelled in several characters (``+-``) takes blanks beside its word, where there are two or more,
    so that columns stay where they are; ``...`` takes the letters before it. Where there are none a look-alike stands
    for it.

    Args:
        texts: pieces that stand side by side.
        room: cells that are free after them.

    """
    if all(text.isascii() for text in texts):
        return list(texts)
    cells = [character for text in texts for character in text]
    ends = list(accumulate(map(len, texts), initial=0))
    for at, mark in enumerate(cells):
        words = _SPELLED.get(mark, mark)
        taken = _taken(cells, at, len(words) - 1, room) if words != mark else None
        if taken is not None:
            room -= len(words) - 1 - len(taken)
            cells[at] = words
            for place in taken:
                cells[place] = ""
    looks = ["".join(cells[start:end]).translate(_PLAIN) for start, end in pairwise(ends)]
    return ["".join(c if c.isascii() else "?" * cell_width(c) for c in text) for text in looks]


def _taken(cells: Sequence[str], at: int, extra: int, room: int) -> range | None:
    """Which cells give way to a mark that grows by ``extra`` cells; none where it grows into the room after the line.

    None where nothing can give way.
    """
    before = cells[max(0, at - extra) : at]
    if cells[at] == "…" and len(before) == extra and all(len(c) == 1 and c.isascii() and c != " " for c in before):
        return range(at - extra, at)
    if extra == 1 and list(cells[at - 1 : at]) == list(cells[at + 1 : at + 2]) == [" "]:
        return range(at + 1, at + 2)
    start = end = at
    while start and cells[start - 1] != " ":
        start -= 1
    while end + 1 < len(cells) and cells[end + 1] != " ":
        end += 1
    blanks = [" "] * (extra + 1)
    if start > extra and list(cells[start - extra - 1 : start]) == blanks:
        return range(start - extra, start)
    if list(cells[end + 1 : end + 2 + extra]) == blanks:
        return range(end + 1, end + 1 + extra)
    prose = all((left, right) != (" ", " ") for left, right in pairwise(cells[end + 1 :]))
    return range(0) if prose and room >= extra else None


def bar(share: float, width: int) -> str:
    """A bar of ``width`` cells of which ``share`` (0 to 1) is filled, in half cells."""
    halves = round(max(0.0, min(1.0, share)) * width * 2)
    text = "━" * (halves // 2) + ("╸" if halves % 2 else "")
    return text + " " * (width - len(text))
