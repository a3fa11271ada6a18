"""The presets as the library shows them: loaded once, after the first paint."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuilab.spec.comparison import Comparison
    from tuilab.store.rates import Measured


@dataclass(frozen=True, slots=True)
class Preset:
    """One preset file, read.

    Attributes:
        name: as on the command line.
        path: where it lies.
        comparison: what it says.
        num_params: of each candidate.
        seconds: about how long its training takes here.
        measured: whether that follows from what has run in this lab; else it is a guess.

    """

    name: str
    path: Path
    comparison: "Comparison"
    num_params: tuple[int, ...]
    seconds: float
    measured: bool = False


def load_presets(home: Path | None = None) -> tuple[tuple[Preset, ...], tuple[str, ...]]:
    """Every preset that can be read, and a sentence for each that cannot.

    Args:
        home: of the lab whose experiments say how fast this machine is; None guesses.

    """
    from tuilab.spec.errors import LabError
    from tuilab.spec.presets import find_preset, preset_names

    rates = known_rates(home) if home is not None else ()
    presets, problems = [], []
    for name in preset_names():
        try:
            presets.append(load_preset(name, find_preset(name), rates))
        except LabError as error:
            problems.append(str(error))
    presets.sort(key=lambda preset: _FIRST.index(preset.name) if preset.name in _FIRST else len(_FIRST))
    return tuple(presets), tuple(problems)


def known_rates(home: Path) -> "tuple[Measured, ...]":
    """How fast this lab has trained before; nothing where it has no store yet, or one that cannot be read."""
    from tuilab.spec.errors import LabError
    from tuilab.store.rates import measured_rates
    from tuilab.store.reader import Reader

    try:
        with Reader(home) as reader:
            return tuple(measured_rates(reader))
    except LabError:
        return ()


def load_preset(name: str, path: Path, rates: "Sequence[Measured]" = ()) -> Preset:
    """One preset file, with the time that it would take at ``rates``.

    Raises:
        LabError: when it is not one.

    """
    from tuilab.spec.preset_file import load
    from tuilab.store.rates import estimate_at

    comparison = load(path)
    expected = estimate_at(rates, comparison)
    params = tuple(count[0] for count in costs(comparison))
    return Preset(name, path, comparison, params, expected.cost.seconds or 0.0, expected.measured)


_FIRST = ("spirals-depth", "digits-depth")
"""The presets that say best what the lab is for come first, the others by name."""


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
