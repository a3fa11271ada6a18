"""The sections of a report, each from plain values to blocks; a section with nothing to say is empty."""

from collections.abc import Mapping, Sequence

from tuilab.analysis.columns import filled
from tuilab.analysis.efficiency import CandidateFacts, EfficiencyRow, RunFacts
from tuilab.analysis.equal_cost import EqualPoint, at_equal_flops, at_equal_seconds
from tuilab.analysis.expectations import ExpectationOutcome
from tuilab.analysis.report_blocks import Block, Bullets, Figure, Heading, Paragraph, Table
from tuilab.analysis.report_charts import charts
from tuilab.analysis.result import PairVerdict, Result
from tuilab.analysis.scaling import Family
from tuilab.analysis.wording import metric_text, number, p_text, with_interval

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

    difference, interval = shown(pair.difference), _NONE
    if pair.difference is not None and pair.interval is not None:
        difference, low, high = with_interval(pair.difference, *pair.interval)
        interval = f"{low} to {high}"
    kind = "different but negligible" if pair.negligible else pair.kind.value
    numbers = (difference, interval, chance(pair.p), chance(pair.equivalence_p))
    return (pair.candidate, pair.against, kind, *numbers, shown(pair.d, 2), shown(pair.a12, 2))


def chart_blocks(
    metric: str,
    rows: Sequence[EfficiencyRow],
    candidates: Sequence[CandidateFacts],
    runs: Sequence[RunFacts],
    found_families: Sequence[Family] = (),
) -> list[Block]:
    """Every chart that has something to show, with the curves of families."""
    figures = [Figure(chart) for chart in charts(metric, rows, candidates, runs, found_families)]
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


def scaling_blocks(sentences: Sequence[str]) -> list[Block]:
    """What families of growing width say; empty without a family."""
    if not sentences:
        return []
    about = (
        "Candidates that differ in width only are a family. Its parameters at a metric are interpolated between its "
        "measured widths, never extrapolated; intervals are bootstraps over seeds (95 %)."
    )
    return [Heading("Scaling"), Paragraph(about), Bullets(tuple(map(_sentence, sentences)))]


def environment_blocks(facts: Mapping[str, str]) -> list[Block]:
    """Where and with what it ran."""
    return [Heading("Environment"), Table(("what", "value"), tuple(facts.items()))]
