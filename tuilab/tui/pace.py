"""How fast the lab trains, from how far its experiments are at two moments. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuilab.store.records import ExperimentRecord

_WINDOW = 10.0
"""Seconds over which steps are counted."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Steps of the experiments that train, at some moments.

    Attributes:
        trains: whether any trains now.
        samples: (seconds, steps done of each by id), oldest first.

    """

    trains: bool = False
    samples: tuple[tuple[float, Mapping[str, int]], ...] = field(default=())

    def after(self, experiments: "Sequence[ExperimentRecord]", now: float) -> "Pace":
        """The pace with one more look.

        Args:
            experiments: all of the lab, as they are now.
            now: seconds of a clock that never goes back.

        """
        training = {one.id: one.done_steps for one in experiments if one.status.value == "running"}
        kept = tuple(sample for sample in self.samples if now - sample[0] <= _WINDOW)
        return Pace(bool(training), (*kept, (now, training)) if training else ())

    @property
    def steps_per_second(self) -> float | None:
        """Over all that train; None while unknown."""
        if len(self.samples) < 2:
            return None
        (first, before), (last, after) = self.samples[0], self.samples[-1]
        taken = sum(max(0, after[one] - before[one]) for one in after.keys() & before.keys())
        return taken / (last - first) if taken and last > first else None
