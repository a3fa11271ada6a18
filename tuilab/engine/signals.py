"""Ten signals on a line, distorted so that no position means anything by itself; in the manner of MNIST-1D.

Greydanus and Kobak 2024, "Scaling down deep learning with MNIST-1D", describe the distortions; the signals are our own.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tuilab.spec.signals import SIGNALS

FloatArray: TypeAlias = NDArray[np.float64]

LENGTH = 40
"""Numbers of one example."""
_CANVAS = 72
"""Points of the canvas on which a signal is placed before it is sampled at ``LENGTH`` points."""
_SHORTEST, _LONGEST = 12, 18
"""Points of the canvas that a signal covers."""
_SCALE, _SHEAR, _BACKGROUND = 0.2, 0.375, 0.25
"""Largest relative change of height; largest height of the slope added; deviation of the unsmoothed background."""
_SMOOTHING = 2.0
"""Standard deviation of the background's correlation, in points of the canvas."""

_SIGNALS = np.array(SIGNALS)


def mnist1d(labels: NDArray[np.int64], noise: float, rng: np.random.Generator) -> FloatArray:
    """Distorted signals of the classes ``labels``.

    Args:
        labels: (examples,) in 0..9.
        noise: standard deviation of what is added to every point at the end.
        rng: where every random number comes from.

    Returns:
        (examples, 40).

    """
    count = len(labels)
    length = rng.uniform(_SHORTEST, _LONGEST, (count, 1))
    start = rng.uniform(0, 1, (count, 1)) * (_CANVAS - length)
    height = 1 + rng.uniform(-_SCALE, _SCALE, (count, 1))
    slope = rng.uniform(-_SHEAR, _SHEAR, (count, 1))
    place = (np.arange(_CANVAS) - start) / length
    inside = (place >= 0) & (place <= 1)
    signal = _between(_SIGNALS[labels], np.clip(place, 0, 1)) * height
    background = _smooth(_BACKGROUND * rng.standard_normal((count, _CANVAS)))
    canvas = np.where(inside, signal, background)
    canvas += noise * rng.standard_normal((count, _CANVAS)) - slope * np.linspace(-1, 1, _CANVAS)
    return _between(canvas, np.broadcast_to(np.linspace(0, 1, LENGTH), (count, LENGTH)))


def _between(values: FloatArray, at: FloatArray) -> FloatArray:
    """Rows of ``values`` (rows, points), spread evenly over [0, 1], read off at the places ``at`` (rows, places)."""
    position = at * (values.shape[1] - 1)
    left = np.minimum(position.astype(np.int64), values.shape[1] - 2)
    share = position - left
    low, high = (np.take_along_axis(values, left + step, axis=1) for step in (0, 1))
    return np.asarray(low + share * (high - low), dtype=np.float64)


def _smooth(values: FloatArray) -> FloatArray:
    """Each row convolved with a Gaussian."""
    reach = int(4 * _SMOOTHING)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / _SMOOTHING) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(values, ((0, 0), (reach, reach)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=1)
    return np.asarray(windows @ kernel, dtype=np.float64)
