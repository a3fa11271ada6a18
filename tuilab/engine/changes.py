"""What people change of replicas while they train, and how it is changed again when they go on after a fault."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from tuilab.spec.protocol import Change, ChangeRuns, Replica, total_steps


class Changes:
    """The changes of the replicas of one wave, by their positions.

    Attributes:
        steps: optimiser steps that every replica takes in all, as of now.
        made: the changes made so far, by run.

    """

    def __init__(self, replicas: Sequence[Replica], steps: int) -> None:
        """Of replicas that were planned with so many steps; what their requests know is made again at its step."""
        self.steps = steps
        self.made: dict[int, list[Change]] = defaultdict(list)
        self._runs = [replica.run for replica in replicas]
        self._lrs = [replica.lr for replica in replicas]
        known = [(change.step, position, change) for position, one in enumerate(replicas) for change in one.changes]
        self._due = sorted(known, key=lambda one: one[:2])

    def due(self, step: int) -> Iterator[tuple[int, Change]]:
        """Take the changes (position, change) that are known and belong at this step or before."""
        while self._due and self._due[0][0] <= step:
            _, position, change = self._due.pop(0)
            yield position, change

    def next_after(self, step: int, last: int) -> int:
        """The step of the first change that is known and not yet due, or ``last``."""
        return next((at for at, _, _ in self._due if at > step), last)

    def note(self, position: int, change: Change) -> None:
        """Note that a change is made."""
        self.steps = total_steps(self.steps, [change])
        self._lrs[position] = change.lr if change.lr is not None else self._lrs[position]
        self.made[self._runs[position]].append(change)

    def asked(
        self, request: ChangeRuns, training: Sequence[int], wanted: Sequence[int], step: int
    ) -> Iterator[tuple[Change, Sequence[int]]]:
        """What a request changes, each with the positions that it holds for; nothing that is so already.

        Args:
            request: a new learning rate, a new number of steps, or both.
            training: positions of all replicas that train; they share the number of steps.
            wanted: positions of the replicas that the request names.
            step: optimiser steps that they have taken.

        """
        if request.steps is not None and wanted and request.steps > self.steps:
            yield Change(step=step, steps=request.steps), training
        if request.lr is not None:
            others = [position for position in wanted if self._lrs[position] != request.lr]
            if others:
                yield Change(step=step, lr=request.lr), others
