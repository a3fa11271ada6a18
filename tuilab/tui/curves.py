"""Curves in constant memory: buckets of steps whose width doubles when they run out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from tuilab.store.records import Point

CAPACITY = 1024
_TINY = 1e-300
_Number = TypeVar("_Number", int, float)


class Curve(NamedTuple):
    """One value and a band at each of some steps; all of equal length, and finite."""

    steps: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    lows: tuple[float, ...] = ()
    highs: tuple[float, ...] = ()


class HalvingBuckets:
    """Minimum, maximum, sum and count of values by step, in at most ``capacity`` buckets.

    Bucket k covers the steps ``width * k`` to ``width * (k + 1) - 1``; the width, a power of two, doubles whenever a
    step lies beyond the last bucket. Runs of one candidate report at the same steps, so a bucket's mean is the mean
    over the runs that are still training.
    """

    __slots__ = ("_counts", "_highs", "_log_sums", "_lows", "_shift", "_sums", "capacity")

    def __init__(self, capacity: int = CAPACITY) -> None:
        """Empty buckets of one step each."""
        self.capacity = capacity
        self._shift = 0
        self._counts: list[int] = []
        self._sums: list[float] = []
        self._log_sums: list[float] = []
        self._lows: list[float] = []
        self._highs: list[float] = []

    @property
    def width(self) -> int:
        """Steps a bucket covers."""
        return 1 << self._shift

    @property
    def last_mean(self) -> float | None:
        """The mean of the last bucket that has values."""
        return self._sums[-1] / self._counts[-1] if self._counts else None

    def __len__(self) -> int:
        """Number of buckets that have values."""
        return len(self._counts) - self._counts.count(0)

    def copy(self) -> "HalvingBuckets":
        """Buckets that can change independently."""
        other = HalvingBuckets(self.capacity)
        other._shift = self._shift
        other._counts = self._counts.copy()
        other._sums = self._sums.copy()
        other._log_sums = self._log_sums.copy()
        other._lows = self._lows.copy()
        other._highs = self._highs.copy()
        return other

    def add(self, step: int, value: float | None) -> None:
        """Add one value."""
        self.extend((step,), (value,))

    def extend(self, steps: Sequence[int], values: Sequence[float | None]) -> None:
        """Add values in any order; None and values that are not finite are left out.

        Args:
            steps: not negative, (points,).
            values: (points,).

        """
        if not steps:
            return
        self._reach(max(steps))
        shift, log, inf = self._shift, math.log, math.inf
        counts, sums, log_sums, lows, highs = self._counts, self._sums, self._log_sums, self._lows, self._highs
        for step, value in zip(steps, values, strict=True):
            if value is None or not -inf < value < inf:
                continue
            at = step >> shift
            counts[at] += 1
            sums[at] += value
            log_sums[at] += log(value if value > _TINY else _TINY)
            if value < lows[at]:
                lows[at] = value
            if value > highs[at]:
                highs[at] = value
        self._trim()

    def curve(self, *, log: bool = False) -> Curve:
        """Mean, minimum and maximum of each bucket that has values, at the step in its middle.

        Args:
            log: take the geometric mean, which lies in the middle on a log scale; values <= 0 count as 1e-300.

        """
        kept = [at for at, count in enumerate(self._counts) if count]
        counts, sums = self._counts, self._log_sums if log else self._sums
        means = [sums[at] / counts[at] for at in kept]
        return Curve(
            tuple([self._middle(at) for at in kept]),
            tuple([math.exp(mean) for mean in means] if log else means),
            tuple([self._lows[at] for at in kept]),
            tuple([self._highs[at] for at in kept]),
        )

    def _middle(self, at: int) -> float:
        return (at << self._shift) + (self.width - 1) / 2

    def _reach(self, step: int) -> None:
        """Make a bucket for the step, doubling the width as often as needed."""
        while step >> self._shift >= self.capacity:
            self._shift += 1
            self._counts = _pairs(self._counts)
            self._sums = _pairs(self._sums)
            self._log_sums = _pairs(self._log_sums)
            self._lows = [min(self._lows[k : k + 2]) for k in range(0, len(self._lows), 2)]
            self._highs = [max(self._highs[k : k + 2]) for k in range(0, len(self._highs), 2)]
        missing = (step >> self._shift) + 1 - len(self._counts)
        if missing > 0:
            self._counts.extend([0] * missing)
            self._sums.extend([0.0] * missing)
            self._log_sums.extend([0.0] * missing)
            self._lows.extend([math.inf] * missing)
            self._highs.extend([-math.inf] * missing)

    def _trim(self) -> None:
        """Drop the buckets at the end that got no value, so that the last one has some."""
        while self._counts and not self._counts[-1]:
            for column in (self._counts, self._sums, self._log_sums, self._lows, self._highs):
                column.pop()


def _pairs(values: list[_Number]) -> list[_Number]:
    """Sums of neighbours; one without a neighbour stays as it is."""
    return [sum(values[k : k + 2]) for k in range(0, len(values), 2)]


@dataclass(frozen=True, slots=True)
class Curves:
    """What runs report over their steps, all runs together. Never changed: ``extended`` makes new ones."""

    train_loss: HalvingBuckets
    eval_loss: HalvingBuckets
    metric: HalvingBuckets

    @classmethod
    def empty(cls) -> "Curves":
        """Curves without points."""
        return cls(HalvingBuckets(), HalvingBuckets(), HalvingBuckets())

    def extended(self, points: Sequence[Point]) -> "Curves":
        """These curves and some more points."""
        steps = [point.step for point in points]
        train_loss, eval_loss, metric = self.train_loss.copy(), self.eval_loss.copy(), self.metric.copy()
        train_loss.extend(steps, [point.train_loss for point in points])
        eval_loss.extend(steps, [point.eval_loss for point in points])
        metric.extend(steps, [point.metric for point in points])
        return Curves(train_loss, eval_loss, metric)
