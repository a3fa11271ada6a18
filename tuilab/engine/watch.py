"""Which runs have diverged."""

import numpy as np

from tuilab.engine.pack import LossArray

DIVERGED = 1e4
"""A loss this many times the loss before training (or 1, if that is larger) is on its way out."""
PATIENCE = 5
"""Evaluations in a row with such losses after which a run has failed."""


class Watch:
    """Tells which runs have diverged.

    A run has failed when a training loss or its validation loss is not a finite number, or when its training loss has
    been more than 10,000 times its loss before training (at least 1) all the way through 5 evaluations in a row.
    """

    def __init__(self, initial_loss: LossArray, high: LossArray | None = None) -> None:
        """The losses (runs,) before training, and at how many evaluations in a row they have been far exceeded."""
        self._initial_loss = initial_loss
        self._high = np.zeros(len(initial_loss)) if high is None else high

    def state(self) -> LossArray:
        """(2, runs): what it was made with, as it is now."""
        return np.stack([self._initial_loss, self._high])

    def judge(self, losses: LossArray, eval_loss: LossArray) -> list[str]:
        """Why each run has failed at this evaluation, (runs,); empty where it has not.

        Args:
            losses: (steps, runs), the training losses since the last evaluation.
            eval_loss: (runs,), on the validation part.

        """
        self._high = np.where((losses > DIVERGED * self._initial_loss).all(0), self._high + 1, 0)
        reasons = np.full(len(eval_loss), "", dtype=object)
        reasons[self._high >= PATIENCE] = f"diverged: the loss stayed {DIVERGED:,.0f} times above its start"
        reasons[~np.isfinite(eval_loss)] = "diverged: the validation loss is not a finite number"
        reasons[~np.isfinite(losses).all(0)] = "diverged: the loss is not a finite number"
        return [str(reason) for reason in reasons]
