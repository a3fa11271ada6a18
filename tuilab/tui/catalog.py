"""The presets as the library shows them: loaded once, after the first paint."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuilab.spec.comparison import Comparison


@dataclass(frozen=True, slots=True)
class Preset:
    """One preset file, read.

    Attributes:
        name: as on the command line.
        path: where it lies.
        comparison: what it says.
        num_params: of each candidate.
        seconds: about how long it takes on this machine's CPU.

    """

    name: str
    path: Path
    comparison: "Comparison"
    num_params: tuple[int, ...]
    seconds: float


def load_presets() -> tuple[tuple[Preset, ...], tuple[str, ...]]:
    """Every preset that can be read, and a sentence for each that cannot."""
    from tuilab.spec.errors import LabError
    from tuilab.spec.presets import find_preset, preset_names

    presets, problems = [], []
    for name in preset_names():
        try:
            presets.append(load_preset(name, find_preset(name)))
        except LabError as error:
            problems.append(str(error))
    presets.sort(key=lambda preset: _FIRST.index(preset.name) if preset.name in _FIRST else len(_FIRST))
    return tuple(presets), tuple(problems)


def load_preset(name: str, path: Path) -> Preset:
    """One preset file.

    Raises:
        LabError: when it is not one.

    """
    from tuilab.spec.preset_file import load

    comparison = load(path)
    counts = costs(comparison)
    return Preset(name, path, comparison, tuple(count[0] for count in counts), seconds_of(comparison, counts))


_FIRST = ("spirals-depth", "digits-depth")
"""The presets that say best what the lab is for come first, the others by name."""
_MACS_PER_SECOND = 4e9
"""Of small float32 matrix products on one core, forward and backward alike."""
_SECONDS_PER_STEP = 4e-4
"""Of one optimiser step of a packed group, whatever its size."""


def costs(comparison: "Comparison") -> tuple[tuple[int, int], ...]:
    """(num_params, macs) of each candidate.

    Raises:
        LabError: when a stack does not fit the task.

    """
    from tuilab.analysis.counting import count
    from tuilab.spec.task import facts

    known = facts(comparison.task)
    counts = [count(comparison.network_of(candidate, known)) for candidate in comparison.candidates]
    return tuple((each.num_params, each.macs) for each in counts)


def seconds_of(comparison: "Comparison", counts: tuple[tuple[int, int], ...]) -> float:
    """About how long the comparison takes on one core: a guess within a factor of three."""
    total = 0.0
    for candidate, (_, macs) in zip(comparison.candidates, counts, strict=True):
        training = comparison.training_of(candidate)
        batch = 512 if training.batch_size == "full" else training.batch_size
        protocol = comparison.protocol
        fixed = training.lr is not None or not training.needs_lr
        tuning = 0 if fixed else len(protocol.lr_grid) * protocol.tuning_seeds
        for replicas in (tuning, protocol.final_seeds):
            if replicas:
                per_step = _SECONDS_PER_STEP + 3 * replicas * batch * macs / _MACS_PER_SECOND
                total += training.steps * per_step
    return total
