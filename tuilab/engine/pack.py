"""What a pack is: some replicas of one network that train together, step after step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuilab.engine.batches import BatchOrder
from tuilab.engine.constructions import interpolant, tent
from tuilab.engine.data import Part, Split
from tuilab.engine.init import initial_row
from tuilab.engine.layout import Layout
from tuilab.engine.random import generator
from tuilab.spec.layers import Init
from tuilab.spec.training import Loss, Precision, Training

PartName: TypeAlias = Literal["train", "val", "test"]
LossArray: TypeAlias = NDArray[np.float64]

MAX_TRAIN_EVALUATED = 4096
"""Training examples that an evaluation looks at."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the replicas of a group share.

    Attributes:
        layout: the network.
        training: how it is optimised.
        loss: which loss, decided.
        seed: the experiment seed.
        device: where tensors live.
        dtype: of parameters and activations.

    """

    layout: Layout
    training: Training
    loss: Loss
    seed: int
    device: torch.device
    dtype: torch.dtype = torch.float32

    @property
    def products(self) -> torch.dtype:
        """What the factors of the layers' products are rounded to."""
        return torch.bfloat16 if self.training.precision is Precision.BF16 else self.dtype


@dataclass(frozen=True, slots=True)
class Member:
    """One replica: its seed, its learning rate and its examples."""

    seed_index: int
    lr: float
    split: Split


@dataclass(frozen=True, slots=True)
class Scores:
    """Loss and metric on some part, (replicas,) each."""

    loss: LossArray
    metric: LossArray


@dataclass(frozen=True, slots=True)
class Memory:
    """What one replica's training has changed so far, and nothing else.

    Attributes:
        tensors: by name; views of the pack's own, so that writing into them changes the replica.
        order: of its batches.

    """

    tensors: dict[str, Tensor]
    order: BatchOrder


class Pack(Protocol):
    """What the training loop needs of some replicas that train together."""

    def run(self, first: int, last: int) -> LossArray:
        """Take the optimiser steps ``first`` to ``last`` (exclusive).

        Returns:
            (steps, replicas): the loss of each step's batch, before its update.

        """

    def evaluate(self, part: PartName) -> Scores:
        """Loss and metric without dropout, of the training part on its first 4,096 examples."""

    def dead_fraction(self) -> LossArray | None:
        """(replicas,): share of ReLU units (channels of an image) that are zero on all validation examples."""

    def parameters(self) -> Tensor | NDArray[np.float32]:
        """(replicas, num_params): the parameters in order, without gaps."""

    def keep(self, rows: list[int]) -> None:
        """Let all replicas but ``rows`` go."""

    def set_lr(self, row: int, lr: float) -> None:
        """Train a replica with another learning rate from now on."""

    def set_steps(self, steps: int) -> None:
        """Have the schedule end after so many steps from now on."""

    def memories(self) -> list[Memory]:
        """Of every replica, in order."""

    def skip_to(self, step: int) -> None:
        """Count as if so many steps had been taken; the memories have been filled with what they left."""


def with_steps(job: Job, steps: int) -> Job:
    """The job with another number of steps."""
    return replace(job, training=job.training.model_copy(update={"steps": steps}))


def initial_values(job: Job, members: Sequence[Member]) -> Tensor:
    """The replicas' parameters before training: (replicas, row_length)."""
    return torch.from_numpy(np.stack([_initial_row(job, member) for member in members])).to(job.device, job.dtype)


def _initial_row(job: Job, member: Member) -> NDArray[np.float32]:
    match job.training.init:
        case Init.TENT:
            return tent(job.layout, member.split)
        case Init.INTERPOLANT:
            return interpolant(job.layout, member.split)
        case _:
            return initial_row(job.layout, job.training, generator(job.seed, member.seed_index, "init"))


def evaluation_chunk(layout: Layout) -> int:
    """Examples evaluated at once; it depends on the network only, so that packing cannot change a sum's rounding."""
    return min(4096, max(64, (1 << 18) // layout.widest))


def metric_scale(loss: Loss, splits: Sequence[Split], part: PartName, count: int) -> LossArray:
    """(replicas,) what the mean metric of the first ``count`` examples is divided by: the target's variance or 1."""
    if loss in (Loss.CROSS_ENTROPY, Loss.BCE):
        return np.ones(len(splits))
    return np.array([part_of(split, part).target_variance(count) for split in splits])


def part_of(split: Split, name: PartName) -> Part:
    """The training, validation or test part."""
    match name:
        case "train":
            return split.train
        case "val":
            return split.val
        case "test":
            return split.test
