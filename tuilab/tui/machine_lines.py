"""What the machine is doing, as the strip of the interface shows it. Pure."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tuilab.tui.lines import Line, Span, cell_width, plain
from tuilab.tui.numbers import count_of, rate

if TYPE_CHECKING:
    from tuilab.runner.resources import Gpu, Resources

_GIB = 2**30
_FULL = 110
"""Cells from which everything is written out."""
_GAP = "   "
_FULL_MEMORY = 0.92
"""Part of a memory in use from which it is coloured."""
_HOT = 87.0
"""Degrees Celsius from which a GPU is coloured."""


def machine_lines(
    resources: "Resources", steps_per_second: float | None, width: int, height: int, *, since: str = ""
) -> tuple[Line, ...]:
    """Speed, processors, memory and every GPU, each with the lab's own share, in as few lines as they take.

    Args:
        resources: at this moment.
        steps_per_second: of what is being trained; None where that is unknown.
        width: cells; below 110 in short words.
        height: lines at the most; GPUs that do not fit are counted, those that the lab
            uses come first.
        since: when it was, where that is not now.

    """
    full = width >= _FULL
    machine = [_at(since)] if since else []
    if steps_per_second:
        number = rate(steps_per_second)
        machine.append((Span(number, "strong"), Span(f" steps/s{' ' * (7 - len(number))}", "dim")))
    machine += [_processors(resources, full=full), _memory(resources, full=full)]
    gpus = [_gpu(gpu, full=full) for gpu in sorted(resources.gpus, key=lambda gpu: not gpu.own_memory)]
    together = [*machine, *gpus]
    if _laid_out(together, width) <= 1:
        return (_joined(together),)
    lines = list(_filled(machine, width))
    room = max(0, height - len(lines))
    shown = len(gpus)
    while shown and len(list(_filled(gpus[:shown] + _more(len(gpus) - shown), width))) > room:
        shown -= 1
    return (*lines, *(_filled(gpus[:shown] + _more(len(gpus) - shown), width) if room else ()))[:height]


def _at(since: str) -> Line:
    return (Span(f"at {since}", "dim"),)


def _more(number: int) -> list[Line]:
    return [(Span(f"+{count_of(number, 'GPU')}", "dim"),)] if number else []


def _processors(resources: "Resources", *, full: bool) -> Line:
    share = (
        f"{resources.own_cores:.1f} of {resources.cores} cores"
        if full
        else f"{resources.own_cores:.1f}/{resources.cores}"
    )
    return Span("CPU", "dim"), Span(f"{resources.cpu:5.0%}"), Span(f" lab {share}", "dim")


def _memory(resources: "Resources", *, full: bool) -> Line:
    used, total = resources.memory_total - resources.memory_available, resources.memory_total
    unit = " GiB" if full else "G"
    return (
        Span("memory" if full else "mem", "dim"),
        Span(f" {used / _GIB:.1f}/{total / _GIB:.1f}{unit}", "warn" if used > _FULL_MEMORY * total else ""),
        Span(f" lab {resources.own_memory / _GIB:.1f}", "dim"),
    )


def _gpu(gpu: "Gpu", *, full: bool) -> Line:
    spans = [Span(f"GPU {gpu.index}" if full else f"GPU{gpu.index}", "dim")]
    if gpu.utilisation is not None:
        spans.append(Span(f"{gpu.utilisation:5.0%}"))
    crowded = "warn" if gpu.memory_used > _FULL_MEMORY * gpu.memory_total else ""
    digits, unit = (1, " GiB") if full else (0, "G")
    memory = f" {gpu.memory_used / _GIB:.{digits}f}/{gpu.memory_total / _GIB:.{digits}f}{unit}"
    spans.append(Span(memory, crowded))
    if gpu.own_memory is not None:
        spans.append(Span(f" lab {gpu.own_memory / _GIB:.{digits}f}", "dim"))
    if gpu.power is not None:
        spans.append(Span(f" {gpu.power:.0f} W" if full else f" {gpu.power:.0f}W"))
    if gpu.temperature is not None:
        degrees = f" {gpu.temperature:.0f} °C" if full else f" {gpu.temperature:.0f}°C"
        spans.append(Span(degrees, "warn" if gpu.temperature >= _HOT else ""))
    return tuple(spans)


def _joined(pieces: Sequence[Line]) -> Line:
    spans: list[Span] = []
    for piece in pieces:
        spans += [Span(_GAP), *piece] if spans else piece
    return tuple(spans)


def _filled(pieces: Sequence[Line], width: int) -> Iterator[Line]:
    """Lines with as many pieces in each as fit."""
    line: list[Line] = []
    for piece in pieces:
        if line and cell_width(plain(_joined([*line, piece]))) > width:
            yield _joined(line)
            line = []
        line.append(piece)
    if line:
        yield _joined(line)


def _laid_out(pieces: Sequence[Line], width: int) -> int:
    """How many lines the pieces take."""
    return sum(1 for _ in _filled(pieces, width))
