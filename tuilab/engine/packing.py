"""How many replicas train together: a cost model of caches and memory."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import torch

from tuilab.engine.frozen import special_pack
from tuilab.engine.graph_pack import GraphPack
from tuilab.engine.kernel_loading import find_kernel
from tuilab.engine.layout import ConvNode, Layout, nodes
from tuilab.engine.pack import Job, Member, Pack
from tuilab.engine.plan import plans_know
from tuilab.engine.torch_packs import AutogradPack, PlanPack

if TYPE_CHECKING:
    from tuilab.engine.kernel_pack import KernelPack

_Kind: TypeAlias = "type[AutogradPack | PlanPack | KernelPack]"
_WAVE_BYTES = 64 << 20
_WAVE_BYTES_ON_GPU = 4 << 30
"""On a GPU replicas beside each other cost almost nothing until they fill it."""
_BYTES_PER_PARAM = 20
"""Value, gradient, two moments and scratch, four bytes each."""


def wave_size(layout: Layout, device: str) -> int:
    """Replicas that are in memory at once; the others wait, so that memory does not grow with the seeds."""
    room = _WAVE_BYTES if device == "cpu" else _WAVE_BYTES_ON_GPU
    return max(1, room // (_BYTES_PER_PARAM * max(1, layout.num_params)))


def make_packs(job: Job, members: Sequence[Member], kind_name: str = "") -> list[tuple[Pack, list[int]]]:
    """Packs, each with the positions of its members; equal learning rates stand together for the optimiser's sake.

    ``kind_name`` asks for the kind that has trained them so far; it is not heeded where that is not to be had.
    """
    kinds = _kinds(job)
    kind = next((kind for kind in kinds if kind.__name__ == kind_name), kinds[0])
    size = 1 if kind is AutogradPack and _convolves(job) else len(members)
    by_rate = sorted(range(len(members)), key=lambda position: members[position].lr)
    chosen = [by_rate[begin : begin + size] for begin in range(0, len(members), size)]
    return [(kind(job, [members[position] for position in positions]), positions) for positions in chosen]


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
