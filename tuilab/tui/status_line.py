"""The line on top of the lab: what is open, how it stands, what it trains on."""

from tuilab.store.records import Status
from tuilab.tui.bench import Bench
from tuilab.tui.library_rows import STATUS_MARKS
from tuilab.tui.lines import Line, Span, clip
from tuilab.tui.live import LiveState
from tuilab.tui.numbers import clock, rate


def status_line(bench: Bench, live: LiveState | None, *, wide: bool) -> tuple[Line, Line]:
    """The left and the right end of the line.

    Args:
        bench: what is open.
        live: the watched experiment.
        wide: whether there is room for the rate and the device's full name.

    """
    title = clip(f"{bench.comparison.title} · {bench.comparison.task.kind}", 70 if wide else 34)
    first = Span("tuilab", "strong accent"), Span(f"  {title}", "dim")
    return first, _state(bench, live, wide=wide)


def _state(bench: Bench, live: LiveState | None, *, wide: bool) -> Line:
    if live is None:
        return Span("edited: r runs it" if bench.edited else "r runs it", "accent"), Span(" ")
    record = live.experiment
    mark, role = STATUS_MARKS[record.status.value]
    spans = [Span(f"{mark} {record.status.value}", role)]
    if not record.status.ended:
        spans.append(Span(f" {live.progress * 100:.0f}%", role))
    if record.status is Status.RUNNING and live.seconds_left is not None:
        spans.append(Span(f"  {clock(live.seconds_left)} left"))
    elif live.seconds:
        spans.append(Span(f"  {clock(live.seconds)}", "dim"))
    if record.message and record.status.ended and wide:
        spans.append(Span(f"  {clip(record.message, 60)}", "dim"))
    if record.device:
        spans.append(Span(f"  {clip(record.device, 40 if wide else 8)}", "dim"))
    if wide and record.status is Status.RUNNING and live.steps_per_second:
        spans.append(Span(f" · {rate(live.steps_per_second)} steps/s", "dim"))
    if bench.comparison != record.comparison:
        spans = [Span("edited: r runs it anew  ", "accent"), *spans] if wide else [Span("edited  ", "accent"), *spans]
    return tuple(spans)
