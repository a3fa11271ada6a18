"""From rows of the store to a report's input, and to what a comparison will take."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuilab.analysis.efficiency import candidate_facts, efficiency_table
from tuilab.analysis.evidence import FinalRun, summarise
from tuilab.analysis.plan_cost import training_flops
from tuilab.analysis.report import as_json, html, markdown
from tuilab.spec.comparison import Comparison
from tuilab.spec.errors import LabError
from tuilab.spec.preset_file import loads
from tuilab.store.evidence import report_from, report_input, run_facts, tuned_rates
from tuilab.store.files import write_atomically
from tuilab.store.rates import (
    GUESSED_STEP_SECONDS,
    Measured,
    estimate,
    guessed_rate,
    nearest_rate,
    rates_of,
)
from tuilab.store.reader import Reader
from tuilab.store.records import DIVERGED, ExperimentRecord, NewPoint, NewRun, Phase, Progress, RunRecord, Status
from tuilab.store.writer import Writer

ASKED = Comparison.model_validate(
    {
        "title": "Two against one",
        "question": "Which?",
        "task": {"kind": "spirals", "num_train": 256},
        "training": {"steps": 20, "batch_size": 32},
        "protocol": {"final_seeds": 3, "lr_grid": [0.01, 0.1], "tuning_seeds": 2},
        "candidates": [{"name": "wide", "stack": "16 relu"}, {"name": "deep", "stack": "2*(5 relu)"}],
        "expect": [{"candidate": "deep", "against": "wide", "verdict": "better"}],
    }
)
WIDE, DEEP = [0.30, 0.32, 0.31], [0.10, 0.12, None]


def ended(run: RunRecord, metric: float | None) -> RunRecord:
    """The run after its last step; without a metric it has diverged."""
    if metric is None:
        return dataclasses.replace(run, status=Status.FAILED, step=10, reason=f"{DIVERGED}: its loss is not finite")
    return dataclasses.replace(
        run,
        status=Status.FINISHED,
        step=20,
        train_metric=metric - 0.01,
        val_metric=metric,
        test_metric=metric + 0.01,
        test_loss=2 * metric,
        dead_fraction=0.25,
        seconds=0.5,
    )


def recorded(home: Path, status: Status = Status.FINISHED) -> ExperimentRecord:
    """Four tuning runs of the first candidate and three final runs of each, with a curve of three points."""
    tuning = [NewRun(0, Phase.TUNING, 1_000_000 + seed, lr) for lr in (0.01, 0.1) for seed in range(2)]
    final = [NewRun(c, Phase.FINAL, seed, 0.1) for c in range(2) for seed in range(3)]
    with Writer(home) as writer:
        identity = writer.create_experiment(ASKED, "two")
        writer.set_environment(identity, {"torch": "2.0", "slots": "cpu"})
        runs = writer.add_runs(identity, [*tuning, *final])
        metrics = [0.4, None, 0.3, 0.35, *WIDE, *DEEP]
        points = [
            NewPoint(run.id, step, None, None, None if step == 0 else 1 / (1 + step))
            for step in (0, 10, 20)
            for run in runs
        ]
        finished = [ended(run, metric) for run, metric in zip(runs, metrics, strict=True)]
        progress = Progress(status, "", 1000.0, 1004.0 if status.ended else None, "cpu", 200, 190)
        writer.write(identity, points, finished, progress)
    with Reader(home) as reader:
        return reader.find(identity)


def test_final_runs_keep_their_numbers_and_curves_and_tuning_runs_are_left_out(tmp_path: Path) -> None:
    record = recorded(tmp_path)
    with Reader(tmp_path) as reader:
        finals = report_input(reader, record).finals
    assert [(one.candidate, one.seed_index) for one in finals] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert finals[0].curve == ((0, None), (10, 1 / 11), (20, 1 / 21))
    assert (finals[0].test_metric, finals[0].train_metric) == (0.31, 0.29)
    assert (finals[0].seconds, finals[0].dead_fraction, finals[0].steps) == (0.5, 0.25, 20)
    assert [one.failed for one in finals] == [False] * 5 + [True]


def test_a_run_that_finished_without_a_metric_counts_as_failed(tmp_path: Path) -> None:
    recorded(tmp_path)
    with Reader(tmp_path) as reader:
        run = reader.runs(reader.find("last").id)[4]
    assert not run_facts([run], [])[0].failed
    assert run_facts([dataclasses.replace(run, test_metric=None)], [])[0].failed


def test_a_run_whose_engine_died_says_nothing_about_its_network(tmp_path: Path) -> None:
    record = recorded(tmp_path)
    with Reader(tmp_path) as reader:
        runs = reader.runs(record.id)
    crashed = [dataclasses.replace(run, reason="its engine died twice") if run.reason else run for run in runs]
    assert [one.failed for one in run_facts(crashed, [])] == [False] * 6
    assert [one.values for one in tuned_rates(crashed)] == [(0.4,), (0.3, 0.35)]
    assert report_from(record, crashed, [], {}).result.candidates[1].failures == 0


def test_runs_that_have_not_begun_are_no_facts_yet(tmp_path: Path) -> None:
    recorded(tmp_path)
    with Reader(tmp_path) as reader:
        run = reader.runs(reader.find("last").id)[4]
    waiting = dataclasses.replace(run, status=Status.QUEUED, step=0, test_metric=None)
    assert run_facts([waiting], []) == ()
    assert run_facts([dataclasses.replace(waiting, status=Status.RUNNING, step=3)], [])[0].steps == 3


def test_tuning_is_told_by_candidate_and_rate_with_failures(tmp_path: Path) -> None:
    recorded(tmp_path)
    with Reader(tmp_path) as reader:
        found = tuned_rates(reader.runs(reader.find("last").id))
    assert [(one.candidate, one.lr, one.values) for one in found] == [(0, 0.01, (0.4, None)), (0, 0.1, (0.3, 0.35))]


def test_a_result_that_the_runner_has_not_written_is_made_from_the_runs(tmp_path: Path) -> None:
    record = recorded(tmp_path)
    with Reader(tmp_path) as reader:
        result = report_input(reader, record).result
    totals = [(one.num_params, one.macs) for one in candidate_facts(ASKED)]
    metrics = [(0, v + 0.01) for v in WIDE] + [(1, v + 0.01 if v is not None else None) for v in DEEP]
    finals = [FinalRun(c, index % 3, 0.1, value, None) for index, (c, value) in enumerate(metrics)]
    assert result == summarise(ASKED, totals, finals)
    assert result.candidates[1].failures == 1


def test_the_runners_own_result_is_not_second_guessed(tmp_path: Path) -> None:
    record = recorded(tmp_path)
    with Reader(tmp_path) as reader:
        made = report_input(reader, record)
        said = dataclasses.replace(made.result, verdict="as the runner said")
        again = report_input(reader, dataclasses.replace(record, result=said))
    assert again.result.verdict == "as the runner said"


def test_the_report_of_a_stored_experiment_runs_again_from_itself(tmp_path: Path) -> None:
    record = recorded(tmp_path)
    with Reader(tmp_path) as reader:
        read = report_input(reader, record)
    assert read.seconds == 4.0
    preset = as_json(read)["preset"]
    assert isinstance(preset, str)
    assert loads(preset) == ASKED
    for text in (markdown(read), html(read)):
        assert "Two against one" in text
        assert "2.0" in text
    rows = efficiency_table(read.candidates, read.finals)
    assert rows[0].flops == training_flops(read.candidates[0].macs, 32, 60)
    assert rows[1].failure_rate == pytest.approx(1 / 3)
    assert rows[0].gap == pytest.approx(0.02)


def test_an_experiment_whose_table_is_gone_says_which_file(tmp_path: Path) -> None:
    record = recorded(tmp_path)
    task = {"kind": "csv", "path": str(tmp_path / "gone.csv"), "target": "y"}
    gone = dataclasses.replace(record, comparison=ASKED.model_copy(update={"task": csv_task(task)}))
    with Reader(tmp_path) as reader, pytest.raises(LabError, match=r"gone\.csv"):
        report_input(reader, gone)


def csv_task(task: dict[str, str]) -> object:
    """A CSV task, validated without its file being read."""
    from pydantic import TypeAdapter

    from tuilab.spec.task import Task

    return TypeAdapter(Task).validate_python(task)


# What it will take ---------------------------------------------------------------------------------------------------


def test_without_earlier_experiments_the_time_is_a_guess(tmp_path: Path) -> None:
    with Reader(tmp_path) as reader:
        guess = estimate(reader, ASKED)
    assert not guess.measured
    assert (guess.cost.runs, guess.cost.tuning_runs, guess.cost.steps) == (14, 8, 14 * 20)
    rates = [guessed_rate(training_flops(one.macs, 32, 1), 4, 3) for one in candidate_facts(ASKED)]
    assert guess.cost.seconds == pytest.approx(sum(7 * 20 / rate for rate in rates))


def test_runs_that_train_together_are_guessed_to_share_what_a_step_takes_besides_its_arithmetic() -> None:
    assert guessed_rate(0, 40) == pytest.approx(40 * guessed_rate(0, 1)) == pytest.approx(40 * guessed_rate(0))
    assert guessed_rate(0, 40, 40) == pytest.approx(guessed_rate(0, 40))
    assert guessed_rate(10**15, 40) == pytest.approx(guessed_rate(10**15), rel=1e-3)


def test_the_same_comparison_is_estimated_at_the_rate_it_had(tmp_path: Path) -> None:
    recorded(tmp_path)
    with Reader(tmp_path) as reader:
        found = estimate(reader, ASKED)
    # Runs with a time: three tuning and three final ones of "wide", two final ones of "deep", 20 steps in 0.5 s each;
    # 4 s of training in 4 s of wall time, so that nothing trained beside anything else.
    assert found.measured
    assert found.cost.seconds == pytest.approx(14 * 0.5)


def test_groups_that_train_beside_each_other_count_together(tmp_path: Path) -> None:
    record = recorded(tmp_path)
    with Reader(tmp_path) as reader:
        runs = reader.runs(record.id)
    alone = rates_of(record, runs)
    twice = rates_of(dataclasses.replace(record, ended=1002.0), runs)
    assert [one.rate for one in twice] == pytest.approx([2 * one.rate for one in alone])


def test_experiments_on_another_kind_of_device_say_nothing(tmp_path: Path) -> None:
    recorded(tmp_path)
    with Reader(tmp_path) as reader:
        assert estimate(reader, ASKED, "cpu").measured
        assert not estimate(reader, ASKED, "cuda").measured


def test_unfinished_experiments_say_nothing(tmp_path: Path) -> None:
    recorded(tmp_path, Status.STOPPED)
    with Reader(tmp_path) as reader:
        assert not estimate(reader, ASKED).measured


flops = st.integers(0, 10**12)


@given(st.lists(st.builds(Measured, flops, st.floats(1, 1e6)), max_size=6), flops)
def test_a_larger_network_is_never_estimated_faster_than_the_one_measured(found: list[Measured], wanted: int) -> None:
    rate = nearest_rate(found, wanted)
    if rate is not None:
        assert rate <= max(one.rate for one in found)
        assert any((one.flops + 1) / 10.001 <= wanted + 1 <= (one.flops + 1) * 10.001 for one in found)


@given(flops, flops)
def test_guessed_rates_fall_with_the_cost_of_a_step(one: int, other: int) -> None:
    slow, quick = max(one, other), min(one, other)
    assert 0 < guessed_rate(slow) <= guessed_rate(quick) <= 1 / GUESSED_STEP_SECONDS


# Files ---------------------------------------------------------------------------------------------------------------


def test_a_file_is_replaced_whole_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.write_text("old")
    path.chmod(0o640)
    write_atomically(path, "new ±")
    assert path.read_text(encoding="utf-8") == "new ±"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    path, link = tmp_path / "report.md", tmp_path / "link.md"
    path.write_text("old")
    link.symlink_to(path)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert path.read_text() == "new"


@pytest.mark.parametrize("name", ["missing/report.md", "."])
def test_what_cannot_be_written_is_one_sentence_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(LabError, match="cannot write"):
        write_atomically(tmp_path / name, "text")
    assert list(tmp_path.iterdir()) == []
