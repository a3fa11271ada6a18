"""What is written to the store is what is read from it, by anybody, in any order."""

import stat
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.store_values import COMPARISON, points_of
from tuilab.analysis.result import CandidateResult, Result
from tuilab.spec.errors import LabError
from tuilab.store.home import lab_home, log_file, make_home, store_file
from tuilab.store.reader import Reader
from tuilab.store.records import Command, NewPoint, NewRun, Phase, Progress, Status
from tuilab.store.writer import Writer

RESULT = Result(
    "error",
    (
        CandidateResult("shallow", "16 relu", 82, 64, 0.1, (0.25, 0.5), 0.375, 1.588, 0, 1234.5),
        CandidateResult("deep", "2*(8 relu)", 100, 90, None, (), None, None, 1, None),
    ),
    "shallow is better",
    complete=True,
)


@pytest.fixture
def writer(tmp_path):
    with Writer(tmp_path) as opened:
        yield opened


@pytest.fixture
def reader(tmp_path):
    with Reader(tmp_path) as opened:
        yield opened


def test_a_lab_without_a_store_reads_as_empty_and_stays_untouched(tmp_path, reader):
    assert reader.experiments() == []
    assert reader.experiment("0000000") is None
    assert reader.runs("0000000") == []
    assert reader.points("0000000") == []
    assert reader.environment("0000000") == {}
    assert reader.version() == 0
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_was_there_first_sees_the_store_when_it_appears(tmp_path, reader):
    assert reader.experiments() == []
    with Writer(tmp_path) as writer:
        identity = writer.create_experiment(COMPARISON)
    assert [record.id for record in reader.experiments()] == [identity]


def test_an_experiment_reads_back_as_it_was_created(writer, reader):
    identity = writer.create_experiment(COMPARISON, source="presets/two.yaml", device="cuda:1")
    record = reader.experiment(identity)
    assert record is not None
    assert record.comparison == COMPARISON
    assert (record.source, record.status, record.started, record.result) == (
        "presets/two.yaml",
        Status.QUEUED,
        None,
        None,
    )
    assert reader.wanted_device(identity) == "cuda:1"


def test_runs_progress_and_result_read_back_as_they_were_written(writer, reader):
    identity = writer.create_experiment(COMPARISON)
    planned = [NewRun(1, Phase.TUNING, 1_000_000, 0.01), NewRun(0, Phase.FINAL, 3, 0.1)]
    first, second = writer.add_runs(identity, planned)
    assert reader.runs(identity) == [first, second]
    assert (first.candidate, first.phase, first.seed_index, first.lr) == (1, Phase.TUNING, 1_000_000, 0.01)
    ended = replace(
        second, status=Status.FINISHED, step=50, test_loss=0.1, test_metric=0.2, dead_fraction=0.0, seconds=3.5
    )
    failed = replace(first, status=Status.FAILED, step=9, reason="the loss is no longer finite")
    progress = Progress(Status.FINISHED, "", 10.0, 20.5, "a CPU", 100, 59, RESULT)
    writer.write(identity, runs=[ended, failed], progress=progress)
    assert reader.runs(identity) == [failed, ended]
    record = reader.experiment(identity)
    assert record is not None
    assert record.result == RESULT
    assert (record.started, record.ended, record.device) == (10.0, 20.5, "a CPU")
    assert (record.planned_steps, record.done_steps) == (100, 59)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(
        st.tuples(*(st.none() | st.floats(allow_nan=False, allow_infinity=False) for _ in range(3))), max_size=20
    ),
    limit=st.integers(1, 7),
)
def test_points_read_in_pieces_are_the_points_that_were_written(tmp_path, values, limit):
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        identity = writer.create_experiment(COMPARISON)
        other = writer.create_experiment(COMPARISON)
        written = [NewPoint(1, step, *row) for step, row in enumerate(values)]
        for start in range(0, len(written), 3):
            writer.write(identity, written[start : start + 3])
            writer.write(other, points_of(2, range(2)))
        read, after = [], 0
        while batch := reader.points(identity, after, limit):
            assert len(batch) <= limit
            read += batch
            after = batch[-1].rowid
    assert [NewPoint(*point[1:]) for point in read] == written
    assert [point.rowid for point in read] == list(range(1, len(written) + 1))


def test_ids_sort_by_creation_and_the_list_is_newest_first(writer, reader):
    identities = [writer.create_experiment(COMPARISON) for _ in range(50)]
    assert identities == sorted(set(identities))
    assert [record.id for record in reader.experiments()] == identities[::-1]


def test_an_id_is_found_by_a_unique_prefix_by_itself_and_by_last(writer, reader):
    identities = [writer.create_experiment(COMPARISON) for _ in range(2)]
    assert reader.find("last").id == identities[1]
    assert reader.find(identities[0]).id == identities[0]
    assert reader.find(f" {identities[0].upper()} ").id == identities[0]
    with pytest.raises(LabError, match=r"2 experiments begin with .*write more of the id"):
        reader.find(identities[0][:2])
    with pytest.raises(LabError, match="no experiment 'zzz'"):
        reader.find("zzz")
    with pytest.raises(LabError, match="no experiment"):
        reader.find("")
    writer.delete(identities[0])
    assert reader.find(identities[1][:2]).id == identities[1]


def test_last_of_an_empty_lab_is_a_sentence(reader):
    with pytest.raises(LabError, match="there is no experiment yet"):
        reader.find("last")


def test_the_version_changes_with_every_write_of_another_connection_and_only_then(writer, reader):
    identity = writer.create_experiment(COMPARISON)
    first = reader.version()
    reader.points(identity)
    assert reader.version() == first
    writer.write(identity, points_of(1, range(3)))
    assert reader.version() != first


def test_a_reader_meanwhile_sees_whole_batches_only(writer, tmp_path):
    identity = writer.create_experiment(COMPARISON)
    seen: list[int] = []
    done = threading.Event()

    def watch() -> None:
        with Reader(tmp_path) as watcher:
            while not done.is_set():
                seen.append(len(watcher.points(identity)))

    watching = threading.Thread(target=watch)
    watching.start()
    for batch in range(50):
        writer.write(identity, points_of(1, range(batch * 20, batch * 20 + 20)))
    done.set()
    watching.join()
    assert all(count % 20 == 0 for count in seen)
    assert seen == sorted(seen)


def test_deleting_forgets_one_experiment_and_nothing_of_another(writer, reader, tmp_path):
    identity, other = (writer.create_experiment(COMPARISON) for _ in range(2))
    for each in (identity, other):
        writer.add_runs(each, [NewRun(0, Phase.FINAL, 0, 0.1)])
        writer.write(each, points_of(1, range(5)))
        log_file(tmp_path, each).write_text("said")
    writer.delete(identity)
    assert reader.experiment(identity) is None
    assert reader.runs(identity) == []
    assert reader.points(identity) == []
    assert not log_file(tmp_path, identity).exists()
    assert (len(reader.runs(other)), len(reader.points(other))) == (1, 5)
    with pytest.raises(LabError, match="there is no experiment"):
        writer.delete(identity)


def test_commands_wait_until_they_are_acknowledged(writer, reader):
    identity, other = (writer.create_experiment(COMPARISON) for _ in range(2))
    sent = [writer.send(identity, command) for command in (Command.PAUSE, Command.STOP)]
    assert writer.waiting_commands(other) == []
    waiting = writer.waiting_commands(identity)
    assert [command.command for command in waiting] == [Command.PAUSE, Command.STOP]
    writer.acknowledge(waiting[0])
    assert [reader.acknowledged(command) for command in sent] == [True, False]
    assert writer.waiting_commands(identity) == waiting[1:]


def test_an_experiment_is_claimed_once(writer):
    identity = writer.create_experiment(COMPARISON)
    assert writer.claim(identity)
    assert not writer.claim(identity)
    assert not writer.cancel(identity, "too late")
    assert not writer.claim("0000000")


def test_an_experiment_that_was_cancelled_is_never_claimed(writer, reader):
    identity = writer.create_experiment(COMPARISON)
    assert writer.cancel(identity, "not today")
    assert not writer.claim(identity)
    record = reader.experiment(identity)
    assert record is not None
    assert (record.status, record.message) == (Status.STOPPED, "not today")


def test_the_environment_reads_back(writer, reader):
    identity = writer.create_experiment(COMPARISON)
    writer.set_environment(identity, {"torch": "2.13.0", "device": "a «GPU»"})
    assert reader.environment(identity) == {"torch": "2.13.0", "device": "a «GPU»"}


def test_nobody_else_may_look_into_the_lab(tmp_path):
    home = tmp_path / "deep" / "lab"
    with Writer(home) as writer:
        writer.create_experiment(COMPARISON)
        for path in (home, *home.rglob("*")):
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_home_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LabError, match=r"cannot create the lab's folder .*TUILAB_HOME"):
        make_home(tmp_path / "file" / "lab")


def test_tuilab_home_moves_the_lab(monkeypatch, tmp_path):
    monkeypatch.setenv("TUILAB_HOME", str(tmp_path / "elsewhere"))
    assert lab_home() == tmp_path / "elsewhere"
    assert store_file(lab_home()).parent == tmp_path / "elsewhere"
    monkeypatch.setenv("TUILAB_HOME", "relative")
    assert lab_home() == Path.cwd() / "relative"
    monkeypatch.delenv("TUILAB_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert lab_home().name == "tuilab"


@pytest.mark.parametrize("seeds", [0, 2])
def test_an_experiment_that_goes_on_took_as_long_as_its_runners_did(writer, reader, seeds):
    identity = writer.create_experiment(COMPARISON)
    writer.write(identity, progress=Progress(Status.STOPPED, "", 1000.0, 1040.0))
    assert writer.add_seeds(identity, seeds) if seeds else writer.reopen(identity)
    going_on = reader.find(identity)
    assert going_on.started is not None
    assert going_on.started + 40.0 == pytest.approx(time.time(), abs=5.0)
    assert going_on.ended is None
