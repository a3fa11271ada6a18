"""Axes of a report's charts: where a value lies and which ticks to label."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from tuilab.analysis.wording import number

_LOG_FROM = 8.0
"""An axis whose largest value is this many times its smallest positive one is logarithmic."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear or logarithmic axis from ``low`` to ``high``."""

    low: float
    high: float
    log: bool

    def at(self, value: float) -> float:
        """Where a value lies: 0 at the low end, 1 at the high end; beyond the ends it is held there."""
        if self.log:
            value = max(value, self.low)
            share = (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, share))

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Values to label, with their labels; between two and about seven."""
        values = self._log_ticks() if self.log else self._linear_ticks()
        return tuple((value, number(value, 6)) for value in values)

    def _log_ticks(self) -> list[float]:
        decades = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
        for digits in ((1,), (1, 3), (1, 2, 5), tuple(range(1, 10))):
            values = [digit * 10.0**decade for decade in decades for digit in digits]
            inside = [value for value in values if self.low * 0.999 <= value <= self.high * 1.001]
            if len(inside) >= 3:
                return inside[:: ceil(len(inside) / 7)]
        return [self.low, self.high]

    def _linear_ticks(self) -> list[float]:
        rough = (self.high - self.low) / 5
        power = 10.0 ** floor(log10(rough))
        step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= rough * 0.999)
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        return [round(index * step, 12) for index in range(first, last + 1)]


def axis(values: Sequence[float], log: bool | None = None) -> Axis:
    """The axis that holds some values, with a little room; logarithmic where that shows more, unless ``log`` says.

    On a logarithmic axis zeros are held at the low end, below every positive value.
    """
    positive = [value for value in values if value > 0]
    low, high = min(values, default=0.0), max(values, default=1.0)
    wide = bool(positive) and high / min(positive) >= _LOG_FROM and low >= 0
    if (wide if log is None else log) and positive:
        floor_value = min(positive) if low > 0 else min(positive) / 2
        return Axis(floor_value / 1.15, max(positive) * 1.15, True)
    room = (high - low) * 0.05 or abs(high) * 0.1 or 1.0
    return Axis(max(0.0, low - room) if low >= 0 else low - room, high + room, False)
