"""Examples of a task as what a picture of them needs. Pure Python: it is there at once.

The examples of a generated task are drawn by the same formulas as the engine's, from another generator: they show the
task, not the very examples of a run.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

from tuilab.spec.task import Additive, Blobs, Circles, Plane, Radial, Sawtooth, Spirals, Task, Teacher, Wave, Xor

Point: TypeAlias = tuple[float, float, int]
"""Coordinates and class."""
_POINTS = 700
_TEACHER_MACS = 500_000
"""Multiplies that all examples of a teacher may cost together."""
_FEWEST = 25
"""Examples below which a histogram says nothing."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """What a picture shows.

    Attributes:
        points: examples in the plane.
        axes: what the plane is, in a few words; empty where the inputs themselves are two numbers.
        targets: numbers that are to be predicted, for a histogram.
        counts: examples of each class, where they are not equally many by design.
        note: why there is nothing to see, where that is so.

    """

    points: tuple[Point, ...] = ()
    axes: str = ""
    targets: tuple[float, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    note: str = ""


@lru_cache(maxsize=16)
def generated_sketch(task: Task) -> Sketch:
    """Examples of a task that is drawn from a formula; nothing of any other."""
    noise = random.Random(1)
    match task:
        case Spirals():
            return Sketch(tuple(_spiral(task, k % task.classes, noise) for k in range(_POINTS)))
        case Circles():
            return Sketch(tuple(_ring(task, k % 2, noise) for k in range(_POINTS)))
        case Xor():
            return Sketch(tuple(_xor(task, noise) for _ in range(_POINTS)))
        case Blobs():
            return _blobs(task, noise)
        case Sawtooth():
            return _curve(lambda x: _triangle(x, task.folds), task.noise, noise)
        case Wave():
            return _curve(lambda x: math.sin(2 * math.pi * task.periods * x), task.noise, noise)
        case Radial():
            return _radial(task, noise)
        case Additive():
            return _additive(task, noise)
        case Plane():
            return _plane(task, noise)
        case Teacher():
            return _teacher(task, noise)
        case _:
            return Sketch()


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


def _blobs(task: Blobs, noise: random.Random) -> Sketch:
    """Two of the coordinates; a line of one coordinate is spread by chance, so that its points can be seen."""
    reach, flat = task.spread, task.dim == 1
    centres = [
        (noise.uniform(-reach, reach), 0.0 if flat else noise.uniform(-reach, reach)) for _ in range(task.classes)
    ]
    points = []
    for k in range(_POINTS):
        x, y = centres[k % task.classes]
        points.append((noise.gauss(x, task.noise), noise.gauss(y, task.noise), k % task.classes))
    axes = "one number, spread upwards by chance" if flat else f"2 of {task.dim} numbers" if task.dim > 2 else ""
    return Sketch(tuple(points), axes)


def _triangle(x: float, folds: int) -> float:
    for _ in range(folds):
        x = 2 * x if x < 0.5 else 2 - 2 * x
    return x


def _curve(function: Callable[[float], float], deviation: float, noise: random.Random) -> Sketch:
    """Targets over the one input, which is uniform."""
    places = [k / _POINTS for k in range(_POINTS)]
    values = tuple(function(x) + noise.gauss(0, deviation) for x in places)
    return Sketch(tuple((x, y, 0) for x, y in zip(places, values, strict=True)), "target over the input", values)


def _normal(dim: int, noise: random.Random) -> list[float]:
    return [noise.gauss(0, 1) for _ in range(dim)]


def _radial(task: Radial, noise: random.Random) -> Sketch:
    points = []
    for _ in range(max(_FEWEST, min(_POINTS, 100_000 // task.dim))):
        share = sum(x * x for x in _normal(task.dim, noise)) / task.dim
        value = math.sin(2 * math.sqrt(task.dim) * (share - 1)) + noise.gauss(0, task.noise)
        points.append((math.sqrt(share), value, 0))
    return Sketch(tuple(points), "target over the distance from the centre", tuple(y for _, y, _ in points))


def _additive(task: Additive, noise: random.Random) -> Sketch:
    term = tuple((6 * k / _POINTS - 3, math.sin(18 * k / _POINTS - 9), 0) for k in range(_POINTS))
    targets = tuple(
        sum(math.sin(3 * x + 0.7 * i) for i, x in enumerate(_normal(task.dim, noise))) + noise.gauss(0, task.noise)
        for _ in range(max(_FEWEST, min(_POINTS, 100_000 // task.dim)))
    )
    axes = "the target" if task.dim == 1 else f"one of the {task.dim} terms"
    return Sketch(term, f"{axes} over its input", targets)


def _plane(task: Plane, noise: random.Random) -> Sketch:
    points = []
    for _ in range(_POINTS // 2):
        x = noise.gauss(0, 1)
        points.append((x, math.sqrt(1 - task.noise) * x + noise.gauss(0, math.sqrt(task.noise)), 0))
    return Sketch(tuple(points), "target along w", tuple(y for _, y, _ in points))


def _teacher(task: Teacher, noise: random.Random) -> Sketch:
    """A network like the teacher along a line through its inputs, and the numbers that it gives."""
    sizes = (task.dim, *task.widths, 1)
    cost = sum(n_in * n_out for n_in, n_out in pairwise(sizes))
    number = min(_POINTS, _TEACHER_MACS // cost)
    if number < 2 * _FEWEST:
        return Sketch(note="a teacher of this size is too much to draw at once")
    weights = [
        [[noise.gauss(0, math.sqrt(2 / n_in)) for _ in range(n_in)] for _ in range(n_out)]
        for n_in, n_out in pairwise(sizes)
    ]
    biases = [[0.5 * noise.gauss(0, 1) for _ in range(n_out)] for n_out in sizes[1:]]
    half = number // 2
    seen = [_forward(weights, biases, _normal(task.dim, noise)) for _ in range(half)]
    mean = sum(seen) / half
    scale = math.sqrt(sum((value - mean) ** 2 for value in seen) / half) or 1.0
    targets = tuple((value - mean) / scale + noise.gauss(0, task.noise) for value in seen)
    along = _normal(task.dim, noise)
    points = []
    for k in range(half):
        t = 4 * k / half - 2
        points.append((t, (_forward(weights, biases, [t * x for x in along]) - mean) / scale, 0))
    return Sketch(tuple(points), "such a network along a line through its inputs", targets)


def _forward(weights: Sequence[Sequence[Sequence[float]]], biases: Sequence[Sequence[float]], x: list[float]) -> float:
    for at, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        x = [sum(w * h for w, h in zip(row, x, strict=True)) + b for row, b in zip(weight, bias, strict=True)]
        if at + 1 < len(weights):
            x = [max(0.0, value) for value in x]
    return x[0]
