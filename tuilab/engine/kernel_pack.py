"""A pack that the compiled kernel trains: replicas one after the other, each wholly inside the cache."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from tuilab.engine import kernel
from tuilab.engine.batches import BatchOrder
from tuilab.engine.data import Part
from tuilab.engine.kernel_losses import KINDS
from tuilab.engine.kernel_program import compile_network, kernel_knows, padded_batch
from tuilab.engine.kernel_updates import describe
from tuilab.engine.kernel_vectors import LANES
from tuilab.engine.layout import Layout, parameter_slots
from tuilab.engine.pack import (
    MAX_TRAIN_EVALUATED,
    Job,
    LossArray,
    Member,
    Memory,
    PartName,
    Scores,
    initial_values,
    metric_scale,
    part_of,
    with_steps,
)
from tuilab.engine.random import dropout_key, generator
from tuilab.engine.schedules import factor

_EVALUATED = 64
"""Examples that an evaluation takes at once, few enough for the first cache."""


_State: TypeAlias = tuple[
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.uint32],
]
_Examples: TypeAlias = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]


_LARGEST = 1 << 20
"""Parameters of the largest network. Beyond, weights, gradient and moments come from memory at every step, and the
library's products in large blocks win: 784-1024-1024-10 trains 1.2 times as fast with them."""
_CACHED = 1 << 18
"""Floats of the largest activation that are taken through the network at once."""


@dataclass(frozen=True, slots=True)
class _Replica:
    """What one replica owns; ``state`` and ``parts`` are as ``kernel.train`` takes them."""

    member: Member
    order: BatchOrder
    state: _State
    parts: dict[PartName, _Examples]


class KernelPack:
    """Replicas of a dense stack in float32 on the CPU; each is independent of the others by construction."""

    def __init__(self, job: Job, members: Sequence[Member]) -> None:
        self._job = job
        optimizer = describe(job.training.optimizer)
        assert optimizer is not None
        self._optimizer = optimizer
        gradients = np.zeros(job.layout.row_length, dtype=np.float32)
        self._replicas = [
            _make_replica(job, member, row, gradients)
            for member, row in zip(members, initial_values(job, members).numpy(), strict=True)
        ]
        self._padded = _examples_at_once(job.layout, self._replicas[0].order.batch_size)
        self._training = compile_network(job.layout, self._padded, training=True)
        self._evaluated = min(_EVALUATED, _examples_at_once(job.layout, _EVALUATED))
        self._evaluation = compile_network(job.layout, self._evaluated, training=False)
        self._work = np.zeros(self._training.size, dtype=np.float32)
        self._evaluation_work = np.zeros(self._evaluation.size, dtype=np.float32)

    @staticmethod
    def knows(job: Job) -> bool:
        """Whether the kernel has instructions for every layer and the optimiser, and is the faster way."""
        small = job.layout.row_length <= _LARGEST
        return small and kernel_knows(job.layout) and describe(job.training.optimizer) is not None

    def parameters(self) -> NDArray[np.float32]:
        """(replicas, num_params): the parameters in order, without gaps."""
        slots = parameter_slots(self._job.layout.program)
        rows = [replica.state[0] for replica in self._replicas]
        return np.stack([np.concatenate([row[:0], *(row[slot.offset : slot.end] for slot in slots)]) for row in rows])

    def run(self, first: int, last: int) -> LossArray:
        training, program = self._job.training, self._training
        factors = np.array([factor(training.schedule, step, training.steps) for step in range(first, last)])
        losses = np.empty((len(self._replicas), last - first))
        for replica, row in zip(self._replicas, losses, strict=True):
            kernel.train(
                program.code,
                self._work,
                replica.state,
                replica.parts["train"],
                replica.order.take(last - first),
                self._padded,
                KINDS[self._job.loss],
                self._optimizer,
                factors * replica.member.lr,
                first,
                row,
            )
        return losses.T

    def evaluate(self, part: PartName) -> Scores:
        splits = [replica.member.split for replica in self._replicas]
        count = self._count(part)
        nobody = np.zeros(0, dtype=np.bool_)
        scores = np.array([self._evaluate(replica, part, nobody) for replica in self._replicas])
        return Scores(scores[:, 0], scores[:, 1] / metric_scale(self._job.loss, splits, part, count))

    def dead_fraction(self) -> LossArray | None:
        units = int(self._evaluation.relu[:, 1].sum())
        if not units:
            return None
        alive = np.zeros((len(self._replicas), units), dtype=np.bool_)
        for replica, row in zip(self._replicas, alive, strict=True):
            self._evaluate(replica, "val", row)
        return np.asarray(1 - alive.mean(1), dtype=np.float64)

    def keep(self, rows: list[int]) -> None:
        self._replicas = [self._replicas[row] for row in rows]

    def set_lr(self, row: int, lr: float) -> None:
        replica = self._replicas[row]
        self._replicas[row] = replace(replica, member=replace(replica.member, lr=lr))

    def set_steps(self, steps: int) -> None:
        self._job = with_steps(self._job, steps)

    def memories(self) -> list[Memory]:
        return [Memory(_tensors(replica.state), replica.order) for replica in self._replicas]

    def skip_to(self, step: int) -> None:
        """Nothing of it depends on the number of steps."""

    def _count(self, part: PartName) -> int:
        whole = len(part_of(self._replicas[0].member.split, part))
        return min(whole, MAX_TRAIN_EVALUATED) if part == "train" else whole

    def _evaluate(self, replica: _Replica, part: PartName, alive: NDArray[np.bool_]) -> tuple[float, float]:
        """Mean loss and metric; marks in ``alive``, if it is not empty, the ReLU units above zero on any example."""
        loss, metric = kernel.evaluate(
            self._evaluation.code,
            self._evaluation_work,
            replica.state,
            replica.parts[part],
            self._count(part),
            self._evaluated,
            KINDS[self._job.loss],
            self._evaluation.relu,
            alive,
        )
        return loss, metric


def _examples_at_once(layout: Layout, batch: int) -> int:
    """Examples to take through the network at once: what the cache holds, or all if they depend on each other."""
    if layout.batchnorm_channels:
        return padded_batch(batch)
    return min(padded_batch(batch), max(LANES, _CACHED // layout.widest // LANES * LANES))


def _make_replica(job: Job, member: Member, values: NDArray[np.float32], gradients: NDArray[np.float32]) -> _Replica:
    """A replica before training; ``gradients`` may be shared, because replicas train one after the other."""
    keys = [dropout_key(job.seed, member.seed_index, layer) for layer in range(job.layout.num_dropouts)]
    first, second = np.zeros_like(values), np.zeros_like(values)
    state = (values.copy(), gradients, first, second, _fresh_stats(job.layout), np.array(keys, dtype=np.uint32))
    order = BatchOrder(len(member.split.train), job.training, generator(job.seed, member.seed_index, "batches"))
    parts: tuple[PartName, ...] = ("train", "val", "test")
    return _Replica(member, order, state, {name: _arrays(part_of(member.split, name)) for name in parts})


def _tensors(state: _State) -> dict[str, torch.Tensor]:
    """The parts of the state that outlive a step, sharing its memory."""
    values, _, first, second, stats, _ = (torch.from_numpy(part) for part in state)
    return {"values": values, "first": first, "second": second, "stats": stats}


def _fresh_stats(layout: Layout) -> NDArray[np.float32]:
    """Running means 0 and variances 1, in the kernel's order."""
    parts = [np.repeat(np.array([0, 1], dtype=np.float32), channels) for channels in layout.batchnorm_channels]
    return np.concatenate([np.zeros(0, dtype=np.float32), *parts])


def _arrays(part: Part) -> _Examples:
    """Inputs (examples, features), classes (examples,) and numeric targets (examples, outputs); one of those is empty.

    Classes are also given as numbers, which is how the loss for two classes reads them.
    """
    inputs = part.inputs.reshape(len(part), -1)
    if part.targets.dtype == np.int64:
        classes = part.targets.astype(np.int64, copy=False)
        return inputs, classes, classes.astype(np.float32).reshape(-1, 1)
    return inputs, np.zeros(0, dtype=np.int64), part.targets.astype(np.float32, copy=False)
