"""Several stacks side by side, each candidate in a column of its own."""

from dataclasses import dataclass

from tuilab.tui.lines import Line, Span, cell_width, clip, hue, left, letter, plain
from tuilab.tui.numbers import exact
from tuilab.tui.stack_rows import DETAILS_FROM, StackRows

COLUMN = 36
"""Cells that a stack needs at least; where there is room for two with details, each gets these."""


@dataclass(frozen=True)
class BesideRows:
    """Rows of all candidates; those of the selected one decide how many there are.

    Attributes:
        stacks: the rows of each candidate.
        names: of the candidates.
        selected: index of the selected candidate.

    """

    stacks: tuple[StackRows, ...]
    names: tuple[str, ...]
    selected: int

    def __len__(self) -> int:
        return max(map(len, self.stacks))

    @property
    def chosen(self) -> StackRows:
        """The rows of the selected candidate."""
        return self.stacks[self.selected]

    def shown(self, width: int) -> tuple[range, int]:
        """Which candidates are on screen, and the cells of each."""
        least = DETAILS_FROM if width > 2 * DETAILS_FROM else COLUMN
        number = max(1, min(len(self.stacks), (width + 1) // (least + 1)))
        first = max(0, min(self.selected - number // 2, len(self.stacks) - number))
        return range(first, first + number), (width + 1) // number - 1

    def detailed(self, width: int) -> bool:
        """Whether there is room for what each layer computes and keeps."""
        return self.shown(width)[1] >= DETAILS_FROM

    def highlight(self, width: int) -> tuple[int, int]:
        """The cells in which the cursor shows: the selected candidate's column."""
        shown, cells = self.shown(width)
        start = (self.selected - shown.start) * (cells + 1)
        return start, start + cells

    def header(self, width: int) -> Line | None:
        """Letter, name and parameters of each."""
        shown, cells = self.shown(width)
        spans: list[Span] = []
        for at in shown:
            num_params = self.stacks[at].num_params
            total = "does not fit" if num_params is None else exact(num_params)
            name = left(clip(self.names[at], cells - 4 - len(total)), cells - 4 - len(total))
            role = "accent strong" if at == self.selected else "strong"
            spans += [Span(f" {letter(at)} ", f"{hue(at)} strong"), Span(name, role), Span(f"{total} ", "dim")]
            spans.append(Span("│", "dim"))
        return tuple(spans[:-1])

    def line(self, index: int, width: int) -> Line:
        """Row ``index`` of every stack."""
        shown, cells = self.shown(width)
        spans: list[Span] = []
        for at in shown:
            rows = self.stacks[at]
            line: Line = rows.line(index, cells) if index < len(rows) else ()
            spans += line
            spans += [Span(" " * max(0, cells - cell_width(plain(line)))), Span("│", "dim")]
        return tuple(spans[:-1])
