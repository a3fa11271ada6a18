"""A picture of a task's data: points of the plane, a curve, or digits as pixels. Pure Python: it is there at once.

The points are drawn by the same formulas as the engine's, from another generator: they show the task, not the
very examples of a run.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence

from tuilab.spec.task import (
    Additive,
    Blobs,
    Circles,
    Digits,
    Plane,
    Radial,
    Sawtooth,
    Spirals,
    Task,
    Xor,
    facts,
)
from tuilab.tui.canvas import Canvas, Glyphs, Ink, Row, ink, split_ink
from tuilab.tui.lines import Line, Span, hue
from tuilab.tui.numbers import exact

_POINTS = 700
Point = tuple[float, float, int]
"""Coordinates and class."""


def picture(task: Task, width: int, height: int, glyphs: Glyphs = "braille") -> tuple[Line, ...]:
    """The task's data in ``width`` x ``height`` cells, with a line that says what they are."""
    lines: list[Line] = [(Span(caption(task), "dim"),)]
    noise = random.Random(1)
    points = _points(task, noise)
    if points:
        lines += _scatter(points, width, height - 1, glyphs)
    elif isinstance(task, Digits):
        lines += digit_lines(task, width, height - 1)
    return tuple(lines)


def caption(task: Task) -> str:
    """How many examples of how many numbers there are, and what is asked."""
    known = facts(task)
    inputs = " x ".join(map(str, known.in_shape))
    asked = f"{known.classes} classes" if known.classes is not None else "a number"
    return f"{exact(known.num_train)} examples of {inputs} → {asked}"


def _points(task: Task, noise: random.Random) -> list[Point]:
    """Examples as points of the plane; none where the task has no such picture."""
    match task:
        case Spirals():
            return [_spiral(task, k % task.classes, noise) for k in range(_POINTS)]
        case Circles():
            return [_ring(task, k % 2, noise) for k in range(_POINTS)]
        case Xor():
            return [_xor(task, noise) for _ in range(_POINTS)]
        case Blobs(dim=dim) if dim >= 2:
            return _blobs(task, noise)
        case Sawtooth():
            return [(k / _POINTS, _triangle(k / _POINTS, task.folds), 0) for k in range(_POINTS)]
        case Radial(dim=dim):
            return _profile(lambda r: math.sin(2 * math.sqrt(dim) * (r * r - 1)), 2.0)
        case Additive():
            return _profile(lambda x: math.sin(3 * x), 3.0)
        case Plane():
            return [_noisy_line(task.noise, noise) for _ in range(_POINTS // 3)]
        case _:
            return []


def _spiral(task: Spirals, label: int, noise: random.Random) -> Point:
    radius = math.sqrt(noise.random())
    angle = 2 * math.pi * (task.turns * radius + label / task.classes)
    x = 1.7 * (radius * math.cos(angle) + noise.gauss(0, task.noise))
    return x, 1.7 * (radius * math.sin(angle) + noise.gauss(0, task.noise)), label


def _ring(task: Circles, label: int, noise: random.Random) -> Point:
    radius, angle = (task.factor if label else 1.0), 2 * math.pi * noise.random()
    x = radius * math.cos(angle) + noise.gauss(0, task.noise)
    return x, radius * math.sin(angle) + noise.gauss(0, task.noise), label


def _xor(task: Xor, noise: random.Random) -> Point:
    x, y = noise.uniform(-1, 1), noise.uniform(-1, 1)
    return x + noise.gauss(0, task.noise), y + noise.gauss(0, task.noise), int((x > 0) != (y > 0))


def _blobs(task: Blobs, noise: random.Random) -> list[Point]:
    def around(middle: float, width: float) -> float:
        return noise.gauss(middle, width)

    reach = task.spread
    centres = [(noise.uniform(-reach, reach), noise.uniform(-reach, reach)) for _ in range(task.classes)]
    chosen = [(k % task.classes, *centres[k % task.classes]) for k in range(_POINTS)]
    return [(around(x, task.noise), around(y, task.noise), label) for label, x, y in chosen]


def _triangle(x: float, folds: int) -> float:
    for _ in range(folds):
        x = 2 * x if x < 0.5 else 2 - 2 * x
    return x


def _profile(function: Callable[[float], float], reach: float) -> list[Point]:
    """A curve over the distance from the centre, or over one input."""
    return [(reach * k / _POINTS, function(reach * k / _POINTS), 0) for k in range(_POINTS)]


def _noisy_line(share: float, noise: random.Random) -> Point:
    x = noise.gauss(0, 1)
    return x, math.sqrt(1 - share) * x + noise.gauss(0, math.sqrt(share)), 0


def _scatter(points: Sequence[Point], width: int, height: int, glyphs: Glyphs) -> list[Line]:
    canvas = Canvas(width, height, glyphs)
    low_x, high_x = min(p[0] for p in points), max(p[0] for p in points)
    low_y, high_y = min(p[1] for p in points), max(p[1] for p in points)
    across, down = canvas.dots_across - 1, canvas.dots_down - 1
    for x, y, label in points:
        column = round((x - low_x) / (high_x - low_x or 1) * across)
        canvas.dot(column, round((high_y - y) / (high_y - low_y or 1) * down), ink(Ink.LINE, label % 26))
    return [tuple(_spans(row)) for row in canvas.rows("abcdefghijklmnopqrstuvwxyz")]


def _spans(row: Row) -> Iterator[Span]:
    for text, number in row.spans():
        yield Span(text, hue(split_ink(number)[1]) if number else "")


_SHADES = " .:-=+*#%@"


def digit_lines(task: Digits, width: int, height: int) -> list[Line]:
    """The first digits of scikit-learn's table as shaded pixels, as many as fit."""
    digits = _digits(24)
    across = max(1, width // 18)
    lines: list[Line] = []
    for start in range(0, len(digits), across):
        if len(lines) + 8 > height:
            break
        for row in range(8):
            text = "  ".join(
                "".join(_shade(pixel) * 2 for pixel in one[8 * row : 8 * row + 8])
                for one in digits[start : start + across]
            )
            lines.append((Span(text, hue(start // across)),))
        lines.append(())
    return lines[:height]


def _shade(pixel: int) -> str:
    return _SHADES[min(9, pixel * 10 // 17)]


def _digits(number: int) -> list[tuple[int, ...]]:
    """The first digits of the table that scikit-learn brings, read without importing it; none where it is not there."""
    import gzip
    from importlib.util import find_spec
    from pathlib import Path

    spec = find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        return []
    path = Path(spec.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            rows = [file.readline() for _ in range(number)]
        return [tuple(int(float(value)) for value in row.split(",")[:64]) for row in rows]
    except (OSError, ValueError):
        return []
