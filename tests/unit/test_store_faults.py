"""Killed writers, vanished runners, full disks, damaged files, other versions: nothing is lost, every end is told."""

import random
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.store_values import COMPARISON, points_of
from tuilab.spec.errors import LabError
from tuilab.store import schema
from tuilab.store.home import experiment_lock, make_home, store_file
from tuilab.store.locks import LAST_WORD, FileLock, is_held, read_note
from tuilab.store.reader import LAUNCH_SECONDS, Reader
from tuilab.store.records import DIVERGED, STOPPED_BY_HAND, NewPoint, NewRun, Phase, Progress, Status
from tuilab.store.rescue import damage, set_aside
from tuilab.store.schema import MIGRATIONS, StoreError, connect, create, migrate, version_of
from tuilab.store.writer import Writer

ROOT = Path(__file__).parents[2]
WRITE_FOREVER = """
import sys
from pathlib import Path
from tests.unit.store_values import points_of
from tuilab.store.writer import Writer
writer = Writer(Path(sys.argv[1]))
step = 0
while True:
    writer.write(sys.argv[2], points_of(1, range(step, step + 7)))
    step += 7
    print(step, flush=True)
"""
HOLD_LOCK = """
import sys
from pathlib import Path
from tuilab.store.locks import FileLock
lock = FileLock(Path(sys.argv[1]))
print(lock.acquire(), flush=True)
sys.stdin.read()
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_writer_killed_at_any_moment_loses_nothing_that_was_committed(tmp_path):
    with Writer(tmp_path) as writer:
        identity = writer.create_experiment(COMPARISON)
    start_step = 0
    for kill_after in (1, 2, 3, 5, 8):
        with start(WRITE_FOREVER.replace("step = 0", f"step = {start_step}"), tmp_path, identity) as process:
            assert process.stdout
            for _ in range(kill_after):
                process.stdout.readline()
            process.kill()
            told = process.stdout.read().split()
        with Reader(tmp_path) as reader:
            points = reader.points(identity)
        committed = int(told[-1]) if told else start_step + 7 * kill_after
        assert len(points) % 7 == 0
        assert len(points) >= committed
        expected = points_of(1, range(len(points)))
        assert [NewPoint(*point[1:]) for point in points] == expected
        start_step = len(points)
    with connect(store_file(tmp_path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    connection.close()


def test_an_experiment_whose_runner_is_killed_is_lost_and_ended_with_its_last_sign_of_life(tmp_path):
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        identity = writer.create_experiment(COMPARISON)
        with start(HOLD_LOCK, experiment_lock(tmp_path, identity)) as process:
            assert process.stdout
            assert process.stdout.readline() == "True\n"
            assert writer.claim(identity)
            for status in (Status.QUEUED, Status.RUNNING, Status.PAUSED):
                writer.write(identity, progress=Progress(status))
                assert (record := reader.experiment(identity)) is not None
                assert record.status is status
                with pytest.raises(LabError, match=f"{identity} is running; stop it first"):
                    writer.delete(identity)
            process.send_signal(signal.SIGKILL)
        lost = reader.find(identity)
        assert lost.status is Status.LOST
        assert lost.ended is not None
        assert lost.message.startswith("its runner has vanished")
        assert reader.experiments() == [lost]
        writer.delete(identity)
        assert reader.experiments() == []


def test_an_experiment_that_has_ended_needs_no_runner(tmp_path):
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        identity = writer.create_experiment(COMPARISON)
        writer.claim(identity)
        writer.write(identity, progress=Progress(Status.FINISHED))
        assert reader.find(identity).status is Status.FINISHED


@pytest.mark.parametrize("look", range(4))
def test_a_runner_that_ends_while_it_is_looked_for_is_not_lost(tmp_path, monkeypatch, look):
    looks = 0
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        identity = writer.create_experiment(COMPARISON)
        lock = FileLock(experiment_lock(tmp_path, identity))
        assert lock.acquire()
        assert writer.claim(identity)
        writer.write(identity, progress=Progress(Status.RUNNING))

        def end_meanwhile(path: Path) -> bool:
            nonlocal looks
            held = is_held(path)
            if looks == look:
                writer.write(identity, progress=Progress(Status.FINISHED))
                lock.release()
            looks += 1
            return held

        monkeypatch.setattr("tuilab.store.reader.is_held", end_meanwhile)
        seen = [reader.find(identity).status for _ in range(look + 2)]
        assert set(seen) <= {Status.RUNNING, Status.FINISHED}
        assert seen[-1] is Status.FINISHED


def test_a_runner_that_never_comes_is_missed(tmp_path):
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        identity = writer.create_experiment(COMPARISON)
        assert reader.find(identity).status is Status.QUEUED
        writer.launched(identity)
        assert reader.find(identity).status is Status.QUEUED
        with connect(store_file(tmp_path)) as connection:
            connection.execute("UPDATE experiments SET launched = launched - ?", (LAUNCH_SECONDS,))
        connection.close()
        assert reader.find(identity).status is Status.LOST


def test_a_lock_is_held_by_one_and_probing_takes_it_from_nobody(tmp_path):
    path = tmp_path / "one.lock"
    first, second = FileLock(path), FileLock(path)
    assert not is_held(path)
    assert first.acquire()
    assert first.acquire()
    assert is_held(path)
    assert not second.acquire(0.0)
    first.release()
    assert not is_held(path)
    assert second.try_acquire()
    second.release()
    assert path.exists()


def test_a_full_disk_is_a_sentence_and_leaves_the_last_batch_whole(tmp_path):
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        identity = writer.create_experiment(COMPARISON)
        pages = writer._connection.execute("PRAGMA page_count").fetchone()[0]
        writer._connection.execute(f"PRAGMA max_page_count={pages + 1}")
        with pytest.raises(StoreError, match=r"the disk is full: the store .* free some space"):
            writer.write(identity, points_of(1, range(10_000)))
        assert reader.points(identity) == []
        writer._connection.execute("PRAGMA max_page_count=1000000")
        writer.write(identity, points_of(1, range(10_000)))
        assert len(reader.points(identity)) == 10_000


def test_a_store_locked_by_another_process_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.05)
    with Writer(tmp_path) as writer:
        identity = writer.create_experiment(COMPARISON)
        blocker = connect(store_file(tmp_path))
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="has been locked by another process"):
            writer.write(identity, points_of(1, range(3)))
        blocker.execute("ROLLBACK")
        blocker.close()
        writer.write(identity, points_of(1, range(3)))


@pytest.mark.parametrize("content", [b"not a database at all " * 100, bytes(4096)[1:] + b"x", bytes(range(256)) * 16])
def test_a_damaged_store_is_a_sentence_and_is_left_as_it_is(tmp_path, content):
    path = store_file(tmp_path)
    path.write_bytes(content)
    for use in (lambda: Reader(tmp_path).experiments(), lambda: Writer(tmp_path)):
        with pytest.raises(StoreError, match=r"is damaged .* tuilab doctor --set-aside renames it"):
            use()
    assert path.read_bytes() == content


def test_an_empty_file_reads_as_empty_and_becomes_a_store(tmp_path):
    store_file(tmp_path).touch()
    with Reader(tmp_path) as reader:
        assert reader.experiments() == []
        with Writer(tmp_path) as writer:
            writer.create_experiment(COMPARISON)
        assert len(reader.experiments()) == 1


def test_a_store_of_a_newer_tuilab_is_refused_and_left_as_it_is(tmp_path):
    Writer(tmp_path).close()
    with sqlite3.connect(store_file(tmp_path)) as connection:
        connection.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    connection.close()
    for use in (lambda: Reader(tmp_path).experiments(), lambda: Writer(tmp_path)):
        with pytest.raises(StoreError, match="written by a newer tuilab"):
            use()


def test_migrations_run_in_order_and_only_the_missing_ones(tmp_path):
    path = store_file(tmp_path)
    create(path).close()
    connection = connect(path)
    steps = (*MIGRATIONS, ("CREATE TABLE extra (one INTEGER)",), ("ALTER TABLE extra ADD COLUMN two INTEGER",))
    migrate(connection, path, steps)
    migrate(connection, path, steps)
    assert version_of(connection, path) == len(steps)
    connection.execute("INSERT INTO extra (one, two) VALUES (1, 2)")
    connection.close()


def test_going_on_that_fails_leaves_the_word_of_why_it_had_ended(tmp_path):
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        identity = writer.create_experiment(COMPARISON)
        writer.claim(identity)
        writer.write(identity, progress=Progress(Status.RUNNING))
        lock = FileLock(experiment_lock(tmp_path, identity))
        assert lock.acquire()
        lock.note(f"{LAST_WORD}the disk is full")
        lock.release()
        with pytest.raises(LabError):
            writer.add_seeds(identity, 10**9)
        record = reader.find(identity)
        assert (record.status, record.message) == (Status.FAILED, "the disk is full")
        assert writer.reopen(identity)
        record = reader.find(identity)
        assert (record.status, record.message) == (Status.QUEUED, "")


def test_an_experiment_that_is_about_to_be_launched_is_missed_when_its_runner_does_not_come(tmp_path, monkeypatch):
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        identity = writer.create_experiment(COMPARISON, launch=True)
        assert reader.find(identity).status is Status.QUEUED
        monkeypatch.setattr("tuilab.store.reader.LAUNCH_SECONDS", 0.0)
        assert reader.find(identity).status is Status.LOST
        assert writer.reopen(identity)


def test_an_experiment_that_fails_before_it_goes_on_keeps_what_it_has_found(tmp_path):
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        identity = writer.create_experiment(COMPARISON)
        writer.claim(identity)
        writer.write(identity, progress=Progress(Status.STOPPED, "", 1000.0, 1010.0, "cpu", 200, 150))
        writer.fail(identity, "its file is gone")
        record = reader.find(identity)
        assert (record.status, record.message) == (Status.FAILED, "its file is gone")
        assert (record.started, record.device, record.planned_steps, record.done_steps) == (1000.0, "cpu", 200, 150)


def test_what_a_person_has_ended_stays_ended_when_the_others_go_on(tmp_path):
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        identity = writer.create_experiment(COMPARISON)
        writer.claim(identity)
        runs = writer.add_runs(identity, [NewRun(0, Phase.FINAL, seed, 0.1) for seed in range(4)])
        ends = [
            (Status.STOPPED, f"{STOPPED_BY_HAND} at step 3"),
            (Status.STOPPED, ""),
            (Status.FAILED, f"{DIVERGED}: its loss is not finite"),
            (Status.FINISHED, ""),
        ]
        ended = [replace(run, status=status, reason=why) for run, (status, why) in zip(runs, ends, strict=True)]
        writer.write(identity, runs=ended, progress=Progress(Status.STOPPED))
        assert writer.reopen(identity)
        again = [Status.STOPPED, Status.QUEUED, Status.FAILED, Status.FINISHED]
        assert [run.status for run in reader.runs(identity)] == again


def test_a_migration_that_fails_leaves_the_store_as_it_was(tmp_path):
    path = store_file(tmp_path)
    create(path).close()
    connection = connect(path)
    steps = (*MIGRATIONS, ("CREATE TABLE extra (one INTEGER)", "CREATE TABLE runs (again INTEGER)"))
    with pytest.raises(StoreError):
        migrate(connection, path, steps)
    assert version_of(connection, path) == len(MIGRATIONS)
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'extra'").fetchone() == (0,)
    connection.close()


def test_a_local_store_keeps_a_write_ahead_log_and_a_remote_one_a_rollback_journal(tmp_path, monkeypatch):
    connection = create(store_file(tmp_path))
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    monkeypatch.setattr(schema, "on_network", lambda path: True)
    remote = create(tmp_path / "remote.sqlite3")
    assert remote.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    remote.close()


def test_a_comparison_that_only_another_version_knows_is_told_and_hides_no_other(tmp_path):
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        strange, plain = (writer.create_experiment(COMPARISON) for _ in range(2))
        with connect(store_file(tmp_path)) as connection:
            connection.execute("""UPDATE experiments SET comparison = '{"title": 3}' WHERE id = ?""", (strange,))
        connection.close()
        assert [record.id for record in reader.experiments()] == [plain]
        with pytest.raises(LabError, match=f"experiment {strange} was written by a version"):
            reader.find(strange)
        writer.delete(strange)


COME_AND_GO = """
import sys
from pathlib import Path
from tests.unit.store_values import COMPARISON
from tuilab.store.writer import Writer
with Writer(Path(sys.argv[1])) as writer:
    writer.create_experiment(COMPARISON)
with Writer(Path(sys.argv[1])) as writer:
    writer.create_experiment(COMPARISON)
    print(flush=True)
    sys.stdin.read()
"""


def test_a_reader_keeps_up_after_its_own_process_has_written_and_another_has_come_and_gone(tmp_path):
    with Writer(tmp_path) as writer:
        writer.create_experiment(COMPARISON)
    with Reader(tmp_path) as reader:
        assert len(reader.experiments()) == 1
        with Writer(tmp_path) as writer:
            writer.create_experiment(COMPARISON)
        other = start(COME_AND_GO, tmp_path)
        assert other.stdout
        assert other.stdout.readline()
        assert len(reader.experiments()) == 4
        other.communicate()


def test_a_damaged_store_is_set_aside_and_kept_and_a_new_one_begins(tmp_path):
    path = store_file(tmp_path)
    with Writer(tmp_path) as writer:
        writer.create_experiment(COMPARISON)
    content = b"not a database at all " * 100
    path.write_bytes(content)
    path.with_name(f"{path.name}-journal").write_bytes(b"its journal")
    assert damage(tmp_path)
    aside = set_aside(tmp_path)
    assert aside.name.startswith("lab.sqlite3.damaged-20")
    assert aside.read_bytes() == content
    assert aside.with_name(f"{aside.name}-journal").read_bytes() == b"its journal"
    assert Reader(tmp_path).experiments() == []
    with Writer(tmp_path) as writer:
        writer.create_experiment(COMPARISON)
    assert damage(tmp_path) is None


def test_a_store_that_is_whole_or_in_use_is_not_set_aside(tmp_path):
    assert damage(tmp_path) is None
    with pytest.raises(LabError, match="is not damaged; nothing has been set aside"):
        set_aside(tmp_path)
    with Writer(tmp_path) as writer:
        identity = writer.create_experiment(COMPARISON)
    with pytest.raises(LabError, match="is not damaged; nothing has been set aside"):
        set_aside(tmp_path)
    store_file(tmp_path).write_bytes(b"damaged" * 1000)
    lock = FileLock(experiment_lock(tmp_path, identity))
    assert lock.acquire()
    with pytest.raises(LabError, match=f"is in use by {identity}; stop what runs"):
        set_aside(tmp_path)
    lock.release()


def test_a_store_that_cannot_be_read_for_another_reason_is_not_damaged(tmp_path, monkeypatch):
    monkeypatch.setattr(schema, "on_network", lambda path: True)
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.0)
    with Writer(tmp_path) as writer:
        writer.create_experiment(COMPARISON)
    blocker = sqlite3.connect(store_file(tmp_path), isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    for ask in (damage, set_aside):
        with pytest.raises(StoreError, match="locked by another process"):
            ask(tmp_path)
    blocker.execute("ROLLBACK")
    blocker.close()
    assert damage(tmp_path) is None
    with connect(store_file(tmp_path)) as connection:
        connection.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(StoreError, match="was written by a newer tuilab"):
        set_aside(tmp_path)


def test_a_store_without_one_of_its_tables_is_damaged(tmp_path):
    with Writer(tmp_path) as writer:
        writer.create_experiment(COMPARISON)
    with connect(store_file(tmp_path)) as connection:
        connection.execute("DROP TABLE curves")
    connection.close()
    assert damage(tmp_path) == "no such table: curves"


def flipped(content, generator):
    """The store with a few bits of one page changed, or cut off somewhere."""
    if generator.random() < 0.3:
        return content[: generator.randrange(len(content))]
    changed = bytearray(content)
    page = generator.randrange(0, len(content), 4096)
    for _ in range(generator.choice((1, 8, 64))):
        changed[min(page + generator.randrange(4096), len(content) - 1)] ^= 1 << generator.randrange(8)
    return bytes(changed)


def test_whatever_is_wrong_with_a_store_is_a_sentence_or_harmless(tmp_path):
    with Writer(tmp_path) as writer:
        identities = [writer.create_experiment(COMPARISON) for _ in range(3)]
        for identity in identities:
            writer.claim(identity)
            runs = writer.add_runs(identity, [NewRun(0, Phase.FINAL, seed, 0.1) for seed in range(5)])
            writer.write(identity, points_of(runs[0].id, range(500)), progress=Progress(Status.FINISHED))
    content = store_file(tmp_path).read_bytes()
    generator = random.Random(1)
    told = 0
    for trial in range(150):
        home = tmp_path / str(trial)
        home.mkdir()
        store_file(home).write_bytes(flipped(content, generator))
        with Reader(home) as reader:
            for look in (reader.experiments, lambda: reader.find("last"), *looks(reader, identities[1])):
                try:
                    look()
                except LabError:
                    told += 1
        try:
            with Writer(home) as writer:
                writer.create_experiment(COMPARISON)
        except LabError:
            told += 1
    assert told > 100


def looks(reader, identity):
    return (
        lambda: reader.runs(identity),
        lambda: reader.points(identity),
        lambda: reader.environment(identity),
        lambda: reader.last_steps(identity),
    )


def test_a_store_is_copied_before_it_is_updated(tmp_path):
    path = store_file(tmp_path)
    with Writer(tmp_path) as writer:
        identity = writer.create_experiment(COMPARISON)
    connection = connect(path)
    migrate(connection, path, (*MIGRATIONS, ("DELETE FROM experiments",)))
    assert connection.execute("SELECT count(*) FROM experiments").fetchone() == (0,)
    connection.close()
    copy = path.with_name(f"{path.name}.backup-{len(MIGRATIONS)}")
    assert copy.stat().st_mode & 0o777 == 0o600
    path.unlink()
    copy.rename(path)
    with Reader(tmp_path) as reader:
        assert [record.id for record in reader.experiments()] == [identity]


def test_a_store_is_not_updated_while_an_older_runner_writes_to_it(tmp_path):
    path = store_file(tmp_path)
    make_home(tmp_path)
    create(path).close()
    connection = connect(path)
    runner = FileLock(experiment_lock(tmp_path, "1s5abcd"))
    assert runner.try_acquire()
    with pytest.raises(StoreError, match=r"an older tuilab still uses it \(1s5abcd\); wait until that has ended"):
        migrate(connection, path, (*MIGRATIONS, ("DELETE FROM experiments",)))
    assert version_of(connection, path) == len(MIGRATIONS)
    runner.release()
    migrate(connection, path, (*MIGRATIONS, ("DELETE FROM experiments",)))
    assert version_of(connection, path) == len(MIGRATIONS) + 1
    connection.close()


def test_without_room_for_a_copy_a_store_is_not_updated(tmp_path):
    path = store_file(tmp_path)
    create(path).close()
    connection = connect(path)
    path.with_name(f"{path.name}.backup-{len(MIGRATIONS)}").mkdir()
    with pytest.raises(StoreError, match=r"cannot copy the store to .* before it is updated"):
        migrate(connection, path, (*MIGRATIONS, ("DELETE FROM experiments",)))
    assert version_of(connection, path) == len(MIGRATIONS)
    connection.close()


def test_a_note_is_found_beside_the_lock_and_outlives_its_holder(tmp_path):
    path = tmp_path / "one.lock"
    lock = FileLock(path)
    lock.note("nobody holds it")
    assert read_note(path) == ""
    assert lock.acquire()
    lock.note("ü" * 1000)
    lock.note("the disk is full")
    assert read_note(path) == "the disk is full"
    lock.release()
    assert read_note(path) == "the disk is full"
    assert lock.acquire()
    lock.note("")
    assert read_note(path) == ""
    lock.release()


def test_a_running_experiment_says_what_its_runner_notes(tmp_path):
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        identity = writer.create_experiment(COMPARISON)
        lock = FileLock(experiment_lock(tmp_path, identity))
        assert lock.acquire()
        assert writer.claim(identity)
        writer.write(identity, progress=Progress(Status.RUNNING))
        lock.note("the disk is full")
        assert (reader.find(identity).status, reader.find(identity).message) == (Status.RUNNING, "the disk is full")
        lock.note(f"{LAST_WORD}the disk was full")
        lock.release()
        assert (reader.find(identity).status, reader.find(identity).message) == (Status.FAILED, "the disk was full")
        assert reader.find(identity).ended is not None
        assert writer.reopen(identity)
        assert (reader.find(identity).status, reader.find(identity).message) == (Status.QUEUED, "")
