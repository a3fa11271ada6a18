"""How many replicas train together: a cost model of caches and memory."""

from collections.abc import Callable, Sequence

import torch

from tuilab.engine.frozen import special_pack
from tuilab.engine.kernel_loading import find_kernel
from tuilab.engine.layout import ConvNode, Layout, nodes
from tuilab.engine.pack import Job, Member, Pack
from tuilab.engine.plan import plans_know
from tuilab.engine.torch_packs import AutogradPack, PlanPack

_WAVE_BYTES = 64 << 20
_BYTES_PER_PARAM = 20
"""Value, gradient, two moments and scratch, four bytes each."""


def wave_size(layout: Layout) -> int:
    """Replicas that are in memory at once; the others wait, so that memory does not grow with the seeds."""
    return max(1, _WAVE_BYTES // (_BYTES_PER_PARAM * max(1, layout.num_params)))


def make_packs(job: Job, members: Sequence[Member]) -> list[tuple[Pack, list[int]]]:
    """Packs, each with the positions of its members; equal learning rates stand together for the optimiser's sake."""
    kind = _kind(job)
    size = 1 if kind is AutogradPack and _convolves(job) else len(members)
    by_rate = sorted(range(len(members)), key=lambda position: members[position].lr)
    chosen = [by_rate[begin : begin + size] for begin in range(0, len(members), size)]
    return [(kind(job, [members[position] for position in positions]), positions) for positions in chosen]


def _kind(job: Job) -> Callable[[Job, Sequence[Member]], Pack]:
    """The fastest kind of pack that knows the network: the compiled kernel, a plan, or autograd."""
    special = special_pack(job)
    if special is not None:
        return special
    kernel = find_kernel() if job.device.type == "cpu" and job.dtype == torch.float32 else None
    if kernel is not None and kernel.knows(job):
        return kernel
    return PlanPack if plans_know(job.layout) else AutogradPack


def _convolves(job: Job) -> bool:
    """Whether autograd is fastest one replica at a time: convolutions on a CPU are."""
    return job.device.type == "cpu" and any(isinstance(node, ConvNode) for node in nodes(job.layout.program))
