"""Axes of a chart: ranges that do not jitter, ticks that people read, labels."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

_MIN_DECADES = 0.3
_FALLOFF_LOG = 0.6
"""Decades by which a value may exceed the typical one before it is cut off."""
_FALLOFF_LINEAR = 3.0
"""Multiple of the typical span by which a value may exceed it before it is cut off."""
_WORTH = 0.7
"""Part of a scale that must be in use for it to stay."""
_ENOUGH = 256
"""Values of a line that place its range."""
_BAND_ROOM = 0.25
"""Part of the lines' span that bands may add below and above."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A y axis from ``low`` to ``high`` in data units, linear or logarithmic."""

    low: float
    high: float
    log: bool = False

    @property
    def span(self) -> float:
        """Its length: in decades where it is logarithmic."""
        return math.log10(self.high / self.low) if self.log else self.high - self.low

    def steady(self, before: "Scale | None") -> "Scale":
        """This scale, or one that covers the scale before as well if that wastes little, so that axes do not jitter."""
        if before is None or before.log != self.log:
            return self
        both = Scale(min(self.low, before.low), max(self.high, before.high), self.log)
        return both if self.span >= _WORTH * both.span else self

    def rows(self, values: Sequence[float], rows: int) -> list[float]:
        """Where the values lie on ``rows`` rows: ``high`` on row 0, ``low`` on the last one.

        Values beyond the scale lie just above the first row or on the last one.
        """
        bottom = float(rows - 1)
        if not self.log:
            per_unit = bottom / (self.high - self.low)
            return [min(max((self.high - value) * per_unit, -1.0), bottom) for value in values]
        log10 = math.log10
        top = log10(self.high)
        per_decade = bottom / (top - log10(self.low))
        tiny = self.low
        places = [(top - log10(value)) * per_decade if value > tiny else bottom for value in values]
        return places if min(places, default=0.0) >= -1.0 else [max(place, -1.0) for place in places]


@dataclass(frozen=True, slots=True)
class Tick:
    """A marked value of an axis."""

    value: float
    label: str


def fit(lines: Sequence[Sequence[float]], band: tuple[float, float] | None, *, log: bool) -> Scale:
    """The scale that shows these values, rounded outward so that it moves seldom.

    Args:
        lines: the values of each line, finite; for a log scale values <= 0 are ignored.
        band: the lowest and the highest value of all bands, which widen the range by at most a quarter on either side.
        log: whether the scale is logarithmic.

    A value far above all others (a run that diverges) is cut off instead of squeezing the rest.

    """
    samples = [value for line in lines if line for value in thinned(line, min(line), max(line))]
    return fit_samples(samples, band, log=log)


def fit_samples(samples: Sequence[float], band: tuple[float, float] | None, *, log: bool) -> Scale:
    """The same for values of all lines together, as ``thinned`` leaves them."""
    ordered = sorted(samples)
    if log:
        ordered = ordered[bisect_right(ordered, 0.0) :]
    if not ordered:
        return Scale(0.1, 1.0, log=True) if log else Scale(0.0, 1.0)
    return _fit_log(ordered, band) if log else _fit_linear(ordered, band)


def thinned(line: Sequence[float], least: float, most: float) -> Sequence[float]:
    """Enough of a line's values to place its range: its ends and extremes always, the others where it is short.

    Args:
        line: its values, at least one.
        least: the lowest of them.
        most: the highest of them.

    """
    if len(line) <= _ENOUGH:
        return line
    return (*line[:: len(line) // _ENOUGH + 1], line[-1], least, most)


def _fit_log(ordered: Sequence[float], band: tuple[float, float] | None) -> Scale:
    low, typical, high = (math.log10(value) for value in _landmarks(ordered))
    high = min(high, typical + _FALLOFF_LOG)
    if band and band[1] > 0:
        low, high = _widen(low, high, math.log10(max(band[0], 1e-300)), math.log10(band[1]))
    low, high = math.floor(low * 5 + 1e-6) / 5, math.ceil(high * 10 - 1e-6) / 10
    if high - low < _MIN_DECADES:
        low, high = low - 0.2, max(high, low + 0.2)
    return Scale(10 ** max(low, -300.0), 10 ** min(high, 300.0), log=True)


def _fit_linear(ordered: Sequence[float], band: tuple[float, float] | None) -> Scale:
    low, typical, high = _landmarks(ordered)
    high = min(high, typical + _FALLOFF_LINEAR * max(typical - low, 1e-3 * abs(typical)))
    if band:
        positive = low >= 0
        low, high = _widen(low, high, *band)
        low = max(low, 0.0) if positive else low
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        room = 0.1 * abs(high) or 1.0
        low, high = (low - room if low < 0 else max(0.0, low - room)), high + room
    step = nice_step((high - low) / 8)
    return Scale(math.floor(low / step + 1e-6) * step, math.ceil(high / step - 1e-6) * step)


def _landmarks(ordered: Sequence[float]) -> tuple[float, float, float]:
    """The lowest value, the 95th percentile and the highest value."""
    return ordered[0], ordered[math.ceil(0.95 * (len(ordered) - 1))], ordered[-1]


def _widen(low: float, high: float, band_low: float, band_high: float) -> tuple[float, float]:
    margin = _BAND_ROOM * (high - low)
    return max(min(low, band_low), low - margin), min(max(high, band_high), high + margin)


def nice_step(rough: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least ``rough`` > 0."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))


def y_ticks(scale: Scale, most: int) -> tuple[Tick, ...]:
    """At most ``most`` ticks: 1, 0.3, 0.1, 0.03 on a log scale of some decades, round numbers otherwise."""
    if scale.log:
        low, high = math.log10(scale.low), math.log10(scale.high)
        if high - low >= 1:
            return _log_ticks(low, high, most)
    return _linear_ticks(scale.low, scale.high, most)


def _log_ticks(low: float, high: float, most: int) -> tuple[Tick, ...]:
    first, last = math.floor(low), math.ceil(high)
    for mantissas in ((1, 2, 5), (1, 3)):
        values = [m * 10.0**k for k in range(first, last + 1) for m in mantissas]
        shown = [v for v in values if low - 1e-9 <= math.log10(v) <= high + 1e-9]
        if len(shown) <= min(most, 5 if len(mantissas) == 3 else most):
            return tuple(Tick(v, format_value(v)) for v in shown)
    every = 1
    while (last - first) / every > most:
        every += 1
    powers = [k for k in range(first, last + 1) if k % every == 0 and low - 1e-9 <= k <= high + 1e-9]
    return tuple(Tick(10.0**k, format_value(10.0**k)) for k in powers)


def _linear_ticks(low: float, high: float, most: int) -> tuple[Tick, ...]:
    step = nice_step((high - low) / max(1, most))
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    values = [k * step for k in range(first, last + 1)]
    if max(abs(low), abs(high)) >= 1e4 or decimals > 4:
        return tuple(Tick(v, format_value(v)) for v in values)
    return tuple(Tick(v, f"{v:.{decimals}f}" if v else "0") for v in values)


def x_ticks(x_max: float, most: int) -> tuple[Tick, ...]:
    """Ticks from 0 to at most ``x_max`` steps: 0, 500, 1k, 1.5k, 2k."""
    step = max(1.0, nice_step(x_max / max(1, most)))
    return tuple(Tick(k * step, format_count(k * step)) for k in range(int(x_max / step + 1e-9) + 1))


def format_count(value: float) -> str:
    """A number of steps for an axis: 500, 1.5k, 20k, 1M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"


def format_value(value: float) -> str:
    """A value for an axis, short: 1, 0.3, 0.003, 1e-4, 20k."""
    if value == 0:
        return "0"
    if abs(value) < 1e-3 or abs(value) >= 1e5:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    if abs(value) >= 1e4:
        return f"{value / 1e3:.4g}k"
    return f"{value:.4g}"
