"""How many replicas train together: a cost model of caches and memory."""

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, TypeAlias

import torch

from tuilab.engine.batches import batch_size
from tuilab.engine.frozen import special_pack
from tuilab.engine.graph_pack import GraphPack
from tuilab.engine.kernel_loading import find_kernel
from tuilab.engine.layout import (
    ActivationNode,
    BatchNormNode,
    ConvNode,
    DropoutNode,
    LayerNormNode,
    Layout,
    LinearNode,
    Node,
    nodes,
)
from tuilab.engine.pack import Job, Member, Pack
from tuilab.engine.plan import plans_know
from tuilab.engine.torch_packs import AutogradPack, PlanPack

if TYPE_CHECKING:
    from tuilab.engine.kernel_pack import KernelPack

_Kind: TypeAlias = "type[AutogradPack | PlanPack | KernelPack]"
_WAVE_BYTES = 64 << 20
_WAVE_BYTES_ON_GPU = 4 << 30
"""On a GPU replicas beside each other cost almost nothing until they fill it."""
_PACK_BYTES = 16 << 20
"""What a core may count on having in its caches; a pack that spills is slower than two packs."""
_SMALLEST_PACK = 8
"""From here on the cost of starting an operation is shared by enough replicas, cache or not."""
_BYTES_PER_PARAM = 20
"""Value, gradient, two moments and scratch, four bytes each."""
_BYTES_PER_OUTPUT = 8
"""A layer's output for one example, and its gradient."""


def wave_size(layout: Layout, device: str) -> int:
    """Replicas that are in memory at once; the others wait, so that memory does not grow with the seeds."""
    room = _WAVE_BYTES if device == "cpu" else _WAVE_BYTES_ON_GPU
    return max(1, room // (_BYTES_PER_PARAM * max(1, layout.num_params)))


def pack_size(job: Job, num_train: int) -> int:
    """Replicas of one pack of torch tensors, so that a step of the pack stays in a core's caches.

    On a GPU, whose replicas fill its units rather than its caches, a pack is as large as a wave.
    """
    if job.device.type != "cpu":
        return wave_size(job.layout, job.device.type)
    outputs = sum(map(_outputs, nodes(job.layout.program)))
    batch = batch_size(num_train, job.training)
    replica = _BYTES_PER_PARAM * job.layout.num_params + _BYTES_PER_OUTPUT * batch * outputs
    return max(_SMALLEST_PACK, _PACK_BYTES // max(1, replica))


def _outputs(node: Node) -> int:
    """Numbers that a layer puts out for one example; those of convolutions and pools do not matter here."""
    match node:
        case LinearNode():
            return node.weight.shape[0]
        case ActivationNode() | DropoutNode() | BatchNormNode():
            return prod(node.shape)
        case LayerNormNode():
            return node.weight.size
        case _:
            return 0


def make_packs(job: Job, members: Sequence[Member], kind_name: str = "") -> list[tuple[Pack, list[int]]]:
    """Packs, each with the positions of its members; equal learning rates stand together for the optimiser's sake.

    ``kind_name`` asks for the kind that has trained them so far; it is not heeded where that is not to be had.
    """
    kinds = _kinds(job)
    kind = next((kind for kind in kinds if kind.__name__ == kind_name), kinds[0])
    size = _members_of(kind, job, members)
    by_rate = sorted(range(len(members)), key=lambda position: members[position].lr)
    chosen = [by_rate[begin : begin + size] for begin in range(0, len(members), size)]
    return [(kind(job, [members[position] for position in positions]), positions) for positions in chosen]


def _members_of(kind: _Kind, job: Job, members: Sequence[Member]) -> int:
    """Replicas of one pack; the kernel and the special packs train one after the other whatever their number is."""
    if kind is AutogradPack and _convolves(job):
        return 1
    if issubclass(kind, PlanPack | AutogradPack):
        return pack_size(job, min((len(member.split.train) for member in members), default=1))
    return max(1, len(members))


def _kinds(job: Job) -> list[_Kind]:
    """The kinds of packs that know the network, the fastest first: the compiled kernel, a plan, autograd."""
    special = special_pack(job)
    if special is not None:
        return [special]
    kernel = find_kernel() if job.device.type == "cpu" and job.products == torch.float32 else None
    known: list[_Kind] = [kernel] if kernel is not None and kernel.knows(job) else []
    plan = GraphPack if job.device.type == "cuda" else PlanPack
    return [*known, plan, AutogradPack] if plans_know(job.layout) else [*known, AutogradPack]


def _convolves(job: Job) -> bool:
    """Whether autograd is fastest one replica at a time: convolutions on a CPU are."""
    return job.device.type == "cpu" and any(isinstance(node, ConvNode) for node in nodes(job.layout.program))
