"""What a report says of the protocol: every choice that was made before a run, and what tuning found."""

from collections.abc import Mapping, Sequence

from tuilab.analysis.caveats import learnt_nothing
from tuilab.analysis.efficiency import CandidateFacts
from tuilab.analysis.evidence import reference_index
from tuilab.analysis.plan_cost import plan_cost, planned_tuning_runs
from tuilab.analysis.report_blocks import Block, Bullets, Heading, Paragraph, Table
from tuilab.analysis.result import Result
from tuilab.analysis.statistics import mean
from tuilab.analysis.wording import count_text, listed, metric_text, number, percent
from tuilab.spec.comparison import BudgetRule, Comparison, Protocol, dump
from tuilab.spec.notation import format_stack
from tuilab.spec.task import TaskFacts

_TESTS = {
    "welch_log": "Welch's t test on log(metric + 0.0001)",
    "welch": "Welch's t test",
    "mann_whitney": "the Mann-Whitney U test",
    "paired": "a t test of differences paired by seed",
    "nadeau_bengio": "a paired t test corrected for overlapping splits (Nadeau and Bengio 2003)",
}
_NONE = "–"


def protocol_blocks(comparison: Comparison, task_facts: TaskFacts, candidates: Sequence[CandidateFacts]) -> list[Block]:
    """What was run, and every choice of the protocol."""
    protocol = comparison.protocol
    cost = plan_cost(comparison, [(one.num_params, one.macs) for one in candidates], None, task_facts)
    task = comparison.task.model_dump(mode="json", exclude={"kind"})
    settings = ", ".join(f"{key} {value}" for key, value in task.items() if value is not None)
    items = [
        f"Task: {comparison.task.kind} ({settings}).",
        f"Training: {_training(comparison)}.",
        *_own_trainings(comparison),
        _tuning(comparison),
        (
            f"Final runs: {count_text(protocol.final_seeds, 'seed')} that tuning never saw, shared by all candidates; "
            "each draws its own data (or split) and initialisation."
        ),
        (
            f"Decision: {_TESTS[protocol.test]}, two-sided at 5 %, p values adjusted by Holm over all tested pairs; "
            "failed runs count as networks that have learnt nothing."
        ),
        _margin(protocol, task_facts.metric),
        (
            f"Planned: {count_text(cost.runs, 'run')} ({cost.tuning_runs:,} of them for tuning), {cost.steps:,} steps, "
            f"{cost.flops:,} FLOPs; {_on_top(comparison, cost.tuning_runs)}."
        ),
    ]
    return [Heading("What was run"), Bullets(tuple(items)), _budget_table(comparison, candidates)]


def _on_top(comparison: Comparison, tuning_runs: int) -> str:
    """What may be trained besides what was planned."""
    protocol = comparison.protocol
    extras = [
        *(["extensions of the learning-rate grid"] if protocol.extend_grid else []),
        *(["further tuning seeds of candidates that fail now and then"] if protocol.retune_seeds else []),
    ]
    return f"{listed(extras)} come on top" if tuning_runs and extras else "nothing comes on top"


def _training(comparison: Comparison) -> str:
    training = comparison.training
    optimizer = {**training.optimizer.model_dump(mode="json")}
    kind = optimizer.pop("kind")
    settings = ", ".join(f"{key} {value}" for key, value in optimizer.items())
    schedule = training.schedule.kind
    return (
        f"{kind} ({settings}), schedule {schedule}, {training.steps:,} steps, batch {training.batch_size}, "
        f"init {training.init.value} (scale {number(training.init_scale)}, biases {number(training.bias_std)}), "
        f"products in {training.precision.value}"
    )


def _own_trainings(comparison: Comparison) -> list[str]:
    """How the candidates whose training is not the comparison's differ from it, an item for each difference."""
    names: dict[str, list[str]] = {}
    for candidate in dump(comparison)["candidates"]:
        if own := ", ".join(_field(key, value) for key, value in candidate.get("training", {}).items()):
            names.setdefault(own, []).append(candidate["name"])
    return [f"For {listed(alike)}: {own}." for own, alike in names.items()]


def _field(name: str, value: object) -> str:
    """A field of a training as a sentence lists it: ``steps 500``, ``optimizer sgd (momentum 0.9)``."""
    match value:
        case {"kind": kind, **rest}:
            inner = ", ".join(_field(str(key), each) for key, each in rest.items())
            return f"{name} {kind}" + (f" ({inner})" if inner else "")
        case float():
            return f"{name.replace('_', ' ')} {number(value)}"
        case None:
            return f"{name.replace('_', ' ')} tuned" if name == "lr" else f"{name.replace('_', ' ')} by default"
        case _:
            return f"{name.replace('_', ' ')} {value}"


def _tuning(comparison: Comparison) -> str:
    protocol = comparison.protocol
    tuned = [planned_tuning_runs(comparison, candidate) > 0 for candidate in comparison.candidates]
    rates = listed([number(lr) for lr in sorted(set(protocol.lr_grid))])
    extended = ", extended where the best lies at an edge" if protocol.extend_grid else ""
    more = f", and {protocol.retune_seeds:,} more at its best rates where some of its runs fail there"
    grid = (
        f"the learning rate is chosen on validation from {rates}{extended}, with "
        f"{count_text(protocol.tuning_seeds, 'seed')} of its own for each{more if protocol.retune_seeds else ''}"
    )
    if all(tuned):
        return f"Tuning: for every candidate {grid}."
    if any(tuned):
        names = [one.name for one, is_tuned in zip(comparison.candidates, tuned, strict=True) if is_tuned]
        return f"Tuning: for {listed(names)} {grid}; the others have fixed rates."
    fixed = sorted({comparison.training_of(one).lr or protocol.lr_grid[0] for one in comparison.candidates})
    return f"Tuning: none; the learning rate is fixed at {listed([number(lr) for lr in fixed])}."


def _margin(protocol: Protocol, metric: str) -> str:
    if protocol.margin is None:
        return "Equivalence is not tested: the preset fixes no margin."
    margin = percent(protocol.margin) if metric == "error" else number(protocol.margin)
    return f"Equivalence: two one-sided tests with a margin of {margin}, fixed before the run."


def _budget_table(comparison: Comparison, candidates: Sequence[CandidateFacts]) -> Table:
    budget = comparison.protocol.budget
    reference = candidates[reference_index(comparison)]
    target = budget.reference if isinstance(budget.reference, int) else reference.num_params
    free = budget.rule is BudgetRule.NONE
    off = () if free else (f"off budget ({budget.rule.value.replace('_', ' ')} {target:,})",)
    rows = []
    for one, candidate in zip(candidates, comparison.candidates, strict=True):
        error = f"{100 * (one.num_params - target) / target:+.1f} %" if target else _NONE
        rows.append(
            (
                one.name,
                format_stack(candidate.stack) or "no hidden layer",
                f"{one.num_params:,}",
                *(() if free else (error,)),
                f"{one.degrees_of_freedom:,}",
                f"{one.macs:,}",
            )
        )
    return Table(("candidate", "stack", "params", *off, "freedom", "MACs"), tuple(rows))


def tuning_blocks(
    result: Result, rates: Sequence[tuple[str, float, Sequence[float | None]]], chance: float
) -> list[Block]:
    """Mean validation metric of every candidate at every learning rate tried.

    Args:
        result: for the metric's name and the rates that were chosen.
        rates: (candidate, learning rate, metrics of its tuning runs, None for one that diverged).
        chance: the metric of a network that has learnt nothing.

    """
    if not rates:
        return []
    names = list(dict.fromkeys(name for name, _, _ in rates))
    lrs = sorted({lr for _, lr, _ in rates})
    by_key = {(name, lr): values for name, lr, values in rates}
    chosen = {one.name: _NONE if one.lr is None else number(one.lr) for one in result.candidates}
    cells = {key: _tuned(result.metric, values, chance) for key, values in by_key.items()}
    rows = tuple((name, *(cells.get((name, lr), _NONE) for lr in lrs), chosen.get(name, _NONE)) for name in names)
    header = ("candidate", *(f"lr {number(lr)}" for lr in lrs), "chosen")
    about = (
        "Mean validation metric of the tuning runs that did not diverge; in brackets how many of them failed "
        "(diverged, or learnt nothing). The choice counts a diverged run as the worst."
    )
    further = [_further_seeds(name, {lr: by_key[name, lr] for lr in lrs if (name, lr) in by_key}) for name in names]
    told = [Bullets(tuple(filter(None, further)))] if any(further) else []
    return [Heading("Tuning"), Paragraph(about), Table(header, rows), *told]


def _tuned(metric: str, values: Sequence[float | None], chance: float) -> str:
    known = [value for value in values if value is not None]
    failures = sum(value is None or learnt_nothing(value, chance) for value in values)
    failed = f" ({failures} of {len(values)} failed)" if failures else ""
    middle = mean(known)
    return ("failed" if middle is None else metric_text(metric, middle, None)) + failed


def _further_seeds(name: str, by_lr: Mapping[float, Sequence[float | None]]) -> str:
    """Which rates of a candidate had further seeds, and why; empty where none had."""
    usual = min(map(len, by_lr.values()))
    further = {lr: len(values) for lr, values in by_lr.items() if len(values) > usual}
    if not further:
        return ""
    return (
        f"{name} fails now and then: its best rates {listed([number(lr) for lr in further])} had "
        f"{max(further.values()):,} tuning seeds instead of {usual:,}."
    )
