"""What the library shows: presets, experiments and the details of one of them, as lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuilab.tui.lines import Line, Span, clip, hue, left, letter, right, spread, wrap
from tuilab.tui.numbers import about, ago, exact, fitting

if TYPE_CHECKING:
    from tuilab.spec.comparison import Comparison
    from tuilab.store.records import ExperimentRecord
    from tuilab.tui.catalog import Preset

STATUS_MARKS = {
    "queued": ("·", "dim"),
    "running": ("▶", "warn"),
    "paused": ("=", "warn"),
    "finished": ("✓", "good"),
    "failed": ("✗", "error"),
    "stopped": ("■", "dim"),
    "lost": ("?", "error"),
}
"""Glyph and role of each status, by its name."""
_WIDE = 72
"""Cells from which a list has its third column."""


@dataclass(frozen=True, slots=True)
class PresetRows:
    """One preset a row: what it asks, its candidates, how long it takes."""

    presets: tuple["Preset", ...]

    def __len__(self) -> int:
        return len(self.presets)

    def header(self, width: int) -> Line | None:
        """The columns' names."""
        title, letters, params, time = _columns(width)
        return (
            Span(
                left(" question", title) + left("candidates", letters) + right("params", params) + right("takes", time),
                "dim",
            ),
        )

    def line(self, index: int, width: int) -> Line:
        """The preset at ``index``."""
        title, letters, params, time = _columns(width)
        preset = self.presets[index]
        count = len(preset.comparison.candidates)
        shown = min(count, max(1, (letters - 1) // 2))
        marks = [Span(letter(i) + " ", hue(i)) for i in range(shown)]
        if shown < count:
            marks[-1] = Span("+ ", "dim")
        span = (min(preset.num_params), max(preset.num_params))
        numbers = exact(span[1]) if span[0] == span[1] else f"{fitting(span[0], 6)}–{fitting(span[1], 6)}"
        return (
            Span(left(f" {preset.comparison.title}", title - 1) + " "),
            *marks,
            Span(" " * max(0, letters - 2 * shown)),
            Span(right(numbers, params) if params else "", "dim"),
            Span(right(about(preset.seconds) if preset.measured else f"~{about(preset.seconds)}", time), "dim"),
        )


def _columns(width: int) -> tuple[int, int, int, int]:
    """Widths of title, candidates, params and time."""
    letters, params, time = (14, 15, 8) if width >= _WIDE else (10, 0, 7)
    return max(8, width - letters - params - time - 1), letters, params, time


@dataclass(frozen=True, slots=True)
class ExperimentRows:
    """One past experiment a row: how it stands, what it found, when it was started."""

    experiments: tuple["ExperimentRecord", ...]
    now: float

    def __len__(self) -> int:
        return len(self.experiments)

    def header(self, width: int) -> Line | None:
        """None: the rows explain themselves."""
        return None

    def line(self, index: int, width: int) -> Line:
        """The experiment at ``index``."""
        record = self.experiments[index]
        mark, role = STATUS_MARKS[record.status.value]
        name = min(34, max(12, width * 2 // 5))
        age = ago(self.now - record.created)
        space = max(6, min(7, width - name - 13))
        if width >= _WIDE:
            age, space = age if age == "now" else f"{age} ago", 10
        room = width - name - 15 - 1 - space
        return (
            Span(f" {mark} ", role),
            Span(left(record.comparison.title, name - 1) + " "),
            Span(left(record.status.value, 9), role),
            Span(" " + left(outcome(record), room) + " " if room > 4 else " ", "dim"),
            Span(right(age, space) + " ", "dim"),
        )


def outcome(record: "ExperimentRecord") -> str:
    """What came out, in a phrase: the verdicts, why it failed, what it waits for, or how far it is."""
    done = f"{100 * record.done_steps // record.planned_steps} %" if record.planned_steps else ""
    said = record.message or _found(record)
    if said and (record.status.ended or record.status.value == "queued"):
        return said
    return done if record.status.ended else " · ".join(filter(None, (done, said)))


def _found(record: "ExperimentRecord") -> str:
    """Every pair by the candidates' letters, as ``vs A: B C better, D cannot tell``; without pairs the sentence."""
    if record.result is None or not record.result.pairs:
        return record.result.verdict if record.result is not None else ""
    index = {candidate.name: i for i, candidate in enumerate(record.comparison.candidates)}
    found: dict[int, dict[str, list[int]]] = {}
    for pair in record.result.pairs:
        kinds = found.setdefault(index[pair.against], {})
        kinds.setdefault(pair.kind.value, []).append(index[pair.candidate])
    return " · ".join(
        f"vs {letter(against)}: "
        + ", ".join(f"{' '.join(letter(one) for one in sorted(those))} {kind}" for kind, those in kinds.items())
        for against, kinds in found.items()
    )


def message_lines(record: "ExperimentRecord", width: int) -> tuple[Line, ...]:
    """Why an experiment ended before its time, if it did, and the key that goes on with it."""
    if not record.message or record.status.value not in ("failed", "lost", "stopped"):
        return ()
    why = wrap(f"{record.status.value}: {record.message}", width, STATUS_MARKS[record.status.value][1])
    return (*why, (Span("R", "key"), Span(" resumes it from its last checkpoint", "dim")))


WELCOME: tuple[Line, ...] = (
    (Span(" Each question above is an experiment with real networks; none has run yet."),),
    (
        Span(" Choose with "),
        Span("↑↓", "key"),
        Span(", open with "),
        Span("enter", "key"),
        Span(" to see and change the networks, run with "),
        Span("r", "key"),
        Span("."),
    ),
    (Span(" Leaving never stops training; "), Span("?", "key"), Span(" shows the keys of the place you are in.")),
)
"""What a first visitor reads."""


def details(
    comparison: "Comparison", num_params: Sequence[int], width: int, height: int, lasts: str = ""
) -> tuple[Line, ...]:
    """What a preset or experiment asks, with its candidates; the longer texts only where there is room."""
    full = height > 12
    lines = wrap(comparison.question or comparison.title, width, "strong")[: None if full else 2]
    if full:
        lines += [(), *wrap(comparison.hypothesis, width), ()] if comparison.hypothesis else [()]
    names = max((len(candidate.name) for candidate in comparison.candidates), default=0)
    lines += [
        _candidate(comparison, index, num_params, min(names, 16), width) for index in range(len(comparison.candidates))
    ]
    if full:
        lines += [(), *_protocol(comparison, width, lasts)]
        if comparison.about:
            lines += [(), *wrap(comparison.about, width, "dim")]
    return tuple(lines)


def _candidate(comparison: "Comparison", index: int, num_params: Sequence[int], names: int, width: int) -> Line:
    from tuilab.spec.notation import format_stack

    candidate = comparison.candidates[index]
    notation = format_stack(candidate.stack) or "(linear)"
    numbers = exact(num_params[index]) if index < len(num_params) else ""
    room = width - names - 4 - len(numbers) - 1
    shown = left(clip(candidate.name, names), names)
    first = (Span(f"{letter(index)} ", f"{hue(index)} strong"), Span(f"{shown}  "), Span(clip(notation, room), "dim"))
    return spread(first, (Span(numbers),), width)


def _protocol(comparison: "Comparison", width: int, lasts: str) -> list[Line]:
    protocol, training = comparison.protocol, comparison.training
    tuned = f"lr {training.lr:g}" if training.lr is not None else f"lr tuned over {len(protocol.lr_grid)} rates"
    text = f"{comparison.task.kind} · {exact(training.steps)} steps · {tuned} · {protocol.final_seeds} fresh seeds"
    lines = wrap(text, width, "dim")
    return [*lines, *wrap(lasts, width, "dim")] if lasts else lines


def takes(seconds: float, *, measured: bool) -> str:
    """How long training takes, and where that figure is from."""
    basis = "at rates measured in this lab" if measured else "a guess: nothing of this size has run here yet"
    return f"takes about {about(seconds)}{' ' if measured else ', '}{basis}"
