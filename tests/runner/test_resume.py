"""Experiments that were cut off go on: what was trained is kept, the rest is trained, nothing is told twice."""

import pytest

from tests.runner.lab import comparison, until
from tuilab.runner import client
from tuilab.spec.errors import LabError
from tuilab.spec.training import report_steps
from tuilab.store.home import checkpoint_folder
from tuilab.store.records import Command, Phase, Status
from tuilab.store.writer import Writer

TWO = (
    {"name": "first", "stack": "4 relu", "training": {"lr": 0.01}},
    {"name": "second", "stack": "8", "training": {"lr": 0.1}},
)


def cut_off(lab, identity, points=1):
    """Kill the experiment's runner once there are so many points."""
    until(lambda: len(lab.reader.points(identity)) >= points, "some points")
    lab.processes(identity)[0].kill()
    lab.reaches(identity, Status.LOST)
    until(lambda: not lab.processes(identity), "its engines are gone")


def everything(lab, identity):
    """What an experiment has found, without what differs between two that are the same."""
    runs = lab.reader.runs(identity)
    order = {run.id: place for place, run in enumerate(runs)}
    points = [(order[one.run], one.step, one.train_loss, one.eval_loss) for one in lab.reader.points(identity)]
    found = [(run.candidate, run.phase, run.seed_index, run.lr, run.status, run.step, run.test_metric) for run in runs]
    record = lab.reader.find(identity)
    return found, sorted(points), record.done_steps, record.planned_steps, record.result


@pytest.mark.parametrize("reached", [1, 100, 200, 270])
def test_a_lost_experiment_goes_on_and_finds_what_an_undisturbed_one_finds(lab, reached):
    undisturbed = lab.start()
    assert lab.finish(undisturbed).status is Status.FINISHED
    identity = lab.start("--pace", 0.02)
    cut_off(lab, identity, reached)
    before = lab.reader.points(identity)
    ended = [run for run in lab.reader.runs(identity) if run.status.ended]
    lab.resume(identity)
    record = lab.finish(identity)
    assert (record.status, record.message) == (Status.FINISHED, ""), lab.log(identity)
    assert lab.reader.points(identity)[: len(before)] == before
    assert [run for run in lab.reader.runs(identity) if run in ended] == ended
    assert everything(lab, identity)[:-1] == everything(lab, undisturbed)[:-1]
    assert record.result is not None
    assert record.result.complete
    assert record.started is not None


def test_a_stopped_experiment_goes_on(lab):
    identity = lab.start("--hold")
    until(lambda: lab.reader.points(identity), "the first point")
    client.stop(lab.home, identity)
    assert lab.finish(identity).status is Status.STOPPED
    lab.resume(identity)
    assert lab.finish(identity).status is Status.FINISHED
    steps = [(point.run, point.step) for point in lab.reader.points(identity)]
    assert len(steps) == len(set(steps)) == 12 * len(report_steps(30))


def test_an_experiment_that_was_stopped_before_it_began_goes_on(lab):
    identity = client.create_experiment(lab.home, comparison(), device="cpu")
    client.stop(lab.home, identity)
    lab.resume(identity)
    assert lab.finish(identity).status is Status.FINISHED


def test_a_failed_experiment_tries_again_what_could_not_be_trained_and_nothing_else(lab):
    identity = lab.start("--refuse", "4 relu", "--diverge", 0.1, candidates=TWO)
    assert lab.finish(identity).status is Status.FAILED
    diverged = lab.runs(identity, Phase.FINAL, candidate=1)
    assert {run.reason for run in diverged} == {"diverged"}
    lab.resume(identity)
    assert lab.finish(identity).status is Status.FINISHED
    assert lab.runs(identity, Phase.FINAL, candidate=1) == diverged
    assert {run.status for run in lab.runs(identity, Phase.FINAL)} == {Status.FINISHED}


def test_an_experiment_can_be_cut_off_again_and_again(lab):
    identity = lab.start("--pace", 0.01)
    for reached in (1, 100, 250):
        cut_off(lab, identity, reached)
        lab.resume(identity, "--pace", 0.01)
    assert lab.finish(identity).status is Status.FINISHED
    steps = [(point.run, point.step) for point in lab.reader.points(identity)]
    assert len(steps) == len(set(steps)) == 12 * len(report_steps(30))


def test_what_was_asked_of_the_runner_that_vanished_is_not_asked_of_the_next(lab):
    identity = lab.start("--hold")
    until(lambda: lab.reader.points(identity), "the first point")
    lab.processes(identity)[0].kill()
    with Writer(lab.home) as writer:
        writer.send(identity, Command.STOP)
    lab.reaches(identity, Status.LOST)
    lab.resume(identity)
    assert lab.finish(identity).status is Status.FINISHED


def test_going_on_twice_is_going_on_once(lab):
    identity = lab.start("--hold")
    cut_off(lab, identity)
    for _ in range(3):
        lab.resume(identity, "--pace", 0.005)
    record = lab.finish(identity)
    assert record.status is Status.FINISHED
    lab.resume(identity)
    assert lab.reader.find(identity) == record


def test_checkpoints_are_kept_while_they_are_good_for_something(lab):
    identity = lab.start("--hold")
    kept = checkpoint_folder(lab.home, identity)
    cut_off(lab, identity)
    assert {path.read_text() for path in kept.iterdir()} == {"30.0"}
    lab.resume(identity)
    assert lab.finish(identity).status is Status.FINISHED
    assert not kept.exists()
    other = lab.start("--hold")
    cut_off(lab, other)
    with Writer(lab.home) as writer:
        writer.delete(other)
    assert not checkpoint_folder(lab.home, other).exists()


def test_an_experiment_whose_data_are_gone_is_refused_and_keeps_what_it_has_found(lab, tmp_path):
    rows = "\n".join(f"{k % 7},{k % 5},{k % 3}" for k in range(90))
    path = tmp_path / "data.csv"
    path.write_text(f"x,y,t\n{rows}\n")
    task = {"kind": "csv", "path": str(path), "target": "t"}
    identity = lab.start("--hold", task=task, candidates=TWO)
    until(lambda: lab.reader.points(identity), "the first point")
    client.stop(lab.home, identity)
    before = lab.finish(identity)
    text = path.read_text()
    path.unlink()
    with pytest.raises(LabError, match=r"data\.csv"):
        lab.resume(identity)
    assert lab.reader.find(identity) == before
    path.write_text(text)
    lab.resume(identity)
    assert lab.finish(identity).status is Status.FINISHED


def test_what_is_about_to_stop_is_resumed_once_it_has_stopped(lab):
    identity = lab.start("--hold")
    until(lambda: lab.reader.points(identity), "the first point")
    runner = lab.processes(identity)[0]
    runner.suspend()
    client.stop(lab.home, identity)
    with pytest.raises(LabError, match=f"experiment {identity} is about to stop"):
        lab.resume(identity)
    runner.resume()
    assert lab.finish(identity).status is Status.STOPPED
    lab.resume(identity)
    assert lab.finish(identity).status is Status.FINISHED
