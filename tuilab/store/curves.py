"""What runs of one kind report over their steps, in constant memory: also the copy that is kept beside the points."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from tuilab.analysis.buckets import HalvingBuckets, in_order
from tuilab.store.records import Point

_COLUMNS = tuple(map(itemgetter, range(Point._fields.index("step"), len(Point._fields))))
"""Of a point its step and what was reported there."""
_SIZES = struct.Struct("<3q")
"""Bytes of each of the three."""


@dataclass(frozen=True, slots=True)
class Curves:
    """What runs report over their steps, all runs together. Never changed once shown: ``extended`` makes new ones."""

    train_loss: HalvingBuckets
    eval_loss: HalvingBuckets
    metric: HalvingBuckets

    @classmethod
    def empty(cls) -> "Curves":
        """Curves without points."""
        return cls(HalvingBuckets(), HalvingBuckets(), HalvingBuckets())

    def extended(self, points: Sequence[Point]) -> "Curves":
        """These curves and some more points."""
        longer = Curves(self.train_loss.copy(), self.eval_loss.copy(), self.metric.copy())
        if points:
            longer.extend(*(list(map(column, points)) for column in _COLUMNS))
        return longer

    def extend(
        self,
        steps: Sequence[int],
        train_loss: Sequence[float | None],
        eval_loss: Sequence[float | None],
        metric: Sequence[float | None],
    ) -> None:
        """Take in more points, in any order; None and values that are not finite are left out.

        Args:
            steps: (points,).
            train_loss: (points,).
            eval_loss: (points,).
            metric: (points,).

        """
        steps, columns = in_order(steps, (train_loss, eval_loss, metric))
        for buckets, column in zip((self.train_loss, self.eval_loss, self.metric), columns, strict=True):
            buckets.extend_in_order(steps, column)

    def to_bytes(self) -> bytes:
        """Everything in them, for ``from_bytes``."""
        parts = [one.to_bytes() for one in (self.train_loss, self.eval_loss, self.metric)]
        return _SIZES.pack(*map(len, parts)) + b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Curves":
        """The curves that ``to_bytes`` wrote.

        Raises:
            ValueError: when it did not write these bytes.

        """
        if len(data) < _SIZES.size:
            raise ValueError(f"{len(data)} bytes are no curves")
        parts, at = [], _SIZES.size
        for size in _SIZES.unpack_from(data):
            parts.append(HalvingBuckets.from_bytes(data[at : at + size]))
            at += size
        return cls(*parts)
