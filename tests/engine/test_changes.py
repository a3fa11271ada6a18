"""Runs that are changed while they train: from that step on, no others, and the same again after a fault."""

import pytest

from tests.engine.test_checkpoints import REPLICAS, CutOffError, Told, cut, request
from tuilab.engine import checkpoints, packing
from tuilab.engine.training import train_group
from tuilab.spec.protocol import Change, ChangeRuns, RunsChanged, RunStopped

RUNS = tuple(replica.run for replica in REPLICAS)
CASES = ("adam", "sgd", "momentum", "rmsprop")


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    """A checkpoint at every evaluation, and a look at the requests at every step."""
    monkeypatch.setattr(checkpoints, "_SPARING", 0)
    monkeypatch.setattr("tuilab.engine.training._CHUNK_SECONDS", 0.0)


class ToldOfChanges(Told):
    """What a group told, and what was changed."""

    def __init__(self):
        super().__init__()
        self.changed, self.stopped = [], []

    def __call__(self, event):
        if isinstance(event, RunsChanged):
            self.changed.append((event.runs, event.change))
        if isinstance(event, RunStopped):
            self.stopped.append((event.run, event.step))
        super().__call__(event)


def interfered(asked, at, *wishes, control=lambda: False):
    """What the group tells when all wishes come after ``at`` steps, and once more after each step that follows."""
    looks = 0

    def requests():
        nonlocal looks
        looks += 1
        return wishes if looks >= at else ()

    told = ToldOfChanges()
    train_group(asked, told, control, requests)
    return told


def wish(*runs, **what):
    return ChangeRuns(group=1, runs=runs, **what)


@pytest.mark.parametrize("kernel", [True, False])
@pytest.mark.parametrize("optimizer", CASES)
def test_a_learning_rate_holds_from_its_step_on_for_the_runs_it_is_for(monkeypatch, optimizer, kernel):
    if not kernel:
        monkeypatch.setattr(packing, "find_kernel", lambda: None)
    asked = request("", optimizer=optimizer, steps=120)
    plain, told = Told(), interfered(asked, 40, wish(*RUNS[:2], lr=0.02))
    train_group(asked, plain, lambda: False)
    assert told.changed == [(RUNS[:2], Change(step=40, lr=0.02))]
    for (run, step), values in told.points.items():
        same = values == plain.points[run, step]
        assert same if run not in RUNS[:2] or step <= 40 else not same, (run, step)


@pytest.mark.parametrize("kernel", [True, False])
def test_more_steps_without_a_schedule_are_what_so_many_steps_are(monkeypatch, kernel):
    if not kernel:
        monkeypatch.setattr(packing, "find_kernel", lambda: None)
    asked = request("", steps=100, schedule="constant")
    longer = Told()
    train_group(request("", steps=170, schedule="constant"), longer, lambda: False)
    for at in (30, 100):
        told = interfered(asked, at, wish(RUNS[0], steps=170))
        assert told.changed == [(RUNS, Change(step=at, steps=170))]
        assert told.finished == longer.finished
        assert max(told.steps) == 170


def test_a_schedule_ends_with_the_new_last_step():
    short, told = Told(), interfered(request("", steps=100), 50, wish(*RUNS, steps=200))
    train_group(request("", steps=100), short, lambda: False)
    assert max(told.steps) == 200
    assert told.finished != short.finished
    assert told.group.steps == 200 * len(RUNS)


def test_runs_that_are_stopped_leave_and_the_others_do_not_notice():
    plain = Told()
    train_group(request(""), plain, lambda: False)
    told = interfered(request(""), 77, wish(*RUNS[1:3], stop=True))
    assert sorted(told.stopped) == [(run, 77) for run in RUNS[1:3]]
    assert told.finished == {run: found for run, found in plain.finished.items() if run not in RUNS[1:3]}
    assert max(step for (run, step), values in told.points.items() if run == RUNS[1] and any(values)) <= 77
    assert not told.group.stopped


def test_when_every_run_is_stopped_the_group_is_through():
    told = interfered(request(""), 10, wish(*RUNS, stop=True))
    assert len(told.stopped) == len(RUNS)
    assert told.finished == {}


@pytest.mark.parametrize("cut_at", [60, 110])
def test_what_was_changed_is_changed_again_after_a_fault(tmp_path, cut_at):
    wishes = (wish(*RUNS[:2], lr=0.02), wish(*RUNS, steps=160))
    undisturbed = interfered(request("", steps=120), 80, *wishes)
    asked = request(tmp_path, steps=120)
    with pytest.raises(CutOffError):
        interfered(asked, 80, *wishes, control=cut(cut_at))
    changes = {run: tuple(change for runs, change in undisturbed.changed if run in runs) for run in RUNS}
    again = asked.model_copy(
        update={"replicas": tuple(one.model_copy(update={"changes": changes[one.run]}) for one in REPLICAS)}
    )
    told = interfered(again, 10**9)
    assert told.everything == undisturbed.everything
    assert told.changed == []


def test_a_checkpoint_with_a_change_that_nobody_heard_of_is_not_gone_on_from(tmp_path):
    plain, asked = Told(), request(tmp_path, steps=120)
    train_group(request("", steps=120), plain, lambda: False)
    with pytest.raises(CutOffError):
        interfered(asked, 80, wish(*RUNS, lr=0.02), control=cut(110))
    told = ToldOfChanges()
    train_group(asked, told, lambda: False)
    assert told.everything == plain.everything
