"""The line on top of the lab: what is open, how it stands, what it trains on."""

from tuilab.spec.errors import LabError
from tuilab.store.records import Status
from tuilab.tui.bench import Bench
from tuilab.tui.library_rows import STATUS_MARKS
from tuilab.tui.lines import Line, Span, cell_width, clip, letter, plain
from tuilab.tui.live import LiveState
from tuilab.tui.numbers import clock, rate

_WIDE = 100
_SHORT_DEVICE = 8
"""Cells of a device's name that a narrow line still has room for."""


def status_line(bench: Bench, live: LiveState | None, width: int) -> tuple[Line, Line]:
    """The left and the right end of the line.

    Args:
        bench: what is open.
        live: the watched experiment.
        width: cells of the line; from 100 on there is room for the rate and the device's name.

    """
    state = _state(bench, live, wide=width >= _WIDE)
    room = width - len("tuilab  ") - cell_width(plain(state)) - 2
    title = clip(f"{bench.comparison.title} · {bench.comparison.task.kind}", max(0, min(70, room)))
    return (Span("tuilab", "strong accent"), Span(f"  {title}", "dim")), state


def _state(bench: Bench, live: LiveState | None, *, wide: bool) -> Line:
    misfit = _misfit(bench)
    if live is None:
        if misfit:
            return Span(misfit, "error"), Span(" ")
        return Span("edited: r runs it" if bench.edited else "r runs it", "accent"), Span(" ")
    record = live.experiment
    mark, role = STATUS_MARKS[record.status.value]
    spans = [Span(f"{mark} {record.status.value}", role)]
    if not record.status.ended:
        spans.append(Span(f" {live.progress * 100:.0f}%", role))
    if record.status is Status.RUNNING and live.seconds_left is not None:
        spans.append(Span(f"  {clock(live.seconds_left)} left"))
    elif live.seconds and record.status is not Status.PAUSED:
        spans.append(Span(f"  {clock(live.seconds)}", "dim"))
    if record.message and record.status.ended and wide:
        spans.append(Span(f"  {clip(record.message, 60)}", "dim"))
    if record.device and (wide or cell_width(record.device) <= _SHORT_DEVICE):
        spans.append(Span(f"  {clip(record.device, 40)}", "dim"))
    if wide and record.status is Status.RUNNING and live.steps_per_second:
        spans.append(Span(f" · {rate(live.steps_per_second)} steps/s", "dim"))
    if misfit:
        spans = [Span(f"{misfit}  ", "error"), *spans]
    elif bench.comparison != record.comparison:
        spans = [Span("edited: r runs it anew  ", "accent"), *spans] if wide else [Span("edited  ", "accent"), *spans]
    return tuple(spans)


def _misfit(bench: Bench) -> str:
    """Which candidates cannot be built, so that nothing can be run; empty where all can."""
    letters = [letter(at) for at, count in enumerate(bench.counts) if isinstance(count, LabError)]
    return f"{', '.join(letters)} {'does' if len(letters) == 1 else 'do'} not fit" if letters else ""
