"""Many values into buckets at once, with NumPy.

For whoever writes a store: four times as fast as ``HalvingBuckets.extend``, which is for the interface. That has some
points to draw and no NumPy in memory.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuilab.analysis.buckets import TINY, HalvingBuckets

if TYPE_CHECKING:
    from array import array

    import numpy.typing as npt


def extend(buckets: Sequence[HalvingBuckets], steps: "array[int]", columns: "Sequence[array[float]]") -> None:
    """Add values to each of some buckets; those that are not finite are left out. As ``HalvingBuckets.extend``.

    Args:
        buckets: one for each column.
        steps: not negative, in any order, (points,).
        columns: the values of each, (points,).

    """
    if not steps:
        return
    order = np.frombuffer(steps, np.int64)
    values = [np.frombuffer(column, np.float64) for column in columns]
    if np.any(order[1:] < order[:-1]):
        places = np.argsort(order, kind="stable")
        order, values = order[places], [column[places] for column in values]
    for one, column in zip(buckets, values, strict=True):
        one.reach(int(order[-1]))
        finite = np.isfinite(column)
        if finite.all():
            _take_in(one, order, column)
        elif finite.any():
            _take_in(one, order[finite], column[finite])


def _take_in(buckets: HalvingBuckets, steps: "npt.NDArray[np.int64]", values: "npt.NDArray[np.float64]") -> None:
    """Add finite values, (points,), whose steps, (points,), ascend and are within reach."""
    bucket = steps // buckets.width
    starts = np.flatnonzero(np.diff(bucket, prepend=-1))
    buckets.open(_without_bucket(buckets, steps[starts]).tolist())
    ints, floats = buckets.columns()
    kept, counts = (np.frombuffer(column, np.int64) for column in ints)
    sums, squares, log_sums, log_squares, lows, highs = (np.frombuffer(column, np.float64) for column in floats)
    filled = np.searchsorted(kept // buckets.width, bucket[starts])
    lows[filled] = np.minimum(lows[filled], np.minimum.reduceat(values, starts))
    highs[filled] = np.maximum(highs[filled], np.maximum.reduceat(values, starts))
    at = np.repeat(filled, np.diff(starts, append=len(steps)))
    chosen = steps == kept[at]
    at, values = at[chosen], values[chosen]
    logs = np.log(np.maximum(values, TINY))
    counts += np.bincount(at, minlength=len(counts))
    for total, added in ((sums, values), (squares, values * values), (log_sums, logs), (log_squares, logs * logs)):
        total += np.bincount(at, added, len(counts))


def _without_bucket(buckets: HalvingBuckets, steps: "npt.NDArray[np.int64]") -> "npt.NDArray[np.int64]":
    """Those of the steps, one for each bucket, whose bucket has no values yet."""
    known = np.frombuffer(buckets.columns()[0][0], np.int64) // buckets.width
    if not len(known):
        return steps
    wanted = steps // buckets.width
    missing: npt.NDArray[np.bool_] = known.take(np.searchsorted(known, wanted), mode="clip") != wanted
    return steps[missing]
