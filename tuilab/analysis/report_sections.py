"""The sections of a report, each from plain values to blocks; a section with nothing to say is empty."""

from collections.abc import Mapping, Sequence

from tuilab.analysis.columns import filled
from tuilab.analysis.efficiency import CandidateFacts, EfficiencyRow, RunFacts
from tuilab.analysis.equal_cost import EqualPoint, at_equal_flops, at_equal_seconds
from tuilab.analysis.evidence import reference_index
from tuilab.analysis.expectations import ExpectationOutcome
from tuilab.analysis.plan_cost import plan_cost, planned_tuning_runs
from tuilab.analysis.report_blocks import Block, Bullets, Figure, Heading, Paragraph, Table
from tuilab.analysis.report_charts import charts
from tuilab.analysis.result import PairVerdict, Result
from tuilab.analysis.scaling import Family, fit
from tuilab.analysis.statistics import mean
from tuilab.analysis.wording import count_text, listed, metric_text, number, p_text, percent
from tuilab.spec.comparison import BudgetRule, Comparison, Protocol
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


def answer_blocks(result: Result, outcomes: Sequence[ExpectationOutcome]) -> list[Block]:
    """The verdict, the further pairs, what the preset expected, and what this does not show."""
    blocks: list[Block] = [Heading("Answer"), Paragraph(_sentence(result.verdict), strong=True)]
    if result.comparisons:
        blocks.append(Bullets(tuple(map(_sentence, result.comparisons))))
    if outcomes:
        found = {True: "as expected", False: "NOT as expected", None: "cannot tell"}
        told = [
            f"{one.expected.candidate} against {one.expected.against}: expected {one.expected.verdict.value}, "
            f"found {one.found.kind.value if one.found else 'nothing'}: {found[one.agrees]}."
            for one in outcomes
        ]
        blocks += [Heading("What the preset's author expected", 3), Bullets(tuple(told))]
    if result.caveats:
        blocks += [Heading("What this does not show", 3), Bullets(result.caveats)]
    return blocks


def _sentence(text: str) -> str:
    """The text with its full stop; it may start with a name, so its first letter stays."""
    return text if text.endswith(".") else f"{text}."


def protocol_blocks(comparison: Comparison, task_facts: TaskFacts, candidates: Sequence[CandidateFacts]) -> list[Block]:
    """What was run, and every choice of the protocol."""
    protocol = comparison.protocol
    cost = plan_cost(comparison, [(one.num_params, one.macs) for one in candidates], None, task_facts)
    task = comparison.task.model_dump(mode="json", exclude={"kind"})
    settings = ", ".join(f"{key} {value}" for key, value in task.items() if value is not None)
    items = [
        f"Task: {comparison.task.kind} ({settings}).",
        f"Training: {_training(comparison)}.",
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
            f"{number(cost.flops)} FLOPs; extensions of the learning-rate grid come on top."
        ),
    ]
    return [Heading("What was run"), Bullets(tuple(items)), _budget_table(comparison, candidates)]


def _training(comparison: Comparison) -> str:
    training = comparison.training
    optimizer = {**training.optimizer.model_dump(mode="json")}
    kind = optimizer.pop("kind")
    settings = ", ".join(f"{key} {value}" for key, value in optimizer.items())
    schedule = training.schedule.kind
    return (
        f"{kind} ({settings}), schedule {schedule}, {training.steps:,} steps, batch {training.batch_size}, "
        f"init {training.init.value} (scale {number(training.init_scale)}, biases {number(training.bias_std)})"
    )


def _tuning(comparison: Comparison) -> str:
    protocol = comparison.protocol
    tuned = [planned_tuning_runs(comparison, candidate) > 0 for candidate in comparison.candidates]
    rates = listed([number(lr) for lr in sorted(set(protocol.lr_grid))])
    extended = ", extended where the best lies at an edge" if protocol.extend_grid else ""
    grid = (
        f"the learning rate is chosen on validation from {rates}{extended}, with "
        f"{count_text(protocol.tuning_seeds, 'seed')} of its own for each"
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
    rule = "" if budget.rule is BudgetRule.NONE else f" ({budget.rule.value.replace('_', ' ')} {target:,})"
    rows = [
        (
            one.name,
            format_stack(candidate.stack) or "no hidden layer",
            f"{one.num_params:,}",
            f"{100 * (one.num_params - target) / target:+.1f} %" if target else _NONE,
            f"{one.degrees_of_freedom:,}",
            f"{one.macs:,}",
        )
        for one, candidate in zip(candidates, comparison.candidates, strict=True)
    ]
    return Table(("candidate", "stack", "params", f"off budget{rule}", "freedom", "MACs"), tuple(rows))


def table_blocks(result: Result, rows: Sequence[EfficiencyRow]) -> list[Block]:
    """The efficiency table, without the columns that nobody fills."""
    shown = filled(tuple(rows), result.metric)
    cells = tuple(tuple(column.text(row) for column in shown) for row in rows)
    about = [f"{column.title}: {column.about}" for column in shown if column.key != "name"]
    return [
        Heading("Efficiency"),
        Table(tuple(column.title for column in shown), cells),
        Bullets(tuple(about)),
    ]


def pair_blocks(result: Result) -> list[Block]:
    """Every tested pair with its numbers."""
    if not result.pairs:
        return []
    header = ("candidate", "against", "verdict", "difference", "95 % interval", "p (Holm)", "TOST p", "d", "A12")
    return [Heading("Every pair"), Table(header, tuple(_pair(pair) for pair in result.pairs))]


def _pair(pair: PairVerdict) -> tuple[str, ...]:
    def shown(value: float | None, digits: int = 3) -> str:
        return _NONE if value is None else number(value, digits)

    def chance(value: float | None) -> str:
        return _NONE if value is None else p_text(value).removeprefix("p ").removeprefix("= ")

    interval = _NONE if pair.interval is None else f"{number(pair.interval[0])} to {number(pair.interval[1])}"
    kind = "different but negligible" if pair.negligible else pair.kind.value
    numbers = (shown(pair.difference), interval, chance(pair.p), chance(pair.equivalence_p))
    return (pair.candidate, pair.against, kind, *numbers, shown(pair.d, 2), shown(pair.a12, 2))


def chart_blocks(
    metric: str, rows: Sequence[EfficiencyRow], candidates: Sequence[CandidateFacts], runs: Sequence[RunFacts]
) -> list[Block]:
    """Every chart that has something to show."""
    figures = [Figure(chart) for chart in charts(metric, rows, candidates, runs)]
    return [Heading("Charts"), *figures] if figures else []


def equal_cost_blocks(metric: str, candidates: Sequence[CandidateFacts], runs: Sequence[RunFacts]) -> list[Block]:
    """The comparison at equal compute and at equal time, by validation metric."""
    compute, time = at_equal_flops(candidates, runs), at_equal_seconds(candidates, runs)
    if len(compute) < 2:
        return []
    rows = [
        (one.name, number(one.spent), _cell(metric, one), *_timed(metric, time, index))
        for index, one in enumerate(compute)
    ]
    return [
        Heading("At equal compute and at equal time"),
        Paragraph(
            "Each candidate's validation metric at the last report before it had spent as many training FLOPs, or "
            "seconds, as the cheapest one's whole run. A run read before its end has not annealed its learning rate, "
            "which favours the cheapest candidate."
        ),
        Table(("candidate", "FLOPs", f"{metric} at equal FLOPs", "s", f"{metric} at equal time"), tuple(rows)),
    ]


def _cell(metric: str, point: EqualPoint) -> str:
    return _NONE if point.metric is None else metric_text(metric, point.metric, point.half_width)


def _timed(metric: str, points: Sequence[EqualPoint], index: int) -> tuple[str, str]:
    return (number(points[index].spent), _cell(metric, points[index])) if points else (_NONE, _NONE)


def scaling_blocks(found: Sequence[Family], rows: Sequence[EfficiencyRow]) -> list[Block]:
    """What families of growing width say; empty without a family."""
    if not found:
        return []
    told = []
    for family in found:
        law = fit(family)
        smallest, largest = family.sizes[0].num_params, family.sizes[-1].num_params
        label = f"{family.label} ({len(family.sizes)} widths, {smallest:,} to {largest:,} params)"
        if law is None:
            told.append(f"{label}: too few widths, or a perfect one, for a power law.")
        else:
            told.append(f"{label}: metric ∝ params^−{number(law.exponent)} (± {number(law.half_width, 2)}).")
    told += [row.equivalence.sentence for row in rows if row.equivalence]
    return [Heading("Scaling"), Bullets(tuple(_sentence(text) for text in told))]


def tuning_blocks(metric: str, rates: Sequence[tuple[str, float, Sequence[float | None]]]) -> list[Block]:
    """Mean validation metric of every candidate at every learning rate tried."""
    if not rates:
        return []
    names = list(dict.fromkeys(name for name, _, _ in rates))
    lrs = sorted({lr for _, lr, _ in rates})
    by_key = {(name, lr): values for name, lr, values in rates}
    rows = tuple((name, *(_tuned(metric, by_key.get((name, lr))) for lr in lrs)) for name in names)
    header = ("candidate", *(f"lr {number(lr)}" for lr in lrs))
    about = "Mean validation metric of the tuning runs; in brackets how many failed."
    return [Heading("Tuning"), Paragraph(about), Table(header, rows)]


def _tuned(metric: str, values: Sequence[float | None] | None) -> str:
    if values is None:
        return _NONE
    known = [value for value in values if value is not None]
    failed = f" ({len(values) - len(known)})" if len(known) < len(values) else ""
    middle = mean(known)
    return ("failed" if middle is None else metric_text(metric, middle, None)) + failed


def environment_blocks(facts: Mapping[str, str]) -> list[Block]:
    """Where and with what it ran."""
    return [Heading("Environment"), Table(("what", "value"), tuple(facts.items()))]
