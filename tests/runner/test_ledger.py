"""The runner's copy of an experiment reaches the store whole, once, and late rather than never."""

from dataclasses import astuple, replace

import pytest

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
