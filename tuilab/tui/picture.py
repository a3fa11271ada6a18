"""A picture of a task's data: points of the plane, curves, pixels, and how the targets are spread."""

from collections.abc import Iterator, Sequence

from tuilab.spec.errors import LabError
from tuilab.spec.task import Bundled, Csv, Digits, Mnist1d, Parity, Task, facts
from tuilab.tui.canvas import Canvas, Glyphs, Ink, Row, ink, split_ink
from tuilab.tui.lines import Line, Span, bar, clip, hue, left, right, wrap
from tuilab.tui.numbers import exact
from tuilab.tui.sketch import Point, Sketch, generated_sketch
from tuilab.tui.sketch_tables import table_sketch
from tuilab.tui.sketch_tiles import digit_lines, parity_lines, signal_canvas

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MOST_CLASSES = 6
"""Classes that have a line each."""
_SPARSE = 40
"""Dots of the canvas for each point from which a point is drawn larger than a dot."""
_LEAST = 5
"""Lines that a scatter needs."""


def picture(task: Task, width: int, height: int, glyphs: Glyphs = "braille") -> tuple[Line, ...]:
    """The task's data in at most ``width`` x ``height`` cells, with a line that says what they are."""
    try:
        lines = [(Span(clip(caption(task), width), "dim"),), *_drawn(task, width, height - 1, glyphs)]
    except LabError as error:
        lines = wrap(str(error), width, "error")
    return tuple(lines[:height])


def caption(task: Task) -> str:
    """How many examples of how many numbers there are, and what is asked.

    Raises:
        LabError: when a CSV file cannot be used.

    """
    known = facts(task)
    inputs = " x ".join(map(str, known.in_shape))
    asked = f"{known.classes} classes" if known.classes is not None else "a number"
    if isinstance(task, Digits) and task.reconstruct:
        asked = "the same pixels"
    return f"{exact(known.num_train)} examples of {inputs} → {asked}"


def _drawn(task: Task, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    match task:
        case Digits():
            return digit_lines(task, width, height)
        case Mnist1d():
            said = "ten signals, each then stretched, moved, tilted and drowned in noise"
            return [*_canvas_lines(signal_canvas(width, max(2, height - 1), glyphs)), (Span(clip(said, width), "dim"),)]
        case Parity(bits=bits, dim=dim):
            said = f"odd or even: how many of the first {bits} of {dim} are -"
            return [(Span(clip(said, width), "dim"),), (), *parity_lines(task, width, height - 2)]
        case Bundled() | Csv():
            return _sketched(table_sketch(task), width, height, glyphs)
        case _:
            return _sketched(generated_sketch(task), width, height, glyphs)


def _sketched(sketch: Sketch, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """Points above, what they are below, and at the bottom how the targets or classes are spread."""
    if sketch.note:
        return [(), *wrap(sketch.note, width, "dim")]
    below = [(Span(clip(sketch.axes, width), "dim"),)] if sketch.axes else []
    room = height - len(below)
    spread = _counts(sketch, width) if sketch.counts else []
    if sketch.targets and room - _LEAST >= 4:
        spread = _histogram(sketch.targets, width, max(4, room // 3), glyphs)
    if room - len(spread) < _LEAST:
        spread = []
    return [*_scatter(sketch.points, width, max(1, room - len(spread)), glyphs), *below, *spread]


def _scatter(points: Sequence[Point], width: int, height: int, glyphs: Glyphs) -> list[Line]:
    canvas = Canvas(width, height, glyphs)
    low_x, high_x = min(p[0] for p in points), max(p[0] for p in points)
    low_y, high_y = min(p[1] for p in points), max(p[1] for p in points)
    across, down = canvas.dots_across - 1, canvas.dots_down - 1
    size = 1 if across * down > _SPARSE * len(points) else 0
    for x, y, label in points:
        column = round((x - low_x) / (high_x - low_x or 1) * (across - size))
        row = round((high_y - y) / (high_y - low_y or 1) * (down - size))
        for side in range(size + 1):
            canvas.columns(column + side, ((row, row + size),), ink(Ink.LINE, label % 26))
    return _canvas_lines(canvas)


def _canvas_lines(canvas: Canvas) -> list[Line]:
    return [tuple(_spans(row)) for row in canvas.rows(_LETTERS)]


def _spans(row: Row) -> Iterator[Span]:
    for text, number in row.spans():
        kind, index = split_ink(number)
        yield Span(text, "dim" if kind is Ink.LABEL else hue(index) if number else "")


def _histogram(targets: Sequence[float], width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """How often there is which target, with the ends of the axis below."""
    canvas = Canvas(width, height - 1, glyphs)
    low, high = min(targets), max(targets)
    bins = max(4, min(width // 2, 48))
    counts = [0] * bins
    for value in targets:
        counts[min(bins - 1, int((value - low) / (high - low or 1) * bins))] += 1
    most, down = max(counts), canvas.dots_down
    for x in range(canvas.dots_across):
        share = counts[x * bins // canvas.dots_across] / most
        if share:
            canvas.columns(x, ((down - max(1, round(share * down)), down - 1),), ink(Ink.LINE, 0))
    ends = f"{low:.3g}", f"{high:.3g}"
    middle = "how often which target"
    room = width - len(ends[0]) - len(ends[1])
    text = ends[0] + (middle.center(room) if len(middle) <= room else " " * max(1, room)) + ends[1]
    return [*_canvas_lines(canvas), (Span(clip(text, width), "dim"),)]


def _counts(sketch: Sketch, width: int) -> list[Line]:
    """How many examples each class has; of many classes only the fewest and the most."""
    counts = sketch.counts
    most = max(number for _, number in counts)
    if len(counts) > _MOST_CLASSES:
        few, many = min(counts, key=lambda one: one[1]), max(counts, key=lambda one: one[1])
        text = f"from {exact(few[1])} of {few[0]} to {exact(many[1])} of {many[0]}"
        return [(Span(clip(text, width), "dim"),)]
    names = min(max(len(name) for name, _ in counts), max(4, width // 3))
    room = max(2, width - names - 9)
    return [
        (
            Span(left(name, names) + " "),
            Span(bar(number / most, room), hue(index % 26)),
            Span(right(exact(number), 8), "dim"),
        )
        for index, (name, number) in enumerate(counts)
    ]
