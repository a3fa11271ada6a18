"""Tables that keep their most important columns when the room is small."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuilab.tui.lines import Span, left, right


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: in the header.
        width: cells, without the space after it.
        rank: the highest ranks go first when there is too little room.
        grow: share of the room left over.
        text: whether it is aligned left; numbers are aligned right.

    """

    name: str
    width: int
    rank: int = 0
    grow: int = 0
    text: bool = False


def fit_columns(columns: Sequence[Column], width: int) -> dict[str, int]:
    """Cells for each column that fits, by name, in order.

    Columns are dropped from the highest rank down; what is left over goes to those that grow.
    """
    kept = list(columns)
    while len(kept) > 1 and sum(column.width + 1 for column in kept) > width + 1:
        kept.remove(max(reversed(kept), key=lambda column: column.rank))
    room = max(0, width + 1 - sum(column.width + 1 for column in kept))
    shares = sum(column.grow for column in kept)
    widths = {}
    for column in kept:
        share = room * column.grow // shares if shares else 0
        widths[column.name] = max(1, column.width + share)
        room, shares = room - share, shares - column.grow
    return widths


def header_span(columns: Sequence[Column], widths: dict[str, int]) -> Span:
    """The names over their columns."""
    shown = [column for column in columns if column.name in widths]
    cells = [(left if column.text else right)(column.name, widths[column.name]) for column in shown]
    return Span(" ".join(cells), "dim")
