"""A report: everything another person needs to judge an experiment and to run it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from tuilab.analysis.efficiency import CandidateFacts, EfficiencyRow, RunFacts, efficiency_table
from tuilab.analysis.evidence import chance_metric, score_of_failure
from tuilab.analysis.expectations import check_expectations
from tuilab.analysis.report_blocks import Block, Code, Heading, Paragraph, to_html, to_markdown
from tuilab.analysis.report_protocol import protocol_blocks, tuning_blocks
from tuilab.analysis.report_sections import (
    answer_blocks,
    chart_blocks,
    environment_blocks,
    equal_cost_blocks,
    pair_blocks,
    scaling_blocks,
    table_blocks,
)
from tuilab.analysis.result import Result, result_to_json
from tuilab.analysis.scaling import Family, Size, equivalences, families, scaling_sentences
from tuilab.analysis.wording import paragraphs
from tuilab.spec.comparison import Comparison, dump
from tuilab.spec.task import TaskFacts


@dataclass(frozen=True, slots=True)
class TunedRate:
    """What tuning found at one learning rate: validation metrics of a candidate's runs, None for failed ones."""

    candidate: int
    lr: float
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class ReportInput:
    """An experiment as plain values.

    Attributes:
        experiment: its id.
        status: its state, in a word.
        source: preset or file that it came from; may be empty.
        created: date and time as text.
        seconds: wall time; None where unknown.
        comparison: exactly what was run.
        result: what its final runs say.
        task_facts: of its task.
        candidates: of each candidate, in order, see ``efficiency.candidate_facts``.
        finals: its final runs.
        tuning: what tuning found; empty where nothing was tuned.
        environment: names and versions: device, processor, torch ...

    """

    experiment: str
    status: str
    source: str
    created: str
    seconds: float | None
    comparison: Comparison
    result: Result
    task_facts: TaskFacts
    candidates: tuple[CandidateFacts, ...]
    finals: tuple[RunFacts, ...]
    tuning: tuple[TunedRate, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def markdown(report: ReportInput) -> str:
    """The report as Markdown, with charts as text."""
    return to_markdown(_blocks(report))


def html(report: ReportInput) -> str:
    """The report as one self-contained page, with charts as SVG."""
    return to_html(_blocks(report), report.comparison.title)


def as_json(report: ReportInput) -> dict[str, JsonValue]:
    """The report as data: the result, the table, the tuning, the environment and the comparison itself."""
    rows = efficiency_rows(report)
    tuning: list[JsonValue] = [
        {"candidate": report.candidates[one.candidate].name, "lr": one.lr, "values": list(one.values)}
        for one in report.tuning
    ]
    return {
        "experiment": report.experiment,
        "status": report.status,
        "source": report.source,
        "created": report.created,
        "seconds": report.seconds,
        "question": report.comparison.question,
        "hypothesis": report.comparison.hypothesis,
        "result": result_to_json(report.result),
        "expectations": [one.sentence for one in check_expectations(report.comparison, report.result)],
        "efficiency": [_row_data(row) for row in rows],
        "scaling": list(scaling_texts(report, rows)),
        "tuning": tuning,
        "environment": dict(report.environment),
        "comparison": dump(report.comparison),
        "preset": _yaml(report.comparison),
    }


def _row_data(row: EfficiencyRow) -> dict[str, JsonValue]:
    factor = row.equivalence
    return {
        "name": row.name,
        "num_params": row.num_params,
        "degrees_of_freedom": row.degrees_of_freedom,
        "macs": row.macs,
        "activations": row.activations,
        "flops": row.flops,
        "metric": row.metric,
        "half_width": row.half_width,
        "gap": row.gap,
        "failure_rate": row.failure_rate,
        "loss_per_param": row.loss_per_param,
        "seconds": row.seconds,
        "steps_to_target": row.steps_to_target,
        "seconds_to_target": row.seconds_to_target,
        "target": row.target,
        "reached": list(row.reached),
        "on_front": row.on_front,
        "equivalence": None if factor is None else {"reach": factor.reach.value, "value": factor.value},
        "dead_fraction": row.dead_fraction,
        "regions": row.regions,
        "regions_at_start": row.regions_at_start,
        "line_regions": row.line_regions,
        "line_regions_at_start": row.line_regions_at_start,
        "effective_rank": row.effective_rank,
        "readouts": list(row.readouts),
    }


def scored_sizes(report: ReportInput) -> tuple[Size, ...]:
    """Every candidate with the metrics of its final runs, failed ones scored as in the tests."""
    chance = chance_metric(report.task_facts)
    return tuple(
        Size(one.name, facts.num_params, (*one.values, *[score_of_failure(one.values, chance)] * one.failures))
        for one, facts in zip(report.result.candidates, report.candidates, strict=True)
    )


def measured_families(report: ReportInput) -> tuple[Family, ...]:
    """The families among the candidates."""
    sizes = scored_sizes(report)
    return families(report.comparison, [size.num_params for size in sizes], [size.values for size in sizes])


def efficiency_rows(report: ReportInput) -> tuple[EfficiencyRow, ...]:
    """The efficiency table with the equivalence factors of its families."""
    factors = equivalences(measured_families(report), scored_sizes(report))
    return efficiency_table(report.candidates, report.finals, report.comparison.protocol.target, factors)


def scaling_texts(report: ReportInput, rows: Sequence[EfficiencyRow]) -> tuple[str, ...]:
    """What families of growing width say, and how their rivals compare; empty without a family."""
    told = scaling_sentences(measured_families(report), report.comparison.protocol.target)
    if not told:
        return ()
    factors = [row.equivalence.sentence for row in rows if row.equivalence]
    return tuple(dict.fromkeys((*told, *factors)))


def _yaml(comparison: Comparison) -> str:
    from tuilab.spec.preset_file import to_yaml

    return to_yaml(comparison)


def _blocks(report: ReportInput) -> Sequence[Block]:
    comparison, result = report.comparison, report.result
    rows = efficiency_rows(report)
    blocks: list[Block] = [Heading(comparison.title, 1)]
    blocks += [Paragraph(f"Question: {comparison.question}")] if comparison.question else []
    blocks += [Paragraph(f"Hypothesis: {comparison.hypothesis}")] if comparison.hypothesis else []
    blocks += answer_blocks(result, check_expectations(comparison, result))
    blocks += protocol_blocks(comparison, report.task_facts, report.candidates)
    blocks += table_blocks(result, rows)
    blocks += pair_blocks(result)
    blocks += chart_blocks(result.metric, rows, report.candidates, report.finals, measured_families(report))
    blocks += equal_cost_blocks(result.metric, report.candidates, report.finals)
    blocks += scaling_blocks(scaling_texts(report, rows))
    rates = [(report.candidates[one.candidate].name, one.lr, one.values) for one in report.tuning]
    blocks += tuning_blocks(result, rates, chance_metric(report.task_facts))
    blocks += (
        [Heading("About the question"), Paragraph("\n\n".join(paragraphs(comparison.about)))]
        if comparison.about
        else []
    )
    facts = {
        "experiment": f"{report.experiment} ({report.status})",
        "from": report.source or "the bench",
        "created": report.created,
        "wall time": "unknown" if report.seconds is None else f"{report.seconds:,.0f} s",
    }
    blocks += environment_blocks({**facts, **report.environment})
    blocks += [
        Heading("The exact preset"),
        Paragraph("Save this as a file, say again.yaml, and run it with: tuilab run again.yaml"),
        Code(_yaml(comparison), "yaml"),
    ]
    return blocks
