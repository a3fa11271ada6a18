"""The examples of some replicas as tensors: whole parts for evaluation, mini-batches gathered ahead for training."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from tuilab.engine.batches import BatchOrder
from tuilab.engine.losses import as_target
from tuilab.engine.pack import MAX_TRAIN_EVALUATED, Job, Member, PartName, part_of
from tuilab.engine.random import generator

_GATHER_BYTES = 1 << 20
"""Mini-batches are gathered ahead until they fill this much."""


class Examples:
    """Examples of the members of a pack; members of one seed share theirs.

    Shapes: R replicas, B examples a batch. Inputs are (R, B, *in_shape); targets (R, B) int64 classes for
    cross-entropy, else (R, B, out_features) floats.
    """

    def __init__(self, job: Job, members: Sequence[Member]) -> None:
        self._job = job
        self.members = list(members)
        self.orders = [
            BatchOrder(len(m.split.train), job.training, generator(job.seed, m.seed_index, "batches")) for m in members
        ]
        self._tensors: dict[tuple[int, PartName], tuple[Tensor, Tensor]] = {}

    @property
    def batch_size(self) -> int:
        return self.orders[0].batch_size

    def count(self, part: PartName) -> int:
        """Examples of a part that are evaluated."""
        whole = len(part_of(self.members[0].split, part))
        return min(whole, MAX_TRAIN_EVALUATED) if part == "train" else whole

    def stacked(self, part: PartName, begin: int, end: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of the examples ``begin`` to ``end`` (exclusive) of every replica."""
        pairs = [self._part(member, part) for member in self.members]
        return torch.stack([x[begin:end] for x, _ in pairs]), torch.stack([y[begin:end] for _, y in pairs])

    def batches(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The next ``count`` mini-batches: inputs and targets."""
        pairs = [self._part(member, "train") for member in self.members]
        if self.batch_size == len(pairs[0][0]):
            whole = self.stacked("train", 0, self.batch_size)
            yield from (whole for _ in range(count))
            return
        per_example = pairs[0][0][0].numel() * pairs[0][0].element_size()
        ahead = max(1, _GATHER_BYTES // (len(pairs) * self.batch_size * per_example))
        for begin in range(0, count, ahead):
            number = min(ahead, count - begin)
            chosen = [torch.from_numpy(order.take(number)).to(self._job.device) for order in self.orders]
            inputs, targets = _gather([x for x, _ in pairs], chosen), _gather([y for _, y in pairs], chosen)
            yield from ((inputs[:, index], targets[:, index]) for index in range(number))

    def keep(self, rows: list[int]) -> None:
        """Let all members but ``rows`` go."""
        self.members = [self.members[row] for row in rows]
        self.orders = [self.orders[row] for row in rows]

    def _part(self, member: Member, name: PartName) -> tuple[Tensor, Tensor]:
        key = (id(member.split), name)
        if key not in self._tensors:
            part, job = part_of(member.split, name), self._job
            inputs = torch.from_numpy(part.inputs).to(job.device, job.dtype)
            targets = as_target(job.loss, torch.from_numpy(part.targets).to(job.device), job.dtype)
            self._tensors[key] = (inputs, targets)
        return self._tensors[key]


def _gather(sources: Sequence[Tensor], chosen: Sequence[Tensor]) -> Tensor:
    """(R, steps, B, ...): of each replica's source (examples, ...) the rows (steps, B) that it has chosen."""
    example = sources[0].shape[1:]
    gathered = sources[0].new_empty(len(sources), *chosen[0].shape, *example)
    for into, source, rows in zip(gathered, sources, chosen, strict=True):
        numbers = rows.flatten()
        torch.index_select(source.view(len(source), -1), 0, numbers, out=into.view(len(numbers), -1))
    return gathered
