"""Pictures of examples that are no points: digits as pixels, signals as curves, signs as they are. Pure Python."""

import gzip
import random
from functools import lru_cache

from tuilab.spec.signals import SIGNALS
from tuilab.spec.task import Digits, Parity
from tuilab.tui.canvas import Canvas, Glyphs, Ink, ink
from tuilab.tui.lines import Line, Span, clip, hue
from tuilab.tui.sketch_tables import NOT_INSTALLED, table_folder

_SHADES = " .:-=+*#%@"
_SIDE = 8
_GAP = 2
_DIGITS = 60
"""Digits that are read at most."""


def digit_lines(task: Digits, width: int, height: int) -> list[Line]:
    """The first digits of scikit-learn's table as shaded pixels on the task's canvas, as many as fit."""
    side = _SIDE + task.shift
    wide = 2 if 4 * side + _GAP <= width else 1
    if side * wide > width or side > height:
        return [(Span(clip(f"images of {side} x {side} pixels are larger than this pane", width), "dim"),)]
    digits = _digits()
    if not digits:
        return [(Span(clip(NOT_INSTALLED, width), "dim"),)]
    places = random.Random(1)
    across = max(1, (width + _GAP) // (side * wide + _GAP))
    lines: list[Line] = []
    for start in range(0, len(digits), across):
        if len(lines) + side > height:
            break
        images = [_placed(one, side, places) for one in digits[start : start + across]]
        for row in range(side):
            text = (" " * _GAP).join("".join(_shade(pixel) * wide for pixel in image[row]) for image in images)
            lines.append((Span(text, hue(start // across)),))
        lines.append(())
    return lines[:height]


def _placed(digit: tuple[int, ...], side: int, places: random.Random) -> list[list[int]]:
    """The digit at a random place of a canvas of ``side`` x ``side`` pixels."""
    top, left = places.randint(0, side - _SIDE), places.randint(0, side - _SIDE)
    canvas = [[0] * side for _ in range(side)]
    for row in range(_SIDE):
        canvas[top + row][left : left + _SIDE] = digit[_SIDE * row : _SIDE * (row + 1)]
    return canvas


def _shade(pixel: int) -> str:
    return _SHADES[min(9, pixel * 10 // 17)]


@lru_cache(maxsize=1)
def _digits() -> tuple[tuple[int, ...], ...]:
    """The first digits of the table that scikit-learn brings, read without importing it; none where it is not there."""
    try:
        with gzip.open(table_folder() / "digits.csv.gz", "rt", encoding="ascii") as file:
            rows = [file.readline() for _ in range(_DIGITS)]
        return tuple(tuple(int(float(value)) for value in row.split(",")[:64]) for row in rows)
    except (OSError, ValueError):
        return ()


def signal_canvas(width: int, height: int, glyphs: Glyphs) -> Canvas:
    """The ten signals in two rows, before they are stretched, shifted and drowned in noise."""
    canvas = Canvas(width, height, glyphs)
    across, down = max(1, canvas.dots_across // 5), max(1, canvas.dots_down // 2)
    for label, signal in enumerate(SIGNALS):
        left, top = label % 5 * across, label // 5 * down
        wide = max(2, across - across // 6)
        heights = [_at(signal, place / (wide - 1)) for place in range(wide)]
        canvas.line(left, [top + (1.4 - value) / 2.8 * (down - 1) for value in heights], ink(Ink.LINE, label))
        cell = left * width // max(1, canvas.dots_across), top * height // max(1, canvas.dots_down)
        canvas.write(*cell, str(label), Ink.LABEL)
    return canvas


def _at(signal: tuple[float, ...], place: float) -> float:
    """The height of a signal at a place from 0 to 1."""
    position = place * (len(signal) - 1)
    left = min(int(position), len(signal) - 2)
    return signal[left] + (position - left) * (signal[left + 1] - signal[left])


def parity_lines(task: Parity, width: int, height: int) -> list[Line]:
    """Examples as rows of signs, those that count in bright, with their class."""
    noise = random.Random(1)
    shown = max(task.bits, min(task.dim, (width - 12) // 2))
    lines: list[Line] = []
    for _ in range(min(height, 24)):
        signs = [noise.choice("+-") for _ in range(task.dim)]
        label = sum(sign == "-" for sign in signs[: task.bits]) % 2
        counted, rest = signs[: min(task.bits, shown)], signs[task.bits : shown]
        more = " …" if task.dim > shown else ""
        lines.append(
            (
                Span(clip(" ".join(counted), max(4, width - 12)), f"{hue(label)} strong"),
                Span(f" {' '.join(rest)}{more}" if rest or more else "", "dim"),
                Span(f"  {'odd' if label else 'even'}", hue(label)),
            )
        )
    return lines
