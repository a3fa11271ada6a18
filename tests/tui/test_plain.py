"""Charts and tables of the command line."""

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from tests.tui.live_values import COMPARISON, experiment, final_points, final_runs
from tests.tui.screen_text import assert_golden
from tuilab.analysis.result import CandidateResult, Result
from tuilab.store.records import ExperimentRecord, Point, RunRecord, Status
from tuilab.tui.canvas import Glyphs
from tuilab.tui.charts import loss_chart
from tuilab.tui.live import empty, reduce
from tuilab.tui.plain import curves_chart, experiment_view, final_strip_chart, result_table

VALUES = (
    (0.11, 0.12, 0.13, 0.12, 0.10),
    (0.03, 0.05, 0.04, 0.06, 0.03),
    (0.02, 0.02, 0.03),
    (0.4, 0.45, 0.41, 0.44, 0.5),
)
RESULT = Result(
    "error",
    tuple(
        CandidateResult(
            one.name, "a|b relu", 502, 48_000, 0.01, values, sum(values) / len(values), 0.01, 5 - len(values), 1e4
        )
        for one, values in zip(COMPARISON.candidates, VALUES, strict=True)
    ),
    "[C] deep-3x14 is better than A wide-1x100.",
)
RECORD = replace(experiment(Status.FINISHED, seconds=75.0), result=RESULT)
DATA = loss_chart(reduce(empty(RECORD), RECORD, final_runs(), final_points(), now=1075.0), train=False)


def paper(
    record: ExperimentRecord,
    runs: Sequence[RunRecord],
    points: Sequence[Point],
    *,
    width: int = 80,
    glyphs: Glyphs = "braille",
    encoding: str = "utf-8",
) -> str:
    console = Console(file=StringIO(), width=width, highlight=False)
    for part in experiment_view(record, runs, points, width=width, color=False, glyphs=glyphs):
        console.print(part)
    text = "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"  # type: ignore[attr-defined]
    text.encode(encoding)
    return text


@pytest.mark.parametrize("glyphs", ["braille", "ascii"])
def test_an_experiment_on_80_columns(glyphs: Glyphs):
    text = paper(
        RECORD, final_runs(), final_points(), glyphs=glyphs, encoding="ascii" if glyphs == "ascii" else "utf-8"
    )
    assert_golden(f"plain-80-{glyphs}", text)
    assert max(map(len, text.splitlines())) <= 80


def test_huge_counts_leave_room_for_names():
    huge = replace(RESULT.candidates[0], num_params=174_999_999_999_972, macs=174_999_999_999_972)
    result = replace(RESULT, candidates=(huge, *RESULT.candidates[1:]))
    console = Console(file=StringIO(), width=80)
    console.print(result_table(RECORD, result, width=80))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "175.0T" in text
    assert all(one.name in text for one in result.candidates)


def test_an_experiment_without_points_or_result_is_a_heading():
    record = experiment(Status.FAILED, seconds=2.0)
    assert paper(replace(record, message="the engine ended."), [], []).splitlines() == [
        "deep against wide",
        "x1 · failed · cpu · 0:02",
        "the engine ended.",
    ]


def test_colours_come_only_when_asked_for():
    assert "\x1b" not in curves_chart(DATA) + final_strip_chart(RESULT)
    assert "\x1b[38;2;86;180;233m" in curves_chart(DATA, color=True)
    bare = re.sub(r"\x1b\[[0-9;]*m", "", final_strip_chart(RESULT, color=True))
    assert [line.rstrip() for line in bare.splitlines()] == final_strip_chart(RESULT).splitlines()


@pytest.mark.parametrize(("width", "height"), [(40, 12), (100, 30)])
def test_a_chart_has_the_size_asked_for(width: int, height: int):
    lines = curves_chart(DATA, width=width, height=height).splitlines()
    assert len(lines) == height
    assert len(lines[1]) == width


def test_charts_do_not_leak_into_each_other():
    alone = final_strip_chart(RESULT)
    curves_chart(DATA)
    assert final_strip_chart(RESULT) == alone


def test_a_strip_has_a_dot_for_every_value_that_differs():
    spread = replace(RESULT.candidates[0], values=(0.1, 0.2, 0.3), mean=0.2)
    (line,) = [
        text
        for text in final_strip_chart(replace(RESULT, candidates=(spread,)), glyphs="ascii").splitlines()
        if "A wide" in text
    ]
    assert line.partition("+")[2].replace(" ", "") == "o|o|"


def test_only_the_best_mean_is_bold():
    table = result_table(RECORD, RESULT)
    (column,) = [one for one in table.columns if one.header == "test error"]
    assert [str(getattr(cell, "style", "")) for cell in column.cells] == ["", "", "bold", ""]


def test_a_wide_console_shows_notation_and_speed():
    headers = [
        [str(column.header) for column in result_table(RECORD, RESULT, width=width).columns] for width in (80, 140)
    ]
    assert set(headers[1]) - set(headers[0]) == {"notation", "steps/s"}


def test_plain_charts_need_neither_textual_nor_torch():
    code = (
        "import sys, warnings; warnings.simplefilter('error');"
        "from tuilab.tui.plain import experiment_view; from tests.tui.live_values import *;"
        "experiment_view(experiment(), final_runs(), final_points(), width=80, color=True);"
        "print([name for name in ('textual', 'torch', 'numpy') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
