"""How much of a curve is as it was when it was last looked at: a curve that is watched mostly grows at its end."""

from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate

from tuilab.tui.plot import Series, SeriesKind


class Growth:
    """Follows one curve.

    Attributes:
        before: the curve before the present one; None at first.
        same: how many leading points are drawn alike in both: a few less than there are where it has grown at its end.

    """

    def __init__(self) -> None:
        self.before: Series | None = None
        self.same = 0
        self._series: Series | None = None
        self._least: list[float] = []
        self._most: list[float] = []
        self._lowest: list[float] = []
        self._highest: list[float] = []

    def follow(self, series: Series) -> None:
        """Look at the curve as it is now; it has points."""
        self.before, self._series = self._series, series
        self.same = _same_points(self.before, series) if self.before is not None else 0
        _go_on(self._least, self.same, series.values, min)
        _go_on(self._most, self.same, series.values, max)
        if series.kind is SeriesKind.EVAL:
            _go_on(self._lowest, self.same, series.lows, min)
            _go_on(self._highest, self.same, series.highs, max)

    @property
    def extremes(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        return self._least[-1], self._most[-1]

    @property
    def band(self) -> tuple[float, float] | None:
        """From where to where the band of an eval curve reaches; None without one."""
        return (self._lowest[-1], self._highest[-1]) if self._lowest else None


def _go_on(running: list[float], same: int, values: Sequence[float], pick: Callable[[float, float], float]) -> None:
    """Bring a running extreme up to date of whose values the first are the same."""
    del running[same:]
    rest = values[same:]
    if running:
        running += list(accumulate(rest, pick, initial=running.pop()))
    else:
        running += accumulate(rest, pick)


_STEPS_BACK = (0, 1, 4, 16, 64, 256)
"""From the end, in points: where to look for the last point that has not changed."""


def _same_points(old: Series, new: Series) -> int:
    """A number of leading points that are drawn alike in both; most of them where the curve has grown at its end."""
    pairs = [(old.steps, new.steps), (old.values, new.values)]
    if new.kind is SeriesKind.EVAL:
        pairs += [(old.lows, new.lows), (old.highs, new.highs)]
    if (bool(old.lows), old.kind) != (bool(new.lows), new.kind):
        return 0
    shorter = min(len(old.steps), len(new.steps))
    for back in _STEPS_BACK:
        count = shorter - back
        if count > 0 and all(a is b or _begins_alike(a, b, count) for a, b in pairs):
            return count
    return 0


def _begins_alike(a: Sequence[float], b: Sequence[float], count: int) -> bool:
    """Whether the first values are equal; arrays compare as bytes, which takes a hundredth of the time."""
    if isinstance(a, array) and isinstance(b, array):
        return a[:count].tobytes() == b[:count].tobytes()
    return a[:count] == b[:count]
