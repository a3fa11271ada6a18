"""Whether a machine can run a comparison: its memory and its precision, before anything is trained, and what would."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuilab.analysis.counting import NetworkCount
from tuilab.runner.packing import batch_of
from tuilab.runner.setting import Setting
from tuilab.spec.comparison import Comparison
from tuilab.spec.task import TaskFacts
from tuilab.spec.training import Precision, Training

if TYPE_CHECKING:
    from tuilab.runner.resources import Resources

ENGINE_BYTES = 400 * 2**20
"""What an engine takes before it trains anything: torch, and the libraries under it."""
_FLOAT = 4
_PER_PARAM = 4
"""Numbers for each parameter: itself, its gradient and two moments of the optimiser."""
_PER_ACTIVATION = 2
"""Numbers for each activation: itself and its gradient."""


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that training one run takes at the least.

    Attributes:
        parameters: with gradients and the optimiser's state.
        activations: of one batch, with gradients.
        data: the examples.

    """

    parameters: int
    activations: int
    data: int

    @property
    def total(self) -> int:
        """With the engine itself."""
        return self.parameters + self.activations + self.data + ENGINE_BYTES


@dataclass(frozen=True, slots=True)
class Demand:
    """One candidate, as far as memory is concerned.

    Attributes:
        name: of the candidate.
        num_params: of its network.
        batch: examples of a step.
        need: bytes of one run.

    """

    name: str
    num_params: int
    batch: int
    need: Need


def demand(name: str, count: NetworkCount, training: Training, task: TaskFacts) -> Demand:
    """What training a network with these counts demands."""
    batch = batch_of(training.batch_size, task)
    need = Need(
        parameters=_FLOAT * _PER_PARAM * count.num_params,
        activations=_FLOAT * _PER_ACTIVATION * count.activations * batch,
        data=_FLOAT * math.prod(task.in_shape) * task.num_train,
    )
    return Demand(name, count.num_params, batch, need)


def demands_of(setting: Setting) -> tuple[Demand, ...]:
    """What each candidate demands."""
    candidates = setting.comparison.candidates
    return tuple(
        demand(candidate.name, one, training, setting.task)
        for candidate, one, training in zip(candidates, setting.counts, setting.trainings, strict=True)
    )


def misfit(demands: Sequence[Demand], available: int, where: str) -> str | None:
    """Why not every candidate fits into so many bytes, with what would; None where all do.

    Args:
        demands: of the candidates; none at all fit anywhere.
        available: bytes.
        where: they are, as the end of a sentence: ``in this machine``, ``free on cuda:0``.

    """
    worst = max(demands, key=lambda one: one.need.total, default=None)
    if worst is None or worst.need.total <= available:
        return None
    need = worst.need
    parts = f"{_size(need.parameters)} for parameters and optimiser, {_size(need.activations)} for activations"
    return (
        f"candidate {worst.name} needs about {_size(need.total)} of memory for one run ({parts}), "
        f"and there are {_size(available)} {where}; {_remedy(worst, available)}"
    )


def shortage(demands: Sequence[Demand], now: "Resources", device: str, *, worth_a_gpu: bool) -> str | None:
    """Why not every candidate fits into the memory that is free now, with what would; None where all do.

    Args:
        demands: of the candidates.
        now: the machine.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        worth_a_gpu: whether ``auto`` takes a GPU where there is one.

    """
    if device.startswith("cuda") or (device == "auto" and worth_a_gpu and now.gpus):
        wanted = [gpu for gpu in now.gpus if device in ("auto", "cuda", f"cuda:{gpu.index}")]
        free = [(gpu.memory_total - gpu.memory_used, f"free on cuda:{gpu.index}") for gpu in wanted]
        return misfit(demands, *max(free)) if free else None
    return misfit(demands, now.memory_available, "free")


def unsupported(comparison: Comparison, device: str, *, gpu: bool) -> str | None:
    """Why the products of some candidate cannot be computed as it asks, with what can; None where all can.

    Args:
        comparison: what is to be run.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        gpu: whether there is a GPU, as far as is known.

    """
    asked = [one.name for one in comparison.candidates if comparison.training_of(one).precision is Precision.TF32]
    if not asked or (gpu and device != "cpu"):
        return None
    seen = "" if device == "cpu" else ", and none is seen here"
    return f"candidate {asked[0]} asks for precision tf32, which needs a CUDA device{seen}; use float32 or bf16"


def _remedy(worst: Demand, available: int) -> str:
    """What would fit: a smaller batch if that is enough, else fewer parameters."""
    need = worst.need
    room = available - ENGINE_BYTES - need.data
    fitting = (room - need.parameters) * worst.batch // max(1, need.activations)
    if fitting >= 1:
        return f"a batch_size of at most {fitting:,} fits"
    per_param = (need.parameters + need.activations / worst.batch) / max(1, worst.num_params)
    if room < per_param:
        return "not even the smallest network fits there"
    fitting = int(room / per_param)
    rounded = fitting - fitting % 10 ** max(0, len(str(fitting)) - 2)
    return f"a network of about {rounded:,} parameters fits (it has {worst.num_params:,})"


def _size(number: int) -> str:
    for unit, scale in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20)):
        if number >= scale:
            return f"{number / scale:,.1f} {unit}"
    return f"{number / 1024:,.0f} KiB"
