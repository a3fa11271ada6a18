"""Reported losses on their way to the runner, several steps to a message."""

from collections.abc import Callable, Sequence
from math import isfinite
from time import monotonic

from tuilab.engine.pack import LossArray
from tuilab.spec.protocol import Event, Points

FLUSH_SECONDS = 0.1


class Reports:
    """Collects the points of some runs and sends them about every 100 ms; the first at once."""

    def __init__(self, group: int, runs: tuple[int, ...], emit: Callable[[Event], None]) -> None:
        self._group, self._runs, self._emit = group, runs, emit
        self._steps: list[int] = []
        self._columns: tuple[list[LossArray], ...] = ([], [], [])
        self._due = 0.0

    def add(self, step: int, train_loss: LossArray, eval_loss: LossArray, metric: LossArray) -> None:
        """Values (runs,) of one step, NaN where a run has left or was not evaluated."""
        self._steps.append(step)
        for column, values in zip(self._columns, (train_loss, eval_loss, metric), strict=True):
            column.append(values)
        if monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Send what has been collected."""
        if not self._steps:
            return
        train_loss, eval_loss, metric = (tuple(map(_finite_row, column)) for column in self._columns)
        self._emit(
            Points(
                group=self._group,
                runs=self._runs,
                steps=tuple(self._steps),
                train_loss=train_loss,
                eval_loss=eval_loss,
                metric=metric,
            )
        )
        self._steps.clear()
        for column in self._columns:
            column.clear()
        self._due = monotonic() + FLUSH_SECONDS


def evaluation_steps(reported: Sequence[int], batch: int, num_val: int) -> tuple[int, ...]:
    """The reported steps at which the validation part is evaluated, first and last included.

    They are so far apart that evaluation costs about a tenth of training: between two of them at least three times as
    many examples are trained on (forward, backward and update) as are evaluated (forward).
    """
    chosen = [reported[0]]
    for step in reported[1:-1]:
        if (step - chosen[-1]) * batch >= 3 * num_val:
            chosen.append(step)
    return (*chosen, *reported[-1:]) if reported[-1] > chosen[-1] else tuple(chosen)


def finite(value: float) -> float | None:
    """The number with the seven digits that float32 has, or None where there is none to tell."""
    return float(f"{value:.7g}") if isfinite(value) else None


def _finite_row(values: LossArray) -> tuple[float | None, ...]:
    return tuple(map(finite, values.tolist()))
