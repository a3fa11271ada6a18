"""Whether a comparison fits into memory, before anything is trained, and what would."""

import math
from dataclasses import dataclass

from tuilab.analysis.counting import NetworkCount
from tuilab.runner.packing import batch_of
from tuilab.runner.setting import Setting
from tuilab.spec.task import TaskFacts
from tuilab.spec.training import Training

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


def need_of(count: NetworkCount, training: Training, task: TaskFacts) -> Need:
    """What one run of a network with these counts takes."""
    batch = batch_of(training.batch_size, task)
    return Need(
        parameters=_FLOAT * _PER_PARAM * count.num_params,
        activations=_FLOAT * _PER_ACTIVATION * count.activations * batch,
        data=_FLOAT * math.prod(task.in_shape) * task.num_train,
    )


def misfit(setting: Setting, available: int, where: str) -> str | None:
    """Why the comparison does not fit into so many bytes, with what would; None where it does.

    Args:
        setting: what is to be run.
        available: bytes.
        where: they are, as the end of a sentence: ``in this machine``, ``free on cuda:0``.

    """
    needs = [need_of(one, train, setting.task) for one, train in zip(setting.counts, setting.trainings, strict=True)]
    worst = max(range(len(needs)), key=lambda index: needs[index].total)
    need = needs[worst]
    if need.total <= available:
        return None
    name = setting.comparison.candidates[worst].name
    parts = f"{_size(need.parameters)} for parameters and optimiser, {_size(need.activations)} for activations"
    return (
        f"candidate {name} needs about {_size(need.total)} of memory for one run ({parts}), "
        f"and there are {_size(available)} {where}; {_remedy(setting, worst, need, available)}"
    )


def _remedy(setting: Setting, index: int, need: Need, available: int) -> str:
    """What would fit: a smaller batch if that is enough, else fewer parameters."""
    room = available - ENGINE_BYTES - need.data
    batch = batch_of(setting.trainings[index].batch_size, setting.task)
    fitting = (room - need.parameters) * batch // max(1, need.activations)
    if fitting >= 1:
        return f"a batch_size of at most {fitting:,} fits"
    count = setting.counts[index]
    per_param = _FLOAT * (_PER_PARAM + _PER_ACTIVATION * count.activations / max(1, count.num_params))
    if room < per_param:
        return "not even the smallest network fits there"
    fitting = int(room / per_param)
    rounded = fitting - fitting % 10 ** max(0, len(str(fitting)) - 2)
    return f"a network of about {rounded:,} parameters fits (it has {count.num_params:,})"


def _size(number: int) -> str:
    for unit, scale in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20)):
        if number >= scale:
            return f"{number / scale:,.1f} {unit}"
    return f"{number / 1024:,.0f} KiB"
