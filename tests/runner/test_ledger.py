"""The runner's copy of an experiment reaches the store whole, once, and late rather than never."""

from dataclasses import astuple, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.store_values import COMPARISON
from tuilab.runner import ledger as ledger_module
from tuilab.runner.ledger import Ledger
from tuilab.spec.protocol import Points
from tuilab.store.reader import Reader
from tuilab.store.records import NewRun, Phase, Status
from tuilab.store.schema import StoreError
from tuilab.store.writer import Writer


class Lab:
    """A store, an experiment in it with two runs, and its ledger."""

    def __init__(self, home):
        self.writer, self.reader = Writer(home), Reader(home)
        self.identity = self.writer.create_experiment(COMPARISON)
        self.ledger = Ledger(self.writer, self.identity)
        records = self.ledger.add([NewRun(0, Phase.FINAL, seed, 0.1) for seed in range(2)])
        assert records
        self.first, self.second = records

    def report(self, *steps: int, value: float | None = 1.0) -> None:
        row = (value, None)
        rows = (row,) * len(steps)
        self.ledger.report(
            Points(
                group=1,
                runs=(self.first.id, self.second.id),
                steps=steps,
                train_loss=rows,
                eval_loss=rows,
                metric=rows,
            )
        )

    def fill_disk(self, full: bool = True) -> None:
        pages = self.writer._connection.execute("PRAGMA page_count").fetchone()[0]
        self.writer._connection.execute(f"PRAGMA max_page_count={pages if full else 10**6}")

    def stored(self) -> list[tuple[int, int]]:
        return [(point.run, point.step) for point in self.reader.points(self.identity)]


@pytest.fixture
def lab(tmp_path):
    made = Lab(tmp_path)
    yield made
    made.writer.close()
    made.reader.close()


def test_points_without_a_value_are_not_kept_but_their_steps_count(lab):
    lab.report(0, 10)
    assert lab.ledger.flush(now=True)
    assert lab.stored() == [(lab.first.id, 0), (lab.first.id, 10)]
    assert [run.step for run in lab.reader.runs(lab.identity)] == [10, 10]
    assert lab.reader.find(lab.identity).done_steps == 20


def test_a_run_that_is_trained_again_reports_no_step_twice(lab):
    lab.report(0, 10, 20)
    lab.report(0, 10)
    lab.report(20, 30)
    lab.ledger.flush(now=True)
    assert lab.stored() == [(lab.first.id, step) for step in (0, 10, 20, 30)]
    assert lab.ledger.progress.done_steps == 60


VALUE = st.none() | st.floats(-1e6, 1e6)
MESSAGE = st.lists(st.tuples(st.integers(0, 6), *(st.tuples(VALUE, VALUE, VALUE) for _ in range(3))), max_size=5)
"""Steps, and three losses of each of three runs, the last of which the ledger does not know."""


@settings(max_examples=40, deadline=None)
@given(messages=st.lists(MESSAGE, max_size=4))
def test_what_is_stored_of_messages_is_what_each_run_had_not_reported(tmp_path_factory, messages):
    lab = Lab(tmp_path_factory.mktemp("lab"))
    runs = (lab.first.id, lab.second.id, 99)
    expected, last = [], {lab.first.id: -1, lab.second.id: -1}
    for rows in messages:
        train, evaluated, metric = ([tuple(run[k] for run in row[1:]) for row in rows] for k in range(3))
        steps = tuple(row[0] for row in rows)
        lab.ledger.report(Points(group=1, runs=runs, steps=steps, train_loss=train, eval_loss=evaluated, metric=metric))
        for step, *values in rows:
            for run, losses in zip(runs, values, strict=True):
                if last.get(run, step) < step:
                    last[run] = step
                    if losses != (None, None, None):
                        expected.append((run, step, *losses))
    assert lab.ledger.flush(now=True)
    assert [point[1:] for point in lab.reader.points(lab.identity)] == expected
    assert [run.step for run in lab.reader.runs(lab.identity)] == [max(0, step) for step in last.values()]
    assert lab.reader.find(lab.identity).done_steps == sum(max(0, step) for step in last.values())
    lab.writer.close()
    lab.reader.close()


@pytest.mark.parametrize("rows", [((1.0, 2.0),), ((1.0,), (1.0, 2.0)), ((1.0, 2.0, 3.0), (1.0, 2.0, 3.0))])
def test_losses_that_are_not_one_for_each_step_and_run_are_no_message(rows):
    whole = ((1.0, 2.0), (3.0, 4.0))
    for name in ("train_loss", "eval_loss", "metric"):
        losses = {"train_loss": whole, "eval_loss": whole, "metric": whole} | {name: rows}
        with pytest.raises(ValueError, match="there must be 2 rows of 2 values"):
            Points(group=1, runs=(1, 2), steps=(0, 1), **losses)


def test_a_run_that_has_ended_takes_no_further_steps(lab):
    lab.ledger.change(replace(lab.first, status=Status.FAILED, step=5))
    lab.report(10)
    assert lab.ledger.runs[lab.first.id].step == 5


def test_while_the_disk_is_full_everything_waits_and_is_there_once_space_returns(lab):
    lab.fill_disk()
    lab.report(*range(5000))
    assert not lab.ledger.flush(now=True)
    assert lab.ledger.add([NewRun(1, Phase.FINAL, seed, 0.1) for seed in range(10_000)]) is None
    assert lab.stored() == []
    lab.report(*range(5000, 6000))
    assert not lab.ledger.flush(now=True)
    lab.fill_disk(full=False)
    assert lab.ledger.flush(now=True)
    assert lab.stored() == [(lab.first.id, step) for step in range(6000)]
    assert [astuple(run) for run in lab.reader.runs(lab.identity)] == [astuple(run) for run in lab.ledger.runs.values()]


def test_a_disk_that_stays_full_is_waited_for_and_said(lab, monkeypatch):
    monkeypatch.setattr(ledger_module, "UNSAVED_SECONDS", 0.0)
    notes: list[str] = []
    lab.ledger.tell = notes.append
    lab.fill_disk()
    lab.report(*range(5000))
    for _ in range(3):
        assert not lab.ledger.flush(now=True)
    assert "the disk is full" in notes[-1]
    assert notes[-1].endswith("(5,000 points wait in memory)")
    lab.fill_disk(full=False)
    assert lab.ledger.flush(now=True)
    assert notes[-1] == ""


def test_a_store_that_cannot_be_written_for_another_reason_ends_the_patience(lab, monkeypatch):
    monkeypatch.setattr(ledger_module, "UNSAVED_SECONDS", 0.0)
    lab.writer.close()
    lab.report(0)
    assert not lab.ledger.flush(now=True)
    with pytest.raises(StoreError, match="cannot be used"):
        lab.ledger.flush(now=True)


def test_more_points_than_memory_is_for_end_the_patience(lab, monkeypatch):
    monkeypatch.setattr(ledger_module, "UNSAVED_POINTS", 4000)
    lab.fill_disk()
    lab.report(*range(5000))
    with pytest.raises(StoreError, match=r"the disk is full.*5,000 points waited in memory, more than it is for"):
        lab.ledger.flush(now=True)


def test_the_last_word_is_written_even_where_the_points_do_not_fit(lab):
    lab.ledger.flush(now=True)
    lab.fill_disk()
    lab.report(*range(5000))
    lab.ledger.update(replace(lab.ledger.progress, status=Status.FAILED, message="the disk is full"))
    lab.ledger.close(0.0)
    assert lab.reader.find(lab.identity).message == "the disk is full"
    assert lab.stored() == []


def test_the_last_word_is_a_note_where_nothing_can_be_written(lab):
    notes: list[str] = []
    lab.ledger.tell = notes.append
    lab.ledger.update(replace(lab.ledger.progress, status=Status.FAILED, message="the disk is full"))
    lab.writer.close()
    lab.ledger.close(hopeless=lambda: True)
    assert notes[-1] == "failed: the disk is full"


def test_an_end_that_nobody_can_write_has_a_word_all_the_same(lab):
    notes: list[str] = []
    lab.ledger.tell = notes.append
    lab.ledger.update(replace(lab.ledger.progress, status=Status.FINISHED))
    lab.writer.close()
    lab.ledger.close(hopeless=lambda: True)
    assert notes[-1].startswith("failed: the last of it could not be written")


def test_an_experiment_whose_last_points_are_given_up_has_not_finished_and_can_go_on(lab):
    lab.writer.claim(lab.identity)
    lab.ledger.flush(now=True)
    lab.fill_disk()
    lab.report(*range(5000))
    for run in (lab.first, lab.second):
        lab.ledger.change(replace(lab.ledger.runs[run.id], status=Status.FINISHED))
    lab.ledger.update(replace(lab.ledger.progress, status=Status.FINISHED))
    lab.ledger.close(hopeless=lambda: True)
    record = lab.reader.find(lab.identity)
    assert record.status is Status.STOPPED
    assert "could not be written" in record.message
    lab.fill_disk(full=False)
    assert lab.writer.reopen(lab.identity)
    assert [run.status for run in lab.reader.runs(lab.identity)] == [Status.QUEUED, Status.FINISHED]


def test_a_store_that_will_never_take_the_end_is_not_waited_for(lab, monkeypatch):
    monkeypatch.setattr(ledger_module, "UNSAVED_SECONDS", 0.0)
    notes: list[str] = []
    lab.ledger.tell = notes.append
    lab.ledger.update(replace(lab.ledger.progress, status=Status.FAILED, message="it ends"))
    lab.writer.close()
    lab.ledger.close()
    assert notes[-1] == "failed: it ends"
