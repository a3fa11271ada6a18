"""Curves in constant memory: buckets of steps whose width doubles when they run out."""

import math
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from contextlib import suppress
from itertools import compress, groupby
from operator import le, lt
from typing import Literal, NamedTuple, Self, TypeVar, cast

CAPACITY = 1024
_Item = TypeVar("_Item")
Band = Literal["interval", "range"]
"""The 95 % t interval of the mean over runs, or everything from the lowest run to the highest."""
FEW = 4
"""Values from which such an interval says more than the values themselves: t is 12.7 for two of them, 4.3 for three."""
TINY = 1e-10
"""What counts as zero on a log scale: a float32 loss that is exactly 0 was below about 1e-8, not below everything."""
_LARGEST = 700.0
"""The logarithm of a number that a float still holds."""
_LN_2 = math.log(2)
_HEAD = struct.Struct("<qq")
"""How buckets begin as bytes: the binary logarithm of their width, and their number."""
_COLUMNS = 8
_NOTHING = (0.0, 0.0, 0.0, 0.0, math.inf, -math.inf)
"""Sums and extremes of no values."""


class Curve(NamedTuple):
    """One value and a band at each of some steps; all of equal length, and finite. Not to be changed."""

    steps: "array[float]"
    values: "array[float]"
    lows: "array[float]"
    highs: "array[float]"


_NO_CURVE = Curve(array("d"), array("d"), array("d"), array("d"))


class HalvingBuckets:
    """Minimum, maximum, count and sums of values by step, in at most ``capacity`` buckets.

    Bucket k covers the steps ``width * k`` to ``width * (k + 1) - 1``; the width, a power of two, doubles whenever a
    step lies beyond the last bucket. Runs of one candidate report at the same steps. Count and sums of a bucket are
    those of one of its steps only, so that every run takes part once: several values of one run are no further runs,
    and would make the interval too narrow. Minimum and maximum are over all its steps, so that no spike is lost.
    Only buckets that have values take memory: runs report at far fewer steps than there are buckets.
    """

    __slots__ = (
        "_counts",
        "_curves",
        "_highs",
        "_log_squares",
        "_log_sums",
        "_lows",
        "_shift",
        "_squares",
        "_steps",
        "_sums",
        "capacity",
    )

    def __init__(self, capacity: int = CAPACITY) -> None:
        """Empty buckets of one step each."""
        self.capacity = capacity
        self._shift = 0
        self._steps = array("q")
        self._counts = array("q")
        self._sums = array("d")
        self._squares = array("d")
        self._log_sums = array("d")
        self._log_squares = array("d")
        self._lows = array("d")
        self._highs = array("d")
        self._curves: dict[tuple[bool, Band], tuple[Curve, int]] = {}

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
        return len(self._counts)

    def copy(self) -> "HalvingBuckets":
        """Buckets that can change independently."""
        other = HalvingBuckets(self.capacity)
        other._shift = self._shift
        other._steps = self._steps[:]
        other._counts = self._counts[:]
        other._sums = self._sums[:]
        other._squares = self._squares[:]
        other._log_sums = self._log_sums[:]
        other._log_squares = self._log_squares[:]
        other._lows = self._lows[:]
        other._highs = self._highs[:]
        other._curves = self._curves.copy()
        return other

    def to_bytes(self) -> bytes:
        """Everything that the buckets hold, for ``from_bytes``; those without values are there as well."""
        places = [step >> self._shift for step in self._steps]
        count = places[-1] + 1 if places else 0
        parts = [_HEAD.pack(self._shift, count)]
        if count == len(places):
            return b"".join([*parts, *(column.tobytes() for column in self._columns())])
        for column, nothing in zip(self._columns(), (0, 0, *_NOTHING), strict=True):
            spread = array(column.typecode, [nothing]) * count
            for place, value in zip(places, column, strict=True):
                spread[place] = value
            parts.append(spread.tobytes())
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The buckets that ``to_bytes`` wrote.

        Raises:
            ValueError: when it did not write these bytes.

        """
        found = cls()
        shift, count = _HEAD.unpack_from(data) if len(data) >= _HEAD.size else (-1, -1)
        if not (0 <= shift < 64 and 0 <= count <= CAPACITY and len(data) == _HEAD.size + 8 * _COLUMNS * count):
            raise ValueError(f"{len(data)} bytes are not {count} buckets")
        found._shift = shift
        first, size = _HEAD.size, 8 * count
        columns = [data[first + size * place : first + size * (place + 1)] for place in range(_COLUMNS)]
        counts = array("q", columns[1])
        for column, stored in zip(found._columns(), columns, strict=True):
            values = array(column.typecode, stored)
            column.extend(compress(values, counts) if 0 in counts else values)
        if not found._hold_together():
            raise ValueError(f"{len(found)} buckets hold what no runs report")
        return found

    def _hold_together(self) -> bool:
        """Whether the buckets lie side by side in their order, and hold numbers that can be."""
        places = [step >> self._shift for step in self._steps]
        return (
            all(map(lt, [-1, *places], [*places, self.capacity]))
            and min(self._counts, default=1) > 0
            and all(math.isfinite(sum(column)) for column in self.columns()[1])
            and all(map(le, self._lows, self._highs))
        )

    def columns(self) -> "tuple[tuple[array[int], ...], tuple[array[float], ...]]":
        """What is kept of each bucket that has values, (buckets,) each.

        The step whose values are counted, and how many there are; their sum, sum of squares, sum of logarithms and sum
        of the logarithms' squares, and the least and the greatest value of all steps.
        """
        floats = self._sums, self._squares, self._log_sums, self._log_squares, self._lows, self._highs
        return (self._steps, self._counts), floats

    def _columns(self) -> "tuple[array[int] | array[float], ...]":
        ints, floats = self.columns()
        return *ints, *floats

    def add(self, step: int, value: float | None) -> None:
        """Add one value."""
        self.extend((step,), (value,))

    def extend(self, steps: Sequence[int], values: Sequence[float | None]) -> None:
        """Add values in any order; None and values that are not finite are left out.

        Args:
            steps: not negative, (points,).
            values: (points,).

        """
        steps, (values,) = in_order(steps, (values,))
        self.extend_in_order(steps, values)

    def extend_in_order(self, steps: Sequence[int], values: Sequence[float | None]) -> None:
        """As ``extend``, for steps that ascend."""
        if steps:
            self.reach(steps[-1])
            self._take_in(*_finite(steps, values))

    def _take_in(self, steps: Sequence[int], values: Sequence[float]) -> None:
        """Add values bucket by bucket: many values of a bucket cost little more than one."""
        shift, kept, counts, lows, highs = self._shift, self._steps, self._counts, self._lows, self._highs
        # To base 2, because math.log also takes a base, and three times as long to see that it was given none.
        log, norm = math.log2, math.hypot
        start, end = 0, len(steps)
        while start < end:
            step = steps[start]
            bucket = step >> shift
            stop = bisect_left(steps, (bucket + 1) << shift, start, end)
            span = values[start:stop]
            at = self._place(step)
            if not start:
                self._forget(at)
            low, high = min(span), max(span)
            if low < lows[at]:
                lows[at] = low
            if high > highs[at]:
                highs[at] = high
            if step != kept[at] or step != steps[stop - 1]:
                step = kept[at]
                first = bisect_left(steps, step, start, stop)
                span = values[first : bisect_right(steps, step, first, stop)]
            logs = list(map(log, span if low > TINY else [max(value, TINY) for value in span]))
            length, log_length = norm(*span), _LN_2 * norm(*logs)
            counts[at] += len(span)
            self._sums[at] += sum(span)
            self._squares[at] += length * length
            self._log_sums[at] += _LN_2 * sum(logs)
            self._log_squares[at] += log_length * log_length
            start = stop

    def open(self, steps: Sequence[int]) -> None:
        """Make buckets without values that keep these steps, which ascend, each in a bucket that there is not."""
        if self._steps and steps and steps[0] < self._steps[-1]:
            for step in steps:
                self._place(step)
            return
        self._steps.extend(steps)
        self._counts.extend([0] * len(steps))
        for column, nothing in zip(self.columns()[1], _NOTHING, strict=True):
            column.extend([nothing] * len(steps))

    def _place(self, step: int) -> int:
        """Where the bucket is that covers a step; it is made, and keeps the step, where there is none."""
        shift, kept = self._shift, self._steps
        at = bisect_left(kept, step >> shift << shift)
        if at == len(kept) or kept[at] >> shift != step >> shift:
            kept.insert(at, step)
            self._counts.insert(at, 0)
            for column, nothing in zip(self.columns()[1], _NOTHING, strict=True):
                column.insert(at, nothing)
        return at

    def _forget(self, first: int) -> None:
        """From this bucket on, what curves show is out of date."""
        for key, (curve, good) in self._curves.items():
            self._curves[key] = curve, min(good, first)

    def curve(self, *, log: bool = False, band: Band = "range") -> Curve:
        """Mean over runs and band of each bucket that has values, at the step that it keeps.

        Only what has changed since the last time is made anew: a curve that is watched grows at its end.

        Args:
            log: take the geometric mean, which lies in the middle on a log scale, and the interval of the logarithms;
                values below 1e-10 count as that.
            band: what lies between lows and highs; a bucket with fewer than ``FEW`` values always shows its range.

        """
        before, good = self._curves.get((log, band), (_NO_CURVE, 0))
        if good < len(self._counts):
            parts = zip(before, self._curve_from(good, log, band), strict=True)
            before = Curve(*(old[:good] + new for old, new in parts))
            self._curves[log, band] = before, len(self._counts)
        return before

    def _curve_from(self, first: int, log: bool, band: Band) -> Curve:
        """The part of a curve that shows the buckets from ``first`` on."""
        counts, lows, highs = self._counts[first:], self._lows[first:], self._highs[first:]
        sums = self._log_sums if log else self._sums
        means = [total / count for total, count in zip(sums[first:], counts, strict=True)]
        if band == "interval":
            squares = (self._log_squares if log else self._squares)[first:]
            for place, (count, mean, square) in enumerate(zip(counts, means, squares, strict=True)):
                if count >= FEW:
                    half = _half_width(count, mean, square)
                    limits = [mean - half, mean + half]
                    lows[place], highs[place] = _exponentials(limits) if log else limits
        values = _exponentials(means) if log else means
        return Curve(array("d", self._steps[first:]), array("d", values), lows, highs)

    def reach(self, step: int) -> None:
        """Double the width until there is a bucket for the step."""
        while step >> self._shift >= self.capacity:
            self._shift += 1
            self._curves.clear()
            pairs = [
                list(pair) for _, pair in groupby(range(len(self._steps)), lambda at: self._steps[at] >> self._shift)
            ]
            self._lows = array("d", [min(self._lows[pair[0]], self._lows[pair[-1]]) for pair in pairs])
            self._highs = array("d", [max(self._highs[pair[0]], self._highs[pair[-1]]) for pair in pairs])
            # Of two neighbours the one with more runs; of equals the first.
            chosen = [max(pair, key=self._counts.__getitem__) for pair in pairs]
            self._steps = array("q", [self._steps[at] for at in chosen])
            self._counts = array("q", [self._counts[at] for at in chosen])
            self._sums = array("d", [self._sums[at] for at in chosen])
            self._squares = array("d", [self._squares[at] for at in chosen])
            self._log_sums = array("d", [self._log_sums[at] for at in chosen])
            self._log_squares = array("d", [self._log_squares[at] for at in chosen])


_T_975 = (math.inf, 12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157)
"""The 97.5 % point of Student's t with 0 to 9 degrees of freedom."""
_Z = 1.959964


def _t(freedom: int) -> float:
    """The 97.5 % point of Student's t; from 10 on by its expansion (Abramowitz and Stegun 26.7.5), to 2e-3."""
    if freedom < len(_T_975):
        return _T_975[freedom]
    return _Z + (_Z**3 + _Z) / (4 * freedom) + (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2)


def _half_width(count: int, mean: float, squares: float) -> float:
    """Half the 95 % t interval of a mean, from the sum of squares; 0 for a single value, which says nothing."""
    if count < 2:
        return 0.0
    variance = max(0.0, squares - count * mean * mean) / (count - 1)
    return _t(count - 1) * math.sqrt(variance / count)


def _exponentials(values: Sequence[float]) -> list[float]:
    return [math.exp(value if value < _LARGEST else _LARGEST) for value in values]


def in_order(
    steps: Sequence[int], columns: Sequence[Sequence[_Item]]
) -> tuple[Sequence[int], Sequence[Sequence[_Item]]]:
    """Steps, (points,), and columns that belong to them, sorted by step; those of one step stay in their order."""
    known = list(steps)
    if sorted(known) == known:
        return known, columns
    places = sorted(range(len(known)), key=known.__getitem__)
    return [known[at] for at in places], [[column[at] for at in places] for column in columns]


def _finite(steps: Sequence[int], values: Sequence[float | None]) -> tuple[Sequence[int], Sequence[float]]:
    """The values that are known and finite, and their steps."""
    with suppress(TypeError):  # None among them
        known: Sequence[float] = list(cast("Sequence[float]", values))
        if math.isfinite(sum(known)):
            return steps, known
    wanted = [value is not None and math.isfinite(value) for value in values]
    return list(compress(steps, wanted)), cast("list[float]", list(compress(values, wanted)))
