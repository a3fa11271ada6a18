"""How runs of one candidate share a group: as many as memory allows, and no more groups than keep the slots busy."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from tuilab.analysis.counting import NetworkCount
from tuilab.spec.task import TaskFacts
from tuilab.spec.training import Training

GROUP_BYTES = 2**29
"""Memory that a group may take by the estimate below."""
MAX_REPLICAS = 256
MIN_REPLICAS = 4
"""Groups are not split below this only to keep more slots busy: packed replicas cost less each."""
_EVALUATED = 4096
"""Largest number of examples that are evaluated at once."""
_STEP_OVERHEAD = 200_000
"""What a step costs besides its arithmetic, in MACs."""

_Run = TypeVar("_Run")


@dataclass(frozen=True, slots=True)
class Load:
    """What training one candidate asks of a machine.

    Attributes:
        replica_bytes: memory of one replica: weights, gradients, two moments, activations and data, in float32.
        step_macs: multiply-accumulates of one optimiser step of one replica; backward counts as two forwards.
        steps: optimiser steps of one run.

    """

    replica_bytes: int
    step_macs: int
    steps: int

    def seconds(self, replicas: int) -> float:
        """A relative measure of how long a group of so many replicas trains, only good for comparing groups."""
        return self.steps * (replicas * self.step_macs + _STEP_OVERHEAD)


def load_of(count: NetworkCount, training: Training, task: TaskFacts) -> Load:
    """What training a network with these counts asks of a machine."""
    batch = batch_of(training.batch_size, task)
    inputs = math.prod(task.in_shape)
    together = max(batch, min(_EVALUATED, task.num_train))
    numbers = 4 * count.num_params + 2 * count.activations * together + 2 * inputs * task.num_train
    return Load(4 * numbers, 3 * count.macs * batch, training.steps)


def batch_of(batch_size: int | Literal["full"], task: TaskFacts) -> int:
    """Examples of one step."""
    return task.num_train if batch_size == "full" else min(batch_size, task.num_train)


def pack(runs: Sequence[_Run], load: Load, at_least: int) -> list[tuple[_Run, ...]]:
    """Runs of one candidate as groups of nearly equal size, neighbours together.

    Args:
        runs: the runs.
        load: what each of them asks for.
        at_least: groups that would keep the slots busy; fewer when they would become too small.

    """
    if not runs:
        return []
    cap = max(1, min(MAX_REPLICAS, GROUP_BYTES // max(1, load.replica_bytes)))
    number = max(math.ceil(len(runs) / cap), min(at_least, len(runs) // MIN_REPLICAS), 1)
    size, larger = divmod(len(runs), number)
    groups, start = [], 0
    for index in range(number):
        end = start + size + (index < larger)
        groups.append(tuple(runs[start:end]))
        start = end
    return groups
