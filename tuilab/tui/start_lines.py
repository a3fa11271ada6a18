"""What stands in place of curves before anything has been run: the next keys, what a run costs, the task's data."""

from functools import lru_cache

from tuilab.spec.task import Task
from tuilab.spec.training import Training
from tuilab.store.rates import Estimate
from tuilab.tui.bench import Bench
from tuilab.tui.canvas import Glyphs
from tuilab.tui.library_rows import takes
from tuilab.tui.lines import Line, Span, clip, left, wrap
from tuilab.tui.numbers import about, count_of, exact
from tuilab.tui.picture import picture
from tuilab.tui.widgets.bars import key_name, plain_key

_WIDE = 70
"""Cells from which there is room for whole sentences."""
_LEAST = 6
"""Lines that a picture needs."""


def start_lines(bench: Bench, expected: Estimate | None, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """The keys with what they would do, and below them the data.

    Args:
        bench: what would be run.
        expected: what that would cost; None where a candidate cannot be built.
        width: in cells.
        height: in lines.
        glyphs: what the picture is drawn with.

    """
    plain, wide = glyphs == "ascii", width >= _WIDE
    training = _training(bench.comparison.training, bench.facts.num_train)
    keys = (
        ("r", _run(expected, wide=wide)),
        (key_name("enter"), "edits a layer, i the stack, m matches it"),
        ("T", f"task and training: {training}" if wide else training),
    )
    names = [plain_key(key) if plain else key for key, _ in keys]
    margin = max(map(len, names)) + 2
    lines: list[Line] = []
    for name, (_, does) in zip(names, keys, strict=True):
        first, *rest = wrap(does, max(10, width - margin - 1))
        lines.append((Span(f" {left(name, margin - 2)} ", "key"), *first))
        lines += [(Span(" " * margin), *line) for line in rest]
    room = height - len(lines) - 1
    if room >= _LEAST:
        lines += [(), *((Span(" "), *line) for line in _picture(bench.comparison.task, width - 2, room, glyphs))]
    return lines


@lru_cache(maxsize=4)
def _picture(task: Task, width: int, height: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """The data, remembered: what is edited are the layers."""
    return picture(task, width, height, glyphs)


def _run(expected: Estimate | None, *, wide: bool) -> str:
    """What running would do and how long it would take; in short where there is little room."""
    if expected is None:
        return "runs this comparison, once every candidate fits"
    cost, seconds = expected.cost, expected.cost.seconds or 0.0
    if not wide:
        return f"runs it: {count_of(cost.runs, 'run')}, about {about(seconds)}{'' if expected.measured else ' (guess)'}"
    tuned = f"{count_of(cost.tuning_runs, 'run')} to tune, " if cost.tuning_runs else ""
    planned = f"runs it: {tuned}{exact(cost.runs - cost.tuning_runs)} to judge"
    return f"{planned}; {takes(seconds, measured=expected.measured)}"


def _training(training: Training, num_train: int) -> str:
    size = training.batch_size
    batch = f"all {exact(num_train)}" if size == "full" or size >= num_train else exact(size)
    return clip(f"{training.optimizer.kind}, {training.schedule.kind}, {exact(training.steps)} steps of {batch}", 60)
