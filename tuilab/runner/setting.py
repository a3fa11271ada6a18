"""Everything about a comparison that stays the same while it runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuilab.analysis.counting import NetworkCount, count
from tuilab.analysis.evidence import chance_metric
from tuilab.runner.packing import Load, batch_of, load_of
from tuilab.spec.comparison import Comparison
from tuilab.spec.errors import LabError
from tuilab.spec.task import TaskFacts, facts
from tuilab.spec.training import Precision, Training

GPU_WORTH = 10**8
"""MACs of one step of a whole group from which ``auto`` prefers CUDA: below, launching kernels takes longer than the
arithmetic would on one core."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A comparison with what follows from it. The tuples are in the order of its candidates.

    Attributes:
        comparison: what is run.
        task: what its task asks of a network.
        trainings: how each candidate is trained.
        counts: of each candidate's network.
        loads: what one run of each candidate asks of a machine.

    """

    comparison: Comparison
    task: TaskFacts
    trainings: tuple[Training, ...]
    counts: tuple[NetworkCount, ...]
    loads: tuple[Load, ...]

    @property
    def totals(self) -> tuple[tuple[int, int], ...]:
        """(num_params, macs) of each candidate."""
        return tuple((one.num_params, one.macs) for one in self.counts)

    @property
    def chance(self) -> float:
        """The metric of a network that has learnt nothing."""
        return chance_metric(self.task)

    @property
    def worth_a_gpu(self) -> bool:
        """Whether a step of the largest candidate's group is more arithmetic than overhead on a GPU."""
        return worth_a_gpu(self.counts, self.trainings, self.task, self.comparison.protocol.final_seeds)


def worth_a_gpu(counts: Sequence[NetworkCount], trainings: Sequence[Training], task: TaskFacts, replicas: int) -> bool:
    """Whether a step of some candidate's group of so many replicas is more arithmetic than overhead on a GPU.

    TF32 is there on a GPU only: whoever asks for it wants one.
    """
    return any(training.precision is Precision.TF32 for training in trainings) or any(
        one.macs * batch_of(training.batch_size, task) * replicas >= GPU_WORTH
        for one, training in zip(counts, trainings, strict=True)
    )


def setting_of(comparison: Comparison) -> Setting:
    """Count the comparison's networks for its task.

    Raises:
        LabError: when a network does not fit the task, or a CSV file cannot be used.

    """
    task = facts(comparison.task)
    trainings, counts = [], []
    for candidate in comparison.candidates:
        try:
            counts.append(count(comparison.network_of(candidate, task)))
        except LabError as error:
            raise LabError(f"candidate {candidate.name}: {error}") from error
        trainings.append(comparison.training_of(candidate))
    loads = tuple(load_of(one, training, task) for one, training in zip(counts, trainings, strict=True))
    return Setting(comparison, task, tuple(trainings), tuple(counts), loads)
