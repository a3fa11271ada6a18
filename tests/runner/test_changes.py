"""Runs that are changed or stopped by hand: they are marked and no evidence, and the plan is kept all the same."""

import pytest

from tests.runner.lab import until
from tuilab.runner import client
from tuilab.spec.errors import LabError
from tuilab.spec.protocol import Change
from tuilab.store.evidence import report_input
from tuilab.store.records import Phase, Status

ONE = ({"name": "only", "stack": "4 relu", "training": {"lr": 0.01}},)


def begun(lab, **changes):
    """An experiment of three final runs that train until they are told something."""
    identity = lab.start("--hold", candidates=ONE, **changes)
    until(lambda: lab.reader.points(identity), "the first point")
    return identity


def test_a_changed_learning_rate_marks_the_runs_and_their_seeds_are_trained_again_as_planned(lab):
    identity = lab.start("--pace", 0.05, candidates=ONE)
    until(lambda: lab.reader.points(identity), "the first point")
    for _ in range(2):
        client.set_lr(lab.home, identity, 0.1)
    record = lab.finish(identity)
    assert record.status is Status.FINISHED, lab.log(identity)
    changed = [run for run in lab.runs(identity, Phase.FINAL) if run.changes]
    others = [run for run in lab.runs(identity, Phase.FINAL) if not run.changes]
    assert [run.seed_index for run in changed] == [run.seed_index for run in others] == [0, 1, 2]
    assert {run.lr for run in (*changed, *others)} == {0.01}
    (mark,) = {run.changes for run in changed}
    assert [change.lr for change in mark] == [0.1]
    assert record.result is not None
    assert record.result.complete
    assert record.result.candidates[0].values == pytest.approx((0.0, 0.01, 0.02))
    said = record.result.caveats[0 if "hand" in record.result.caveats[0] else 1]
    assert said.startswith(f"Changed by hand while they trained (learning rate 0.1 from step {mark[0].step}): ")
    assert "3 final runs of only" in said
    assert record.done_steps == record.planned_steps == 6 * 30
    assert {fact.test_metric for fact in report_input(lab.reader, record).finals} == {0.0, 0.01, 0.02}


def test_one_run_is_stopped_and_the_others_go_on(lab):
    identity = lab.start("--pace", 0.05, candidates=ONE)
    until(lambda: lab.reader.points(identity), "the first point")
    wanted = lab.runs(identity, Phase.FINAL)[1].id
    client.set_lr(lab.home, identity, 0.1, run=wanted)
    for _ in range(2):
        client.stop_run(lab.home, identity, wanted)
    record = lab.finish(identity)
    assert record.status is Status.FINISHED
    statuses = {run.id: run.status for run in lab.runs(identity, Phase.FINAL)}
    assert statuses == {run: Status.STOPPED if run == wanted else Status.FINISHED for run in statuses}
    assert len(statuses) == 3
    assert record.result is not None
    assert not record.result.complete
    assert record.result.candidates[0].values == pytest.approx((0.0, 0.02))
    assert any("Stopped by hand: 1 final run of only" in caveat for caveat in record.result.caveats)
    assert not any("Changed by hand" in caveat for caveat in record.result.caveats)


def test_what_has_not_begun_cannot_be_changed(lab):
    identity = lab.create()
    with pytest.raises(LabError, match=f"experiment {identity} has not begun: nothing of it trains yet"):
        client.set_lr(lab.home, identity, 0.1)
    with pytest.raises(LabError, match=f"experiment {identity} has not begun: nothing of it trains yet"):
        client.set_steps(lab.home, identity, 100)


def test_a_run_that_waits_is_stopped_before_it_begins(lab):
    identity = lab.start("--pace", 0.02)
    until(lambda: len(lab.reader.runs(identity)) >= 9, "both candidates are planned")
    waiting = [run.id for run in lab.reader.runs(identity) if run.candidate == 1]
    client.stop_run(lab.home, identity, waiting[0])
    record = lab.finish(identity)
    assert record.status is Status.FINISHED
    assert {run.id: run.status for run in lab.reader.runs(identity)}[waiting[0]] is Status.STOPPED


def test_a_tuning_run_that_was_changed_decides_nothing(lab):
    identity = lab.start("--pace", 0.05)
    until(lambda: lab.reader.points(identity), "the first point")
    client.set_lr(lab.home, identity, 1.0, candidate=0)
    record = lab.finish(identity)
    tuning = lab.runs(identity, Phase.TUNING)
    assert sorted((run.lr, run.seed_index) for run in tuning if run.changes) == sorted(
        (run.lr, run.seed_index) for run in tuning if not run.changes
    )
    assert {run.lr for run in lab.runs(identity, Phase.FINAL)} == {0.01}
    assert record.status is Status.FINISHED


def test_a_change_outlives_its_runner(lab):
    identity = begun(lab)
    client.set_lr(lab.home, identity, 0.1)
    until(lambda: all(run.changes for run in lab.reader.runs(identity)), "the runs are marked")
    lab.processes(identity)[0].kill()
    lab.reaches(identity, Status.LOST)
    lab.resume(identity)
    assert lab.finish(identity).status is Status.FINISHED
    changed = [run for run in lab.reader.runs(identity) if run.changes]
    assert [run.changes for run in changed] == [(Change(step=0, lr=0.1),)] * 3
    assert len(lab.reader.runs(identity)) == 6


def test_what_cannot_be_changed_is_refused(lab):
    identity = begun(lab)
    for lr in (0.0, -1.0, float("nan"), float("inf"), 1e9):
        with pytest.raises(LabError, match="a learning rate is a number above 0"):
            client.set_lr(lab.home, identity, lr)
    for steps in (0, 30, 10**10):
        with pytest.raises(LabError, match="runs take 30 steps as planned"):
            client.set_steps(lab.home, identity, steps)
    with pytest.raises(LabError, match="has no run 99"):
        client.stop_run(lab.home, identity, 99)
    client.stop(lab.home, identity)
    lab.finish(identity)
    with pytest.raises(LabError, match="does not run"):
        client.set_lr(lab.home, identity, 0.1)
    with pytest.raises(LabError, match="there is no experiment"):
        client.set_steps(lab.home, "0000000", 100)
