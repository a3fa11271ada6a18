"""Matching on the bench: widths that bring candidates to the budget, and whole families from one candidate. Pure."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, assert_never

from tuilab.analysis.matching import Quantity, Rule, match
from tuilab.analysis.scanning import scan_activation, scan_depths, scan_widths
from tuilab.analysis.structure import depth, hidden_widths
from tuilab.spec.comparison import Budget, BudgetRule, Candidate, Comparison
from tuilab.spec.errors import LabError
from tuilab.spec.layers import Stack
from tuilab.spec.network import Network
from tuilab.tui.bench import MAX_CANDIDATES, Bench, Goal, change, restacked, unique_name, with_candidates, with_stack

Scan = Literal["depths", "widths", "activation"]
QUANTITIES: dict[str, Quantity] = {
    "params": "num_params",
    "parameters": "num_params",
    "macs": "macs",
    "activations": "activations",
    "activation": "activations",
    "outputs": "activations",
}
"""What a budget may count, by the word that a person writes."""
QUANTITY_NAMES: dict[Quantity, str] = {"num_params": "params", "macs": "MACs", "activations": "activations"}
_RULES: dict[str, BudgetRule] = {
    "<=": BudgetRule.AT_MOST,
    "≤": BudgetRule.AT_MOST,
    "at most": BudgetRule.AT_MOST,
    ">=": BudgetRule.AT_LEAST,
    "≥": BudgetRule.AT_LEAST,
    "at least": BudgetRule.AT_LEAST,
    "=": BudgetRule.NEAREST,
    "nearest": BudgetRule.NEAREST,
}
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9, "t": 10**12}
_NUMBER = re.compile(r"(\d[\d_, ]*(?:\.\d+)?(?:e\d{1,2})?)\s*([kmbgt]?)", re.IGNORECASE)
_SEPARATORS = str.maketrans("", "", ", _")


def reference_candidate(bench: Bench) -> int | None:
    """Index of the candidate that the others are measured against; None where a number is."""
    named = bench.comparison.protocol.budget.reference
    if isinstance(named, int) or bench.goal.amount is not None:
        return None
    names = [candidate.name for candidate in bench.comparison.candidates]
    return names.index(named) if named in names else 0


def target(bench: Bench) -> int:
    """How many parameters, MACs or activations matching aims at.

    Raises:
        LabError: when the reference's stack does not fit; the sentence names it.

    """
    if bench.goal.amount is not None:
        return bench.goal.amount
    at = reference_candidate(bench)
    if at is None:
        return bench.reference
    reference = bench.comparison.candidates[at]
    counted = bench.count(reference)
    if isinstance(counted, LabError):
        raise LabError(f"{reference.name} is what the others are matched to, and it does not fit: {counted}")
    amount: int = getattr(counted, bench.goal.quantity)
    return amount


def rule_of(budget: Budget) -> Rule:
    """How matching rounds under a budget rule."""
    match budget.rule:
        case BudgetRule.AT_MOST:
            return "at_most"
        case BudgetRule.AT_LEAST:
            return "at_least"
        case BudgetRule.NEAREST | BudgetRule.NONE:
            return "nearest"
        case _:
            assert_never(budget.rule)


def known_reference(bench: Bench) -> int | None:
    """Parameters that the others are measured against; None where the reference's stack does not fit."""
    try:
        return bench.reference
    except LabError:
        return None


def is_free(bench: Bench) -> bool:
    """Whether there is no budget: candidates are compared with a reference, and may cost what they like."""
    return bench.comparison.protocol.budget.rule is BudgetRule.NONE and bench.goal == Goal()


def _matched_stack(bench: Bench, network: Network, goal: int) -> Stack:
    """The stack with widths that bring it to ``goal`` at its depth.

    Raises:
        LabError: when no widths do.

    """
    return match(network, goal, bench.goal.quantity, rule_of(bench.comparison.protocol.budget)).stack


def matched(bench: Bench, index: int | None = None) -> Bench:
    """One candidate brought to the budget; the selected one unless ``index`` says another.

    Raises:
        LabError: when no widths meet the budget, or the candidate is the reference itself.

    """
    at = bench.selected if index is None else index
    if at == reference_candidate(bench):
        raise LabError("the others are matched to this candidate; select another, or set a number with B")
    network = bench.network(bench.comparison.candidates[at])
    return with_stack(bench, _matched_stack(bench, network, target(bench)), at)


def matched_all(bench: Bench) -> tuple[Bench, tuple[str, ...]]:
    """Every candidate but the reference brought to the budget, as one change; and why where one could not be.

    Raises:
        LabError: when the reference's stack does not fit.

    """
    comparison, problems, goal = bench.comparison, list[str](), target(bench)
    for at, candidate in enumerate(bench.comparison.candidates):
        if at == reference_candidate(bench):
            continue
        try:
            comparison = restacked(comparison, at, _matched_stack(bench, bench.network(candidate), goal))
        except LabError as error:
            problems.append(f"{candidate.name}: {error}")
    return change(bench, comparison), tuple(problems)


def held(bench: Bench) -> Bench:
    """The bench with the selected candidate brought to the budget where the budget is kept; else as it is."""
    if not bench.held or bench.selected == reference_candidate(bench):
        return bench
    try:
        stack = _matched_stack(bench, bench.network(bench.candidate), target(bench))
    except LabError:
        return bench
    return replace(bench, comparison=restacked(bench.comparison, bench.selected, stack))


def budget_text(bench: Bench) -> str:
    """The budget as ``with_budget`` reads it."""
    budget = bench.comparison.protocol.budget
    if is_free(bench):
        return "none"
    at = reference_candidate(bench)
    amount = bench.goal.amount if bench.goal.amount is not None else budget.reference
    names = bench.comparison.candidates
    reference = f"same as {names[at].name}" if at is not None else f"{amount:,}"
    rule = "nearest" if budget.rule is BudgetRule.NONE else budget.rule.value.replace("_", " ")
    unit = "" if bench.goal.quantity == "num_params" else f" {bench.goal.quantity}"
    return f"{rule} {reference}{unit}"


def with_budget(bench: Bench, text: str) -> Bench:
    """The bench with the budget that a person wrote.

    ``10 000``, ``10k``, ``at most 1.2M macs``, ``same as candidate 1``, ``same as wide``, ``A``, ``none``.

    Raises:
        LabError: when the text is none of these.

    """
    rest = text.strip()
    rule = bench.comparison.protocol.budget.rule
    for mark, meant in _RULES.items():
        if rest.lower().startswith(mark):
            rule, rest = meant, rest[len(mark) :].strip()
            break
    quantity: Quantity = "num_params"
    words = rest.removesuffix(" memory").split()
    if words and words[-1].lower() in QUANTITIES:
        quantity, rest = QUANTITIES[words[-1].lower()], " ".join(words[:-1])
    reference, amount = _reference(rest, bench.comparison, quantity)
    if rule is BudgetRule.NONE and rest:
        rule = BudgetRule.NEAREST
    budget = bench.comparison.protocol.budget.model_copy(update={"rule": rule, "reference": reference})
    if rest.lower() == "none":
        budget = budget.model_copy(update={"rule": BudgetRule.NONE, "reference": None})
    protocol = bench.comparison.protocol.model_copy(update={"budget": budget})
    changed = change(bench, bench.comparison.model_copy(update={"protocol": protocol}))
    return replace(changed, goal=Goal(quantity, amount))


def _reference(text: str, comparison: Comparison, quantity: Quantity) -> tuple[str | int | None, int | None]:
    """The budget's reference, and the amount where something other than parameters is counted."""
    wanted = re.sub(r"^(same as|as|like)\s+", "", text, flags=re.IGNORECASE).strip()
    if not wanted or wanted.lower() == "none":
        return None, None
    number = _NUMBER.fullmatch(wanted)
    if number is not None:
        amount = round(float(number[1].translate(_SEPARATORS)) * _UNITS[number[2].lower()])
        if not 1 <= amount <= 10**15:
            raise LabError("a budget lies between 1 and 10^15")
        return (amount, None) if quantity == "num_params" and amount <= 10**9 else (None, amount)
    names = [candidate.name for candidate in comparison.candidates]
    if wanted in names:
        return wanted, None
    wanted = re.sub(r"^candidate\s+", "", wanted, flags=re.IGNORECASE)
    if wanted.isdecimal() and 1 <= int(wanted) <= len(names):
        return names[int(wanted) - 1], None
    if len(wanted) == 1 and wanted.isascii() and wanted.isalpha():
        at = ord(wanted.upper()) - ord("A")
        if at < len(names):
            return names[at], None
    raise LabError(f"{text!r} is not a budget; write a number such as 10k, a candidate such as A, or none")


def scanned(bench: Bench, kind: Scan) -> Bench:
    """The selected candidate turned into a family, put in its place.

    Raises:
        LabError: when no member of the family can be had, or there are too many candidates.

    """
    network = bench.network(bench.candidate)
    known = bench.goal.amount is not None or isinstance(bench.comparison.protocol.budget.reference, int)
    budget = target(bench) if known or bench.selected != reference_candidate(bench) else None
    stacks: Sequence[Stack]
    match kind:
        case "depths":
            rule = rule_of(bench.comparison.protocol.budget)
            stacks = scan_depths(network, target=budget, quantity=bench.goal.quantity, rule=rule)
        case "widths":
            stacks = scan_widths(network)
        case "activation":
            stacks = scan_activation(network)
        case _:
            assert_never(kind)
    return _with_family(bench, kind, stacks)


def _with_family(bench: Bench, kind: Scan, stacks: Sequence[Stack]) -> Bench:
    old, at = bench.candidate, bench.selected
    before, after = bench.comparison.candidates[:at], bench.comparison.candidates[at + 1 :]
    if len(before) + len(after) + len(stacks) > MAX_CANDIDATES:
        raise LabError(f"a comparison holds at most {MAX_CANDIDATES} candidates; delete some first")
    family: list[Candidate] = [old] if old.stack in stacks else []
    for stack in stacks:
        if stack == old.stack:
            continue
        name = family_name(kind, bench.network(old.model_copy(update={"stack": stack})))
        taken = bench.comparison.model_copy(update={"candidates": (*before, old, *family, *after)})
        family.append(old.model_copy(update={"name": unique_name(taken, name), "stack": stack}))
    order = {stack: place for place, stack in enumerate(stacks)}
    family.sort(key=lambda candidate: order[candidate.stack])
    return change(bench, with_candidates(bench.comparison, (*before, *family, *after)))


def family_name(kind: Scan, network: Network) -> str:
    """A name for a member of a family, from what sets it apart."""
    widths = hidden_widths(network)
    match kind:
        case "depths":
            deep = depth(network)
            return f"{deep} layer{'' if deep == 1 else 's'}"
        case "widths":
            return f"width {max(widths, default=0)}"
        case "activation":
            return "linear"
        case _:
            assert_never(kind)
