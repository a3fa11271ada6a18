"""What a report draws, as values; ``report_svg`` and ``report_text`` draw them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, log

from tuilab.analysis.efficiency import CandidateFacts, EfficiencyRow, RunFacts, pareto_front
from tuilab.analysis.scaling import Family, fit
from tuilab.analysis.statistics import t_half_width
from tuilab.spec.comparison import LETTERS

FEW = 4
"""Runs from which an interval says more than the runs themselves."""
_CURVE_POINTS = 33
"""Points of a fitted curve, enough for it to look smooth on axes that are not logarithmic."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One value with its interval, if any."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """The marks of one candidate; its index decides letter, colour and glyph everywhere."""

    index: int
    name: str
    marks: tuple[Mark, ...]

    @property
    def letter(self) -> str:
        return LETTERS[self.index % len(LETTERS)]


@dataclass(frozen=True, slots=True)
class Curve:
    """What was fitted to a family of candidates.

    Attributes:
        label: names the family, such as ``one-layer family``.
        members: indices of its candidates, smallest first; the curve takes the first one's colour.
        points: (x, y) on the fit from the smallest member's x to the largest one's, ascending.

    """

    label: str
    members: tuple[int, ...]
    points: tuple[tuple[float, float], ...]

    @property
    def index(self) -> int:
        return self.members[0]

    @property
    def legend(self) -> str:
        """The family with the letters of its members, so that it can be found without colours."""
        letters = " ".join(LETTERS[index % len(LETTERS)] for index in self.members)
        return f"{self.label} ({letters})"


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart before it is drawn.

    Attributes:
        kind: ``lines`` with bands, ``points`` with interval bars, or ``strip``: one row a candidate, a mark a seed, in
            which x is the value.
        title, x_title, y_title: with units.
        about: one sentence on how to read it.
        log_x, log_y: None lets the values decide.
        front: indices of the candidates on the Pareto front, which a line joins from left to right.
        curves: fitted to families of candidates.

    """

    kind: str
    title: str
    x_title: str
    y_title: str
    about: str
    series: tuple[Series, ...]
    log_x: bool | None = None
    log_y: bool | None = None
    front: tuple[int, ...] = ()
    curves: tuple[Curve, ...] = ()

    @property
    def empty(self) -> bool:
        return not any(one.marks for one in self.series)


def charts(
    metric: str,
    rows: Sequence[EfficiencyRow],
    candidates: Sequence[CandidateFacts],
    runs: Sequence[RunFacts],
    found_families: Sequence[Family] = (),
) -> tuple[Chart, ...]:
    """Every chart that has something to show.

    Args:
        metric: that is compared.
        rows: the efficiency table.
        candidates: the comparison's, in the order of the rows.
        runs: final runs.
        found_families: among the candidates; those that a power law can be fitted to get a curve.

    """
    unit = "test error (share)" if metric == "error" else f"test {metric}"
    validation = "validation error (share)" if metric == "error" else f"validation {metric}"
    found = [
        Chart(
            "lines",
            "Validation metric while training",
            "step",
            validation,
            (
                "Lines are means over the runs that did not fail; bands are their 95 % intervals, or with fewer than "
                f"{FEW} runs reach from the smallest to the largest."
            ),
            tuple(_curve(index, one.name, runs) for index, one in enumerate(candidates)),
            log_x=False,
        ),
        Chart(
            "strip",
            "Final test metric, seed by seed",
            unit,
            "",
            "One mark a finished run; | is the mean.",
            tuple(_strip(index, one.name, runs) for index, one in enumerate(candidates)),
        ),
        _with_fits(
            _costs("Metric and parameters", "parameters", unit, rows, [row.num_params for row in rows]), found_families
        ),
        _costs("Metric and compute", "training FLOPs a run", unit, rows, _flops(rows, candidates, runs)),
        _costs("Metric and time", "seconds a run", unit, rows, [row.seconds for row in rows]),
    ]
    return tuple(chart for chart in found if not chart.empty)


def _curve(index: int, name: str, runs: Sequence[RunFacts]) -> Series:
    at: dict[int, list[float]] = {}
    for run in runs:
        if run.candidate == index and not run.failed:
            for step, value in run.curve:
                if value is not None:
                    at.setdefault(step, []).append(value)
    return Series(index, name, tuple(_banded(step, values) for step, values in sorted(at.items())))


def _banded(step: int, values: Sequence[float]) -> Mark:
    """The mean over runs at a step with its interval; metrics are not negative."""
    middle = sum(values) / len(values)
    half = t_half_width(values) if len(values) >= FEW else None
    if half is None:
        return Mark(step, middle, min(values), max(values))
    return Mark(step, middle, max(0.0, middle - half), middle + half)


def _strip(index: int, name: str, runs: Sequence[RunFacts]) -> Series:
    values = (run.test_metric for run in runs if run.candidate == index and not run.failed)
    return Series(index, name, tuple(Mark(value, 0.0) for value in values if value is not None))


def _flops(
    rows: Sequence[EfficiencyRow], candidates: Sequence[CandidateFacts], runs: Sequence[RunFacts]
) -> list[float | None]:
    counts = [sum(run.candidate == index for run in runs) for index in range(len(rows))]
    return [
        row.flops / count if count and one.macs else None
        for row, one, count in zip(rows, candidates, counts, strict=True)
    ]


def _costs(
    title: str, x_title: str, y_title: str, rows: Sequence[EfficiencyRow], costs: Sequence[float | None]
) -> Chart:
    """The metric against a cost on logarithmic axes, with the Pareto front in that cost."""
    placed = [(cost, row) for cost, row in zip(costs, rows, strict=True) if cost is not None]
    front = dict(
        zip(
            (row.name for _, row in placed),
            pareto_front([(cost, row.metric, row.half_width) for cost, row in placed]),
            strict=True,
        )
    )
    return Chart(
        "points",
        title,
        x_title,
        y_title,
        "Bars are 95 % intervals over seeds; the line joins the candidates that no cheaper one clearly beats.",
        tuple(_point(index, row, cost) for index, (row, cost) in enumerate(zip(rows, costs, strict=True))),
        log_x=True,
        log_y=True,
        front=tuple(index for index, row in enumerate(rows) if front.get(row.name)),
    )


def _point(index: int, row: EfficiencyRow, cost: float | None) -> Series:
    if cost is None or row.metric is None:
        return Series(index, row.name, ())
    half = row.half_width
    low, high = (None, None) if half is None else (max(0.0, row.metric - half), row.metric + half)
    return Series(index, row.name, (Mark(cost, row.metric, low, high),))


def _with_fits(chart: Chart, found: Sequence[Family]) -> Chart:
    """The chart with the power laws of the families that have one."""
    index_of = {one.name: one.index for one in chart.series}
    curves = []
    for family in found:
        points = _fitted_points(family)
        if points:
            members = tuple(index_of[size.name] for size in family.sizes)
            curves.append(Curve(family.label.removeprefix("the "), members, points))
    if not curves:
        return chart
    about = (
        f"{chart.about} Dotted lines are power laws fitted to families that differ in width only, failed runs scored "
        "as in the tests; they end at the smallest and the largest width."
    )
    return replace(chart, about=about, curves=tuple(curves))


def _fitted_points(family: Family) -> tuple[tuple[float, float], ...]:
    """Points on the family's power law, evenly spaced on a logarithmic axis; none where the fit is refused."""
    law = fit(family)
    if law is None:
        return ()
    start, length = log(law.smallest), log(law.largest / law.smallest)
    inner = [exp(start + length * step / (_CURVE_POINTS - 1)) for step in range(1, _CURVE_POINTS - 1)]
    return tuple((x, law.at(x)) for x in (float(law.smallest), *inner, float(law.largest)))
