"""Reports: complete, self-contained, safe to open, and enough to run the experiment again."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from math import log
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuilab.analysis.efficiency import RunFacts, candidate_facts
from tuilab.analysis.evidence import FinalRun, summarise
from tuilab.analysis.report import (
    ReportInput,
    TunedRate,
    as_json,
    efficiency_rows,
    html,
    markdown,
    measured_families,
)
from tuilab.analysis.report_axes import axis
from tuilab.analysis.report_blocks import Table, to_html, to_markdown
from tuilab.analysis.report_charts import Chart, Mark, Series, charts
from tuilab.analysis.report_svg import svg
from tuilab.analysis.report_text import HEIGHT, WIDTH, text_chart
from tuilab.spec.comparison import Budget, Comparison
from tuilab.spec.preset_file import loads
from tuilab.spec.task import facts

WIDE = [0.0136, 0.0110, 0.0152, 0.0147, 0.0120, 0.0131, 0.0149, 0.0141, 0.0128, 0.0125]
DEEP = [0.0051, 0.0043, 0.0032, 0.0071, 0.0060, 0.0049, 0.0038, 0.0042, 0.0055, None]


def comparison(**changes: object) -> Comparison:
    data: dict[str, object] = {
        "title": "Depth on spirals",
        "question": "Does depth help at equal parameters?",
        "hypothesis": "Four layers err less than one.",
        "about": "First paragraph.\n\nSecond paragraph.",
        "task": "spirals",
        "protocol": {"budget": {"rule": "at_most"}},
        "candidates": [{"name": "wide", "stack": "100 relu"}, {"name": "deep", "stack": "4*(11 relu)"}],
        "expect": [{"candidate": "deep", "against": "wide", "verdict": "better"}],
    }
    return Comparison.model_validate(data | changes)


def report(asked: Comparison | None = None, metrics: Sequence[Sequence[float | None]] = (WIDE, DEEP)) -> ReportInput:
    asked = asked or comparison()
    known = facts(asked.task)
    candidates = candidate_facts(asked, known)
    finals = [
        FinalRun(index, seed, 0.01, metric, 1000.0)
        for index, values in enumerate(metrics)
        for seed, metric in enumerate(values)
    ]
    result = summarise(asked, [(one.num_params, one.macs) for one in candidates], finals)
    curve = ((0, 0.5), (500, 0.1), (1000, 0.01))
    runs = tuple(
        RunFacts(
            run.candidate,
            run.seed_index,
            1000,
            run.metric is None,
            2.0,
            0.0,
            run.metric,
            run.metric,
            curve=() if run.metric is None else curve,
        )
        for run in finals
    )
    return ReportInput(
        experiment="k3v9",
        status="finished",
        source="spirals-depth",
        created="2025-01-01 12:00",
        seconds=40.0,
        comparison=asked,
        result=result,
        task_facts=known,
        candidates=candidates,
        finals=runs,
        tuning=(TunedRate(0, 0.01, (0.02, 0.03)), TunedRate(1, 0.01, (0.01, None)), TunedRate(1, 0.1, (None, None))),
        environment={"torch": "2.13.0", "device": "cpu"},
    )


def test_markdown_and_html_hold_the_question_the_answer_the_caveats_and_the_environment():
    given_report = report()
    for text in (markdown(given_report), html(given_report)):
        flat = text.replace("\\", "")
        assert "Does depth help at equal parameters?" in flat
        assert given_report.result.verdict in flat
        assert given_report.result.caveats[-1] in flat
        assert "deep against wide: expected better" in flat
        assert "2.13.0" in flat
        assert "1 of 10 of deep" in flat
        assert "Welch's t test on log" in flat.replace("&#x27;", "'")


def test_the_preset_in_the_report_reads_back_as_the_comparison():
    asked = comparison()
    found = re.search(r"```yaml\n(.*?)```", markdown(report(asked)), re.DOTALL)
    assert found is not None
    assert loads(found.group(1)) == asked


def test_the_page_loads_nothing_and_is_well_formed():
    page = html(report())
    assert not re.search(r"(src|href)=|url\(|@import|<script", page)

    class Balance(HTMLParser):
        open: list[str] = []

        def handle_starttag(self, tag, attrs):
            if tag not in ("meta", "!doctype", "path", "circle", "polygon"):
                self.open.append(tag)

        def handle_endtag(self, tag):
            if tag not in ("path", "circle", "polygon"):
                assert self.open.pop() == tag

    parser = Balance()
    parser.feed(page)
    assert parser.open == []


def test_hostile_names_stay_text():
    asked = comparison(
        candidates=[{"name": "<script>alert(1)</script>", "stack": "100 relu"}, {"name": "a|b*c", "stack": "sum(9|9)"}],
        expect=[],
        title="</title><b>",
    )
    given_report = report(asked)
    page, text = html(given_report), markdown(given_report)
    assert "<script" not in page
    assert "<b>" not in page
    assert "a\\|b\\*c" in text
    table = [line for line in text.splitlines() if line.startswith("| a\\|b")]
    assert table
    cells = re.split(r"(?<!\\)\|", table[0])
    header = next(line for line in text.splitlines() if line.startswith("| candidate"))
    assert len(cells) == len(re.split(r"(?<!\\)\|", header))


def test_as_json_is_json_and_holds_the_comparison():
    data = json.loads(json.dumps(as_json(report()), allow_nan=False))
    assert Comparison.model_validate(data["comparison"]) == comparison()
    assert loads(data["preset"]) == comparison()
    assert data["result"]["pairs"][0]["kind"] == "cannot tell"
    assert data["efficiency"][1]["failure_rate"] == pytest.approx(0.1)


def test_the_budget_shows_each_residual_and_tuning_shows_each_rate():
    text = markdown(report()).replace("\\", "")
    assert "| deep | 4*(11 relu) | 453 | -9.8 % |" in text
    assert "off budget (at most 502)" in text
    assert "| deep | 1 % (1 of 2 failed) | failed (2 of 2 failed) | 0.01 |" in text
    assert "| wide | 2.5 % | – | 0.01 |" in text
    assert "fails now and then" not in text


def test_without_a_budget_rule_nothing_is_said_to_be_off_it():
    free = comparison().protocol.model_copy(update={"budget": Budget()})
    text = markdown(report(comparison().model_copy(update={"protocol": free}))).replace("\\", "")
    assert "off budget" not in text
    assert "| deep | 4*(11 relu) | 453 | " in text
    assert "-9.8 %" not in text


def test_tuning_says_who_got_further_seeds_and_counts_runs_that_learnt_nothing():
    further = TunedRate(1, 0.03, (0.01, 0.5, *[0.02] * 10))
    text = markdown(replace(report(), tuning=(TunedRate(1, 0.01, (0.02,) * 4), further))).replace("\\", "")
    assert "5.92 % (1 of 12 failed)" in text
    assert "deep fails now and then: its best rates 0.03 had 12 tuning seeds instead of 4." in text
    assert "8 more at its best rates where some of its runs fail there" in text


def test_every_difference_of_a_candidates_training_is_told():
    rivals = [
        {"name": "wide", "stack": "100 relu"},
        {"name": "deep", "stack": "9 relu", "training": {"optimizer": {"kind": "sgd", "momentum": 0.9}, "lr": 0.1}},
        {"name": "twin", "stack": "8 relu", "training": {"optimizer": {"kind": "sgd", "momentum": 0.9}, "lr": 0.1}},
    ]
    text = markdown(report(comparison(candidates=rivals), (WIDE, WIDE, WIDE))).replace("\\", "")
    assert "For deep and twin: optimizer sgd (momentum 0.9" in text
    assert "lr 0.1." in text
    assert "For wide" not in text


def test_the_precision_of_products_is_told():
    assert "products in float32" in markdown(report()).replace("\\", "")
    assert "products in bf16" in markdown(report(comparison(training={"precision": "bf16"}))).replace("\\", "")


def test_fixed_rates_and_margins_are_said_as_such():
    asked = comparison(training={"lr": 0.003}, protocol={"margin": 0.01})
    text = markdown(report(asked)).replace("\\", "")
    assert "Tuning: none; the learning rate is fixed at 0.003." in text
    assert "with a margin of 1 %, fixed before the run" in text
    assert "may be an effect of the learning rate" in text


def test_an_experiment_without_a_run_still_makes_a_report():
    given_report = report(metrics=([], []))
    assert "no final run has ended yet" in markdown(given_report)
    assert "<svg" not in html(given_report)


def test_a_failed_candidate_and_perfect_scores_make_a_report_without_nan():
    cases: list[Sequence[Sequence[float | None]]] = [(WIDE, [None] * 10), ([0.0] * 10, [0.0] * 10), ([0.1], [0.2])]
    for metrics in cases:
        given_report = report(metrics=metrics)
        assert "nan" not in re.sub(r"[a-z]nan|nan[a-z]", "", html(given_report) + markdown(given_report))


def test_a_family_is_reported_with_its_exponent_and_factor():
    sizes = ["5 relu", "10 relu", "20 relu", "40 relu", "3*(4 relu)"]
    asked = comparison(candidates=[{"name": size, "stack": size} for size in sizes], expect=[])
    levels = [0.4, 0.3, 0.2, 0.15, 0.2]
    metrics = tuple([level, level * 1.01, level * 0.99] for level in levels)
    text = markdown(report(asked, metrics)).replace("\\", "")
    assert "the one-layer family (4 widths, 27 to 202 params): metric ∝ params^−" in text
    assert "the one-layer family is at 0.15" not in text
    assert "the one-layer family reaches 0.15 with 202 params" in text
    assert "the one-layer family needs" in text
    goal = asked.model_copy(update={"protocol": asked.protocol.model_copy(update={"target": 0.1})})
    told = markdown(report(goal, metrics)).replace("\\", "")
    assert "the one-layer family did not reach 0.1 by 202 params" in told
    assert "Median steps to a validation error of 10 %" in told


values = st.floats(1e-6, 1e6, allow_nan=False)


@given(st.lists(values, min_size=1, max_size=30))
def test_an_axis_holds_its_values_in_order_and_its_ticks_inside(found):
    scale = axis(found)
    places = [scale.at(value) for value in sorted(found)]
    assert places == sorted(places)
    assert all(0 <= place <= 1 for place in places)
    assert 2 <= len(scale.ticks()) <= 12
    for value, _ in scale.ticks():
        assert scale.low * 0.99 - 1e-9 <= value <= scale.high * 1.01 + 1e-9


def test_an_axis_over_decades_is_logarithmic_and_keeps_zeros_at_its_low_end():
    scale = axis([0.0, 0.001, 1.0])
    assert scale.log
    assert scale.at(0.0) == 0
    assert scale.at(0.001) > 0
    assert not axis([0.5, 0.6]).log
    assert not axis([0.0, 0.0]).log


@given(
    st.sampled_from(["lines", "points", "strip"]),
    st.lists(st.lists(st.tuples(values, values), min_size=1, max_size=5), min_size=1, max_size=9),
)
def test_every_chart_is_well_formed_svg_and_fits_its_text_grid(kind, data):
    series = tuple(
        Series(index, f"candidate <{index}>", tuple(Mark(x, y, y / 2, y * 2) for x, y in sorted(marks)))
        for index, marks in enumerate(data)
    )
    chart = Chart(kind, "Title & more", "x", "y", "How to read it.", series)
    root = ElementTree.fromstring(svg(chart))
    names = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any(name and "candidate <0>" in name for name in names)
    lines = text_chart(chart).splitlines()
    inside = [line for line in lines if "│" in line]
    assert len(inside) == (len(series) if kind == "strip" else HEIGHT)
    assert all(len(line) <= WIDTH + 10 for line in inside)


def test_a_text_chart_puts_the_smaller_value_lower_and_to_the_left():
    series = (Series(0, "wide", (Mark(100, 1.0),)), Series(1, "deep", (Mark(10, 0.1),)))
    lines = text_chart(Chart("points", "t", "params", "error", "", series)).splitlines()
    wide, deep = (next(i for i, line in enumerate(lines) if f"{letter}" in line and "│" in line) for letter in "AB")
    assert wide < deep
    assert lines[wide].index("A") > lines[deep].index("B")
    assert lines[-1] == "A wide; B deep"


FAMILY = (("5 relu", 0.2), ("10 relu", 0.15), ("20 relu", 0.03))
"""One layer of growing width, with the mean metric of each."""


def family_report(widths: Sequence[tuple[str, float]] = FAMILY) -> ReportInput:
    stacks = [{"name": stack.removesuffix(" relu"), "stack": stack} for stack, _ in widths]
    deep = {"name": "deep", "stack": "2*(6 relu)"}
    noise = (0.9, 1.0, 1.0, 1.1)
    metrics = [[level * factor for factor in noise] for _, level in widths]
    return report(comparison(candidates=[*stacks, deep], expect=[]), [*metrics, [0.05, 0.06, 0.05, 0.06]])


def chart_with_fits(given: ReportInput) -> Chart:
    rows = efficiency_rows(given)
    found = charts(given.result.metric, rows, given.candidates, given.finals, measured_families(given))
    assert all(not chart.curves for chart in found if chart.title != "Metric and parameters")
    return next(chart for chart in found if chart.title == "Metric and parameters")


def test_a_familys_curve_is_its_least_squares_line_on_logarithmic_axes_between_its_sizes():
    from scipy import stats

    given = family_report()
    sizes = [one.num_params for one in given.candidates[:3]]
    line = stats.linregress([log(size) for size in sizes], [log(level) for _, level in FAMILY])
    (curve,) = chart_with_fits(given).curves
    assert (curve.label, curve.members) == ("one-layer family", (0, 1, 2))
    assert (curve.points[0][0], curve.points[-1][0]) == (sizes[0], sizes[-1])
    assert [x for x, _ in curve.points] == sorted(x for x, _ in curve.points)
    for x, y in curve.points:
        assert log(y) == pytest.approx(line.intercept + line.slope * log(x), rel=1e-9)


def test_the_drawn_curve_is_straight_on_logarithmic_axes_and_named_in_both_forms():
    chart = chart_with_fits(family_report())
    drawn = svg(chart)
    curve = max(
        re.findall(r'<path d="M([^"]*)" [^>]*><title>one-layer family \(A B C\), fitted</title>', drawn), key=len
    )
    places = [tuple(map(float, place.split())) for place in curve.split("L")]
    (x0, y0), (x1, y1) = places[0], places[-1]
    assert len(places) == len(chart.curves[0].points)
    for x, y in places:
        assert y == pytest.approx(y0 + (y1 - y0) * (x - x0) / (x1 - x0), abs=0.15)
    discs = [float(x) for x in re.findall(r'<circle cx="([^"]*)"[^>]*r="5"', drawn)]
    assert discs[0] == pytest.approx(x0, abs=0.11)
    assert "one-layer family (A B C), fitted</text>" in drawn
    assert "Dotted lines are power laws" in html(family_report())
    lines = text_chart(chart).splitlines()
    assert lines[-1].endswith("; · fitted: one-layer family (A B C)")
    dots = [(row, line.index("·"), line.rindex("·")) for row, line in enumerate(lines) if "│" in line and "·" in line]
    assert len(dots) > 3
    assert all(last <= later for (_, _, last), (_, later, _) in pairwise(dots)), "it falls from left to right"


@pytest.mark.parametrize("widths", [FAMILY[:2], [(stack, 0.0) for stack, _ in FAMILY]])
def test_where_the_fit_is_refused_no_curve_is_drawn_and_none_is_spoken_of(widths):
    given = family_report(widths)
    assert measured_families(given)
    assert chart_with_fits(given).curves == ()
    assert "fitted" not in svg(chart_with_fits(given))
    assert "· fitted" not in markdown(given)
    assert "power laws fitted" not in html(given)


def test_tables_render_the_same_cells_in_both_forms():
    block = Table(("name", "value"), (("a", "1"), ("b", "2")))
    assert to_markdown([block]) == "| name | value |\n| --- | ---: |\n| a | 1 |\n| b | 2 |\n"
    assert "<tr><td>b</td><td>2</td></tr>" in to_html([block], "t")
