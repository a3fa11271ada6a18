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
    """Every preset that can be read, by question, and a sentence for each that cannot.

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
    return by_question(presets), tuple(problems)


def by_question(presets: "Sequence[Preset]") -> tuple[Preset, ...]:
    """Presets that ask the same stand together, and in each question those that say best what the lab is for first."""
    ordered = sorted(presets, key=lambda one: _FIRST.index(one.name) if one.name in _FIRST else len(_FIRST))
    place = {question: i for i, question in enumerate(dict.fromkeys(one.comparison.question for one in ordered))}
    return tuple(sorted(ordered, key=lambda one: place[one.comparison.question]))


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


_FIRST = ("spirals-depth", "digits-depth", "depth-to-gpt3")
"""The presets that say best what the lab is for, and so the two questions that it was made for, come first."""


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
