"""A grid of cells in which lines, bands and text are drawn with braille, quadrants or letters.

Pure Python and fast: a cell is one number (which of its dots are set) and one ink. Dots count from the top left.
Inks are small numbers, so that rows compare and travel cheaply; ``tuilab.tui.palette`` says what they look like.
"""

import re
from codecs import charmap_decode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias

Glyphs = Literal["braille", "quadrant", "ascii"]
"""What curves are drawn with: 2x4 dots a cell, 2x2 dots a cell, or the candidate's letter."""


class Ink(IntEnum):
    """What a cell shows. Inks of series follow: ``ink(kind, index)``."""

    BLANK = 0
    GRID = 1
    AXIS = 2
    LABEL = 3
    BAND = 4
    """Between the lowest and the highest run."""
    FAINT = 5
    """A line that matters less: train loss, tuning."""
    LINE = 6
    END = 7
    """The letter at the end of a line."""


_KINDS = 4
MAX_SERIES = 26


_STRENGTH = (*range(Ink.BAND), *(Ink.BAND + number % _KINDS for number in range(_KINDS * MAX_SERIES)))
"""Of each ink: which covers which."""


def ink(kind: Ink, index: int) -> int:
    """The ink of one of BAND, FAINT, LINE, END for the candidate with this index."""
    return Ink.BAND + _KINDS * index + (kind - Ink.BAND)


def split_ink(number: int) -> tuple[Ink, int]:
    """The kind and the candidate's index of an ink (index 0 for inks that belong to no candidate)."""
    if number < Ink.BAND:
        return Ink(number), 0
    index, kind = divmod(number - Ink.BAND, _KINDS)
    return Ink(Ink.BAND + kind), index


@dataclass(frozen=True, slots=True)
class Row:
    """One row of cells: a character and an ink each."""

    text: str
    inks: bytes

    def spans(self, cuts: Sequence[int] = ()) -> Iterator[tuple[str, int]]:
        """The row as (text, ink), as few as possible.

        A short run of blanks takes the ink before it.

        Args:
            cuts: columns, ascending, at which a span must begin.

        """
        edges = _edges(self.inks)
        if cuts:
            edges = sorted({*edges, *cuts})
        current = 0
        for start, end in pairwise(edges):
            current = max(self.inks[start:end]) or (current if end - start <= _SHORT else 0)
            yield self.text[start:end], current


_SHORT = 12
"""Blank cells that are cheaper to send than a change of style."""


_STRETCH = re.compile(rb"(.)\1*", re.DOTALL)
"""Neighbours of one ink."""


def _edges(inks: bytes) -> list[int]:
    """Where spans begin, and the end: at every change of ink but those to and from a short run of blanks."""
    edges = [0]
    last = -1
    for stretch in _STRETCH.finditer(inks):
        start, end = stretch.span()
        number = inks[start]
        if end - start > _SHORT if number == Ink.BLANK else number != last:
            if start:
                edges.append(start)
            last = number
    edges.append(len(inks))
    return edges


@dataclass(frozen=True, slots=True)
class _Cell:
    """How the dots of a cell are laid out."""

    across: int
    down: int
    bits: tuple[tuple[int, ...], ...]
    """Bit of the dot in column x, row y, as ``bits[x][y]``."""
    glyphs: str
    """Character of each combination of bits."""

    def runs(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """Bits of the dots from row a to row b of column x, as ``[x][a][b]``."""
        rows = range(self.down)
        return tuple(tuple(tuple(sum(column[a : b + 1]) for b in rows) for a in rows) for column in self.bits)


_CELLS: dict[Glyphs, _Cell] = {
    "braille": _Cell(
        2,
        4,
        ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80)),
        " " + "".join(map(chr, range(0x2801, 0x2900))),
    ),
    "quadrant": _Cell(2, 2, ((1, 4), (2, 8)), " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"),
    "ascii": _Cell(1, 1, ((1,),), " ?"),
}


class Canvas:
    """Cells to draw on. Coordinates are dots unless they say cells.

    Where two drawings meet in a cell, the stronger kind of ink (line over faint over band over grid) takes the whole
    cell; equals share its dots, and the later one colours them. Text lies over all of them.
    """

    def __init__(self, width: int, height: int, glyphs: Glyphs = "braille") -> None:
        """A blank canvas of ``width`` x ``height`` cells."""
        self.width = width
        self.height = height
        self.glyphs = glyphs
        self._cell = _CELLS[glyphs]
        self.dots_across = width * self._cell.across
        self.dots_down = height * self._cell.down
        self._runs = self._cell.runs()
        # Column after column, top down: what is drawn is vertical runs.
        self._bits = bytearray(width * height)
        self._inks = bytearray(width * height)
        self._texts: list[list[_Text]] = [[] for _ in range(height)]
        self._ground = _Ground(bytes(width * height), bytes(width * height), [0] * height)

    def keep(self) -> None:
        """What has been drawn becomes the ground to which ``wipe`` goes back."""
        self._ground = _Ground(bytes(self._bits), bytes(self._inks), [len(texts) for texts in self._texts])

    def wipe(self, first: int, end: int) -> None:
        """Take away what was drawn over the ground in the cell columns from ``first`` to before ``end``."""
        cells = slice(first * self.height, end * self.height)
        self._bits[cells] = self._ground.bits[cells]
        self._inks[cells] = self._ground.inks[cells]

    def wipe_texts(self) -> None:
        """Take away all text that was written over the ground."""
        for texts, count in zip(self._texts, self._ground.texts, strict=True):
            del texts[count:]

    def columns(self, first: int, runs: Iterable[tuple[int, int]], number: int, every: int = 1) -> None:
        """Set a vertical run of dots in each dot column from ``first`` on.

        Args:
            first: dot column of the first run; all columns lie on the canvas.
            runs: first and last dot row of each run; clipped, and empty where the last lies above the first.
            number: the ink.
            every: draw each how-manieth column only, which dots a line.

        """
        across, down, height, floor = self._cell.across, self._cell.down, self.height, self.dots_down - 1
        bits, inks, strengths, strength = self._bits, self._inks, _STRENGTH, _STRENGTH[number]
        sides, full = self._runs, down - 1
        for x, (top, bottom) in enumerate(runs, first):
            if x % every:
                continue
            if top < 0:
                top = 0
            if bottom > floor:
                bottom = floor
            if top > bottom:
                continue
            dots = sides[x % across]
            column = x // across * height
            end = column + bottom // down
            start = top % down
            for at in range(column + top // down, end + 1):
                here = dots[start][full if at < end else bottom % down]
                start = 0
                old = inks[at]
                if old == number:
                    bits[at] |= here
                elif strengths[old] < strength:
                    bits[at] = here
                    inks[at] = number
                elif strengths[old] == strength:
                    bits[at] |= here
                    inks[at] = number

    def dot(self, x: int, y: int, number: int) -> None:
        """Set one dot."""
        self.columns(x, ((y, y),), number)

    def line(self, first: int, ys: Sequence[float], number: int, every: int = 1) -> None:
        """Draw a line through one y for each dot column from column ``first`` on; connected where ``every`` is 1.

        Args:
            first: dot column of the first y.
            ys: dot rows, not rounded; those beyond the canvas are clipped.
            number: the ink.
            every: draw each how-manieth column only, which dots the line.

        """
        self.columns(first, line_runs(ys, connected=every == 1), number, every)

    def write(self, x: int, y: int, text: str, number: int) -> None:
        """Put text over whatever is there. ``x``, ``y`` in cells; what lies beyond the canvas is cut."""
        if 0 <= y < self.height:
            text, x = text[max(0, -x) : max(0, self.width - x)], max(0, x)
            inks = bytes([number if character != " " else Ink.BLANK for character in text])
            self._texts[y].append((x, x + len(text), text, inks))

    def rows(self, letters: str = "") -> tuple[Row, ...]:
        """What has been drawn, top row first.

        Args:
            letters: of the candidates, by index; what curves are made of when the glyphs are ASCII.

        """
        ascii_only, height = self.glyphs == "ascii", self.height
        table = _letters(letters) if ascii_only else self._cell.glyphs
        rows = []
        for y, texts in enumerate(self._texts):
            inks = self._inks[y::height]
            drawn, _ = charmap_decode(inks if ascii_only else self._bits[y::height], "strict", table)
            for start, end, text, colours in texts:
                drawn = drawn[:start] + text + drawn[end:]
                inks[start:end] = colours
            rows.append(Row(drawn, bytes(inks)))
        return tuple(rows)


_Text: TypeAlias = tuple[int, int, str, bytes]
"""Text on a row: its first cell, the one past its last, its characters, and an ink for each."""


class _Ground(NamedTuple):
    """What lies under all that may be wiped: cells, and how many texts of each row."""

    bits: bytes
    inks: bytes
    texts: list[int]


def line_runs(ys: Sequence[float], before: float | None = None, *, connected: bool = True) -> list[tuple[int, int]]:
    """The dots of a line: first and last dot row of each column; each begins beside where the one before it ends.

    Args:
        ys: dot rows, one for each column, not rounded.
        before: that of the column before the first.
        connected: whether the line is; otherwise it is one dot in each column.

    """
    rows = [int(y + 1.5) - 1 for y in ys]
    if not connected:
        return list(zip(rows, rows, strict=True))
    last = rows[0] if before is None else int(before + 1.5) - 1
    runs = []
    for here in rows:
        runs.append((last + 1, here) if last < here else (here, last - 1) if last > here else (here, here))
        last = here
    return runs


def band_runs(tops: Sequence[float], bottoms: Sequence[float]) -> list[tuple[int, int]]:
    """The dots of a band: first and last dot row of each column."""
    return [(int(top + 1.5) - 1, int(bottom + 1.5) - 1) for top, bottom in zip(tops, bottoms, strict=True)]


def _letters(letters: str) -> str:
    """The character that each ink is drawn with in ASCII."""
    table = [" "] * 256
    table[Ink.GRID] = "."
    for index, letter in enumerate(letters):
        table[ink(Ink.FAINT, index)] = "'"
        table[ink(Ink.LINE, index)] = letter.lower()
    return "".join(table)
