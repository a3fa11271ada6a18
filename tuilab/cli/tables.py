"""The efficiency table for a console: as many columns side by side as there is room for, the rest below."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tuilab.analysis.columns import Column, filled
from tuilab.analysis.efficiency import EfficiencyRow
from tuilab.spec.comparison import LETTERS
from tuilab.tui.lines import spelled
from tuilab.tui.numbers import tabled

if TYPE_CHECKING:
    from rich.table import Table

_COUNTS = ("params", "dof", "macs", "activations")
_GAP = 3
"""Cells between two columns."""


def efficiency_tables(
    rows: Sequence[EfficiencyRow], metric: str, *, width: int, only_ascii: bool = False
) -> "list[Table]":
    """Every column that somebody fills, in as many tables as it takes; each begins with the candidates.

    Args:
        rows: the efficiency table.
        metric: ``error`` or ``nmse``.
        width: of the console, in cells.
        only_ascii: whether the console has plain characters only.

    """
    name, *shown = filled(tuple(rows), metric)
    first = max(len(name.title), *(len(row.name) for row in rows)) + 2 + _GAP
    return [_table(rows, (name, *part), only_ascii) for part in _parts(rows, shown, width - first)]


def _parts(rows: Sequence[EfficiencyRow], shown: Sequence[Column], room: int) -> Iterator[list[Column]]:
    """The columns in groups that fit into the room; a column that is too wide for any is alone."""
    part: list[Column] = []
    used = 0
    for column in shown:
        need = max(len(column.title), *(len(_cell(column, row)) for row in rows)) + _GAP
        if part and used + need > room:
            yield part
            part, used = [], 0
        part.append(column)
        used += need
    if part:
        yield part


def _cell(column: Column, row: EfficiencyRow) -> str:
    value = column.value(row) if column.key in _COUNTS else None
    return column.text(row) if value is None else tabled(round(value))


def _table(rows: Sequence[EfficiencyRow], shown: Sequence[Column], only_ascii: bool) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    plain = spelled if only_ascii else str
    table = Table(box=box.ASCII2 if only_ascii else box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for column in shown:
        table.add_column(
            Text(plain(column.title)),
            justify="left" if column.key == "name" else "right",
            no_wrap=column.key != "name",
            overflow="fold",
        )
    for letter, row in zip(LETTERS, rows, strict=False):
        table.add_row(letter, *(Text(plain(_cell(column, row))) for column in shown))
    return table
