"""The bench as a value: a comparison under construction, which candidate is selected, and all that can be undone."""

import re
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from tuilab.analysis.counting import LayerCount, NetworkCount
from tuilab.analysis.matching import Quantity
from tuilab.analysis.outline import as_far_as_it_fits, count_as_written
from tuilab.spec.comparison import LETTERS, Candidate, Comparison
from tuilab.spec.errors import LabError
from tuilab.spec.layers import Stack
from tuilab.spec.network import Network
from tuilab.spec.notation import format_stack
from tuilab.spec.shapes import Shape
from tuilab.spec.task import TaskFacts, facts

MAX_CANDIDATES = len(LETTERS)
MAX_NAME = 40
"""Characters of a candidate's name; so many layers say at least as many."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What matching aims at.

    Attributes:
        quantity: what is counted.
        amount: how many; None is what the budget's reference has.

    """

    quantity: Quantity = "num_params"
    amount: int | None = None


@dataclass(frozen=True)
class Bench:
    """What is on the bench.

    Attributes:
        comparison: as it would run now.
        facts: what its task asks of a network.
        origin: the comparison as it was opened or last run.
        source: preset name or file it came from; empty when built here.
        selected: index of the selected candidate.
        past: earlier (comparison, selected), oldest first; undo goes back through them.
        future: undone ones, next redo last.
        goal: what matching aims at.

    """

    comparison: Comparison
    facts: TaskFacts
    origin: Comparison
    source: str = ""
    selected: int = 0
    past: tuple[tuple[Comparison, int], ...] = ()
    future: tuple[tuple[Comparison, int], ...] = ()
    goal: Goal = Goal()
    held: bool = False
    """Whether widths follow every change, so that the budget is kept."""
    kept: tuple[Comparison, ...] = ()
    """What else was opened, run or saved here, and can be found again."""

    @property
    def candidate(self) -> Candidate:
        """The selected candidate."""
        return self.comparison.candidates[self.selected]

    @property
    def unsaved(self) -> bool:
        """Whether there is something on the bench that was never opened, run or saved."""
        return self.edited and self.comparison not in self.kept

    @property
    def edited(self) -> bool:
        """Whether a run now would differ from what was opened or last run."""
        return self.comparison != self.origin

    @property
    def reference(self) -> int:
        """Parameters that the others are measured against: the budget's reference, else the first candidate's.

        Raises:
            LabError: when the reference's stack does not fit.

        """
        named = self.comparison.protocol.budget.reference
        if isinstance(named, int):
            return named
        candidates = self.comparison.candidates
        chosen = next((c for c in candidates if c.name == named), candidates[0])
        counted = self.count(chosen)
        if isinstance(counted, LabError):
            raise counted
        return counted.num_params

    def network(self, candidate: Candidate) -> Network:
        """The candidate's network for this task.

        Raises:
            LabError: when the loss does not fit the task.

        """
        return self.comparison.network_of(candidate, self.facts)

    def rows(self, candidate: Candidate) -> tuple[LayerCount, ...]:
        """One row a layer as written, also where the candidate cannot be built: then as far as its layers fit."""
        counted = self.count(candidate)
        if not isinstance(counted, LabError):
            return counted.layers
        try:
            network = self.network(candidate)
        except LabError:
            network = Network(candidate.stack, self.facts.in_shape)
        return _rows_of(_Same(network.stack), network.in_shape, network.out_features)

    @cached_property
    def counts(self) -> tuple[NetworkCount | LabError, ...]:
        """What each candidate costs, or why it cannot be built."""
        return tuple(self._count(candidate) for candidate in self.comparison.candidates)

    def count(self, candidate: Candidate) -> NetworkCount | LabError:
        """What one candidate costs, or why it cannot be built."""
        for known, counted in zip(self.comparison.candidates, self.counts, strict=True):
            if known is candidate:
                return counted
        return self._count(candidate)

    def _count(self, candidate: Candidate) -> NetworkCount | LabError:
        try:
            return count_of(self.network(candidate))
        except LabError as error:
            return error


def count_of(network: Network) -> NetworkCount:
    """One row a layer as written, remembered: the same networks are asked for again and again.

    Raises:
        ShapeError: when layers do not fit.

    """
    return _count_of(_Same(network.stack), network.in_shape, network.out_features)


class _Same:
    """A stack as a key that only this very stack equals: to compare ten thousand layers takes longer than to look."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def __hash__(self) -> int:
        return id(self.stack)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.stack is self.stack


@lru_cache(maxsize=64)
def _count_of(same: _Same, in_shape: Shape, out_features: int | None) -> NetworkCount:
    return count_as_written(Network(same.stack, in_shape, out_features))


@lru_cache(maxsize=16)
def _rows_of(same: _Same, in_shape: Shape, out_features: int | None) -> tuple[LayerCount, ...]:
    return as_far_as_it_fits(Network(same.stack, in_shape, out_features))


def open_bench(comparison: Comparison, source: str = "") -> Bench:
    """A bench with this comparison.

    Raises:
        LabError: when the task's file cannot be used.

    """
    return Bench(comparison, facts(comparison.task), comparison, source)


def kept(bench: Bench) -> Bench:
    """The bench once its comparison has been run or saved: it is where edits start from now."""
    return replace(bench, origin=bench.comparison, kept=(*bench.kept, bench.origin))


def change(bench: Bench, comparison: Comparison, selected: int | None = None) -> Bench:
    """The bench with another comparison; what was there can be undone.

    Raises:
        LabError: when the task's file cannot be used.

    """
    at = bench.selected if selected is None else selected
    at = max(0, min(at, len(comparison.candidates) - 1))
    if comparison == bench.comparison:
        return replace(bench, selected=at)
    known = bench.facts if comparison.task == bench.comparison.task else facts(comparison.task)
    past = (*bench.past, (bench.comparison, bench.selected))
    return replace(bench, comparison=comparison, facts=known, selected=at, past=past, future=())


def undo(bench: Bench) -> Bench:
    """The bench before the last change; itself when there is none."""
    if not bench.past:
        return bench
    comparison, selected = bench.past[-1]
    future = (*bench.future, (bench.comparison, bench.selected))
    return _restore(bench, comparison, selected, bench.past[:-1], future)


def redo(bench: Bench) -> Bench:
    """The bench before the last undo; itself when there is none."""
    if not bench.future:
        return bench
    comparison, selected = bench.future[-1]
    past = (*bench.past, (bench.comparison, bench.selected))
    return _restore(bench, comparison, selected, past, bench.future[:-1])


def _restore(
    bench: Bench,
    comparison: Comparison,
    selected: int,
    past: tuple[tuple[Comparison, int], ...],
    future: tuple[tuple[Comparison, int], ...],
) -> Bench:
    known = bench.facts if comparison.task == bench.comparison.task else facts(comparison.task)
    return replace(bench, comparison=comparison, facts=known, selected=selected, past=past, future=future)


def select(bench: Bench, index: int) -> Bench:
    """The bench with another candidate selected; beyond the ends, the nearest."""
    return replace(bench, selected=max(0, min(index, len(bench.comparison.candidates) - 1)))


def with_stack(bench: Bench, stack: Stack, index: int | None = None) -> Bench:
    """The selected candidate (or that at ``index``) with another stack."""
    return change(bench, restacked(bench.comparison, bench.selected if index is None else index, stack))


def restacked(comparison: Comparison, index: int, stack: Stack) -> Comparison:
    """The comparison with another stack for one candidate, whose name follows if it said the old stack."""
    candidates = list(comparison.candidates)
    old = candidates[index]
    candidates[index] = old.model_copy(update={"stack": stack})
    changed = comparison.model_copy(update={"candidates": tuple(candidates)})
    said = named_after(old.stack)
    follows = old.name == said or re.sub(r" \d+$", "", old.name) == said[:36]
    if not follows or named_after(stack) == said:
        return changed
    others = comparison.model_copy(update={"candidates": (*candidates[:index], *candidates[index + 1 :])})
    return renamed(changed, index, unique_name(others, named_after(stack)))


def named_after(stack: Stack) -> str:
    """The name of a candidate that was not given any: its notation."""
    return (format_stack(stack[:MAX_NAME]) or "linear")[:MAX_NAME]


def add(bench: Bench, candidate: Candidate) -> Bench:
    """One more candidate after the selected one, selected; its name is made unique.

    Raises:
        LabError: when there is no letter left.

    """
    candidates = bench.comparison.candidates
    if len(candidates) >= MAX_CANDIDATES:
        raise LabError(f"a comparison holds at most {MAX_CANDIDATES} candidates; delete one first")
    named = candidate.model_copy(update={"name": unique_name(bench.comparison, candidate.name)})
    at = bench.selected + 1
    return change(bench, with_candidates(bench.comparison, (*candidates[:at], named, *candidates[at:])), at)


def delete(bench: Bench) -> Bench:
    """Without the selected candidate.

    Raises:
        LabError: when it is the only one.

    """
    candidates = bench.comparison.candidates
    if len(candidates) == 1:
        raise LabError("a comparison needs at least one candidate; edit this one instead")
    at = bench.selected
    return change(bench, with_candidates(bench.comparison, (*candidates[:at], *candidates[at + 1 :])))


def rename(bench: Bench, name: str) -> Bench:
    """The selected candidate under another name; expectations and the budget's reference follow.

    Raises:
        LabError: when the name is empty, too long, has control characters, or another candidate has it.

    """
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise LabError("a name has 1 to 40 printable characters")
    if name != bench.candidate.name and any(candidate.name == name for candidate in bench.comparison.candidates):
        raise LabError(f"there is a candidate {name!r} already; choose another name")
    return change(bench, renamed(bench.comparison, bench.selected, name))


def renamed(comparison: Comparison, index: int, name: str) -> Comparison:
    """The comparison with another name for one candidate; expectations and the budget's reference follow."""
    candidates = list(comparison.candidates)
    old = candidates[index].name
    candidates[index] = candidates[index].model_copy(update={"name": name})
    budget = comparison.protocol.budget
    update: dict[str, object] = {"candidates": tuple(candidates)}
    if budget.reference == old:
        reference = budget.model_copy(update={"reference": name})
        update["protocol"] = comparison.protocol.model_copy(update={"budget": reference})
    update["expect"] = tuple(
        expected.model_copy(
            update={
                "candidate": name if expected.candidate == old else expected.candidate,
                "against": name if expected.against == old else expected.against,
            }
        )
        for expected in comparison.expect
    )
    return comparison.model_copy(update=update)


def shift(bench: Bench, step: int) -> Bench:
    """The selected candidate one place earlier (-1) or later (1)."""
    to = bench.selected + step
    candidates = list(bench.comparison.candidates)
    if not 0 <= to < len(candidates):
        return bench
    candidates.insert(to, candidates.pop(bench.selected))
    return change(bench, bench.comparison.model_copy(update={"candidates": tuple(candidates)}), to)


def unique_name(comparison: Comparison, wish: str) -> str:
    """``wish``, or with a number where a candidate has that name already."""
    taken = {candidate.name for candidate in comparison.candidates}
    if wish not in taken:
        return wish
    base = re.sub(r" \d+$", "", wish)[:36]
    return next(name for name in (f"{base} {number}" for number in range(2, 100)) if name not in taken)


def with_candidates(comparison: Comparison, candidates: tuple[Candidate, ...]) -> Comparison:
    """The comparison with other candidates, without what it said about those that are gone."""
    names = {candidate.name for candidate in candidates}
    update: dict[str, object] = {"candidates": candidates}
    update["expect"] = tuple(e for e in comparison.expect if e.candidate in names and e.against in names)
    budget = comparison.protocol.budget
    if isinstance(budget.reference, str) and budget.reference not in names:
        loose = budget.model_copy(update={"reference": None})
        update["protocol"] = comparison.protocol.model_copy(update={"budget": loose})
    return comparison.model_copy(update=update)
