"""What a terminal can do, what was chosen for it, and why: for whoever wonders why it looks as it does. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from tuilab.tui.palette import chosen_glyphs
from tuilab.tui.start import NO_TERMINALS, over_ssh

LOCAL_PACE, REMOTE_PACE = 0.25, 0.5
"""Seconds between two pictures of a growing curve, here and over SSH."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Something that was chosen.

    Attributes:
        what: it is.
        chosen: the choice.
        because: of what.

    """

    what: str
    chosen: str
    because: str


def pace(environment: Mapping[str, str]) -> float:
    """Seconds between two pictures of a growing curve."""
    return REMOTE_PACE if over_ssh(environment) else LOCAL_PACE


def choices(
    environment: Mapping[str, str], columns: int, rows: int, *, is_terminal: bool, encoding: str | None = None
) -> tuple[Choice, ...]:
    """What the interface chooses in a terminal.

    Args:
        environment: of the process.
        columns: of the terminal; 0 where it has none.
        rows: of the same.
        is_terminal: whether standard input, output and error are one.
        encoding: of standard error.

    """
    interface = _interface(environment, is_terminal=is_terminal)
    if environment.get("TERM", "") in NO_TERMINALS:
        return (interface,)
    glyphs, why = chosen_glyphs(environment, encoding)
    plain = glyphs == "ascii"
    return (
        interface,
        Choice("characters", "ASCII only" if plain else "Unicode", why),
        Choice("curves", "letters" if plain else "braille", "ctrl+g goes on to quadrants, letters and braille"),
        Choice("borders", "+ - |" if plain else "rounded lines", why),
        _colors(environment),
        _chart_rate(environment),
        _layout(columns, rows),
    )


def _interface(environment: Mapping[str, str], *, is_terminal: bool) -> Choice:
    term = environment.get("TERM", "")
    if term in NO_TERMINALS:
        return Choice("interface", "no", f"TERM is {term or 'not set'}: run, ls, show, report and logs work")
    if not is_terminal:
        return Choice("interface", "no", "standard input, output and error are not all a terminal")
    return Choice("interface", "yes", f"TERM={term} can move its cursor")


def _colors(environment: Mapping[str, str]) -> Choice:
    """As rich reads the environment, which paints."""
    term, colorterm = environment.get("TERM", "").strip().lower(), environment.get("COLORTERM", "").strip().lower()
    if environment.get("NO_COLOR"):
        return Choice("colours", "none", "NO_COLOR is set; what stands out is bold, faint or reversed")
    if colorterm in ("truecolor", "24bit"):
        return Choice("colours", "16.7 million", f"COLORTERM={colorterm}")
    if term.rpartition("-")[2] in ("256color", "kitty"):
        hint = "; COLORTERM=truecolor asks for all" if over_ssh(environment) else ""
        return Choice("colours", "256", f"TERM={term}{hint}")
    return Choice("colours", "16", f"TERM={term}; the selected row is reversed")


def _chart_rate(environment: Mapping[str, str]) -> Choice:
    seconds = pace(environment)
    where = "over SSH; no animations" if over_ssh(environment) else "no SSH connection"
    return Choice("curves drawn", f"up to {1 / seconds:.0f} a second", where)


def _layout(columns: int, rows: int) -> Choice:
    if not columns:
        return Choice("layout", "unknown", "there is no terminal to measure")
    size = f"{columns}x{rows}"
    if columns < 40 or rows < 10:
        return Choice("layout", "none", f"{size} is too small: 40x10 is the least")
    if columns < 70 or rows < 20:
        return Choice("layout", "one pane, with tabs", f"{size}: all panes need 70x20")
    if columns < 120 or rows < 30:
        return Choice("layout", "compact", f"{size}: everything needs 120x30")
    return Choice("layout", "full", size)
