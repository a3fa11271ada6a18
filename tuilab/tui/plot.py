"""What a chart of curves over steps shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

NO_POINTS = "no points yet"


class SeriesKind(Enum):
    """What a curve shows, and so how strongly it is drawn."""

    EVAL = "eval"
    """The main curve of a candidate: bright, over its band."""
    TRAIN = "train"
    """Beside the main curve: faint and dotted, without letter."""
    TUNING = "tuning"
    """Instead of the main curve while learning rates are tried: faint, with a small letter, without band."""
    BEFORE = "before"
    """Of a candidate that has been edited since: as while learning rates are tried."""


@dataclass(frozen=True, slots=True)
class Series:
    """One curve.

    Attributes:
        letter: the candidate's.
        name: the candidate's.
        index: the candidate's, which decides its colour.
        kind: how it is drawn.
        steps: ascending, (points,).
        values: (points,).
        lows, highs: limits of the band, (points,); empty without one.

    """

    letter: str
    name: str
    index: int
    kind: SeriesKind
    steps: Sequence[float]
    values: Sequence[float]
    lows: Sequence[float] = ()
    highs: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class ChartData:
    """What a chart shows.

    Attributes:
        title: of the quantity, such as ``Loss``.
        series: in any order; empty while there are no points.
        x_max: planned steps; the x axis always runs from 0 to here.
        log_y: whether the y axis is logarithmic.
        unit: of the y axis; empty without one.
        note: a few words on how to read it, for the lower border.
        marks: steps at which somebody changed runs by hand, marked on the x axis.
        empty: what stands in the place of the curves while there are none.

    """

    title: str
    series: tuple[Series, ...]
    x_max: float
    log_y: bool = False
    unit: str = ""
    note: str = ""
    marks: tuple[int, ...] = ()
    empty: str = NO_POINTS
