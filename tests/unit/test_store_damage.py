"""Bits of the store's file have changed, and SQLite reads them: what cannot be is found out, and said in words."""

import re
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.test_store_evidence import ASKED, recorded
from tuilab.analysis.report import as_json, html, markdown
from tuilab.spec.errors import LabError
from tuilab.store.batches import Columns, pack, points_of, unpack
from tuilab.store.curves import Curves
from tuilab.store.evidence import report_input
from tuilab.store.home import store_file
from tuilab.store.ids import ID_PATTERN, new_id
from tuilab.store.reader import Reader
from tuilab.store.records import Command, ExperimentRecord, NewPoint, Point, Progress, Status
from tuilab.store.reduction import bring_up_to_date
from tuilab.store.rescue import damage, set_aside
from tuilab.store.rows import result_to_text
from tuilab.store.schema import StoreDamagedError, StoreError, connect
from tuilab.store.writer import Writer
from tuilab.tui.live import LiveState, reduce, restored

INF = float("inf")
COLUMNS = {
    "experiments": [
        "id",
        "comparison",
        "source",
        "wanted_device",
        "status",
        "message",
        "created",
        "launched",
        "claimed",
        "started",
        "ended",
        "heartbeat",
        "device",
        "planned_steps",
        "done_steps",
        "result",
        "environment",
        "added_seeds",
        "reduced",
    ],
    "runs": [
        "experiment",
        "candidate",
        "phase",
        "seed_index",
        "lr",
        "status",
        "step",
        "reason",
        "train_loss",
        "train_metric",
        "val_loss",
        "val_metric",
        "test_loss",
        "test_metric",
        "dead_fraction",
        "seconds",
        "probes",
        "changes",
    ],
    "batches": ["id", "count", "data"],
    "curves": ["experiment", "candidate", "lr", "data"],
}
IMPOSSIBLE = [
    ("experiments", "id", "../../x"),
    ("experiments", "id", b"1s6ewem"),
    ("experiments", "status", "funning"),
    ("experiments", "created", -1.0),
    ("experiments", "created", 1e300),
    ("experiments", "started", -INF),
    ("experiments", "ended", "null"),
    ("experiments", "done_steps", b""),
    ("experiments", "planned_steps", 2**62),
    ("experiments", "comparison", "{"),
    ("experiments", "result", "}"),
    ("experiments", "device", b"\x00"),
    ("experiments", "environment", "[1]"),
    ("experiments", "wanted_device", b"cpu"),
    ("runs", "candidate", 2),
    ("runs", "candidate", -1),
    ("runs", "phase", "fine"),
    ("runs", "seed_index", -3),
    ("runs", "lr", 0.0),
    ("runs", "lr", -0.1),
    ("runs", "status", "stop"),
    ("runs", "step", "x"),
    ("runs", "reason", b"diverged"),
    ("runs", "test_metric", b"\xff"),
    ("runs", "test_loss", INF),
    ("runs", "dead_fraction", 1.5),
    ("runs", "seconds", -1.0),
    ("runs", "probes", '{"regions": "many"}'),
    ("runs", "changes", "[{}]"),
    ("batches", "count", 10**6),
    ("batches", "data", b"points"),
    ("batches", "data", "points"),
    ("curves", "data", b"curves"),
]


def lab_of(home: Path) -> ExperimentRecord:
    """A finished experiment with everything that an experiment can have in a store."""
    record = recorded(home)
    with closing(connect(store_file(home))) as connection:
        bring_up_to_date(connection, 1, at_once=True)
        with Reader(home) as reader:
            text = result_to_text(report_input(reader, record).result)
        connection.execute("UPDATE experiments SET result = ?", (text,))
    return record


def put(home: Path, table: str, column: str, value: object) -> None:
    """Let a value stand in all rows of a table."""
    with closing(sqlite3.connect(store_file(home), isolation_level=None)) as connection:
        connection.execute(f"UPDATE {table} SET {column} = ?", (value,))


@pytest.mark.parametrize(("table", "column", "value"), IMPOSSIBLE)
def test_what_cannot_be_is_damage_and_the_store_can_be_set_aside(
    tmp_path: Path, table: str, column: str, value: object
) -> None:
    lab_of(tmp_path)
    assert damage(tmp_path) is None
    put(tmp_path, table, column, value)
    with Reader(tmp_path) as reader, pytest.raises(StoreDamagedError, match=r"is damaged .*--set-aside renames it"):
        reader.check()
    assert damage(tmp_path)
    assert set_aside(tmp_path).exists()
    assert damage(tmp_path) is None


VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-2, 40),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.binary(max_size=20),
    st.sampled_from(["[]", "{}", "null", "1", "finished", "final", "\x1b[2J"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from([(table, column) for table, columns in COLUMNS.items() for column in columns]), VALUES)
def test_whatever_stands_in_a_column_is_read_or_said(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[str, str], value: object
) -> None:
    home = tmp_path_factory.mktemp("lab")
    known = lab_of(home)
    with suppress(sqlite3.IntegrityError):  # what SQLite itself does not let stand there
        put(home, *place, value)
    live = LiveState(known)
    with Reader(home) as reader, suppress(LabError):
        record = reader.find("last")
        assert re.match(ID_PATTERN, record.id)
        live = restored(live, *reader.curves(record.id))
        live = reduce(live, record, reader.runs(record.id), reader.points(record.id, live.last_rowid))
        assert 0 <= live.progress <= 1
        said = report_input(reader, record)
        assert markdown(said)
        assert html(said)
        assert as_json(said)
    with Writer(home) as writer:
        assert writer.create_experiment(ASKED)


@given(st.integers(0, 8 * 8 * 5 * 4 - 1))
def test_a_bit_of_points_changes_a_point_or_is_found_out(bit: int) -> None:
    data = bytearray(pack(Columns.of(NewPoint(1, step, 0.5, None, 0.25) for step in range(4))))
    data[bit // 8] ^= 1 << bit % 8
    with suppress(ValueError):
        points = list(points_of(1, unpack(bytes(data), 4)))
        assert all(point.step >= 0 for point in points)
        assert all(loss is None or abs(loss) < INF for point in points for loss in point[3:])


@given(st.data())
def test_a_bit_of_curves_changes_a_number_or_is_found_out(data: st.DataObject) -> None:
    whole = Curves.empty().extended([Point(k, k % 3, 10 * (k // 3), 0.5 + k, None, 1 / (k + 1)) for k in range(30)])
    stored = bytearray(whole.to_bytes())
    bit = data.draw(st.integers(0, 8 * len(stored) - 1))
    stored[bit // 8] ^= 1 << bit % 8
    with suppress(ValueError):
        found = Curves.from_bytes(bytes(stored))
        for buckets in (found.train_loss, found.eval_loss, found.metric):
            for log in (False, True):
                curve = buckets.curve(log=log, band="interval")
                assert list(curve.steps) == sorted(curve.steps)
                assert all(map(float.is_integer, curve.steps))
                assert not any(value != value for value in curve.values)
        assert len(found.extended([Point(99, 1, 400, 0.5, 0.5, 0.5)]).eval_loss)


def test_curves_and_points_that_are_whole_are_read_as_they_were_written() -> None:
    whole = Curves.empty().extended([Point(k, 1, 7 * k, 0.5, None if k % 2 else 2.0, 1e-12) for k in range(3000)])
    assert Curves.from_bytes(whole.to_bytes()).to_bytes() == whole.to_bytes()


def test_a_damaged_id_does_not_keep_new_experiments_away() -> None:
    assert re.match(ID_PATTERN, new_id("zu zu"))
    assert new_id("zzzzzzy") == "zzzzzzz"


def test_points_of_no_run_are_damage_but_not_those_of_an_experiment_that_was_removed_meanwhile(tmp_path: Path) -> None:
    record = lab_of(tmp_path)
    with closing(sqlite3.connect(store_file(tmp_path), isolation_level=None)) as connection:
        connection.execute("DELETE FROM runs WHERE id = 5")
    assert damage(tmp_path) == f"experiment {record.id} has points of a run 5 that it has not"
    with Reader(tmp_path) as reader, Writer(tmp_path) as writer:
        with pytest.raises(StoreDamagedError, match="points of a run 5"):
            report_input(reader, record)
        points = reader.points(record.id)
        writer.delete(record.id)
        with pytest.raises(LabError, match=f"there is no experiment {record.id} any more"):
            reader.refuse_strays(record.id, {point.run for point in points}, reader.runs(record.id))
    assert damage(tmp_path) is None


def test_a_damaged_experiment_hides_no_other_and_is_told(tmp_path: Path) -> None:
    record = lab_of(tmp_path)
    put(tmp_path, "experiments", "done_steps", -1)
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        other = writer.create_experiment(ASKED)
        unread: list[StoreError] = []
        assert [one.id for one in reader.experiments(unread)] == [other]
        assert len(unread) == 1
        assert "an experiment's done_steps cannot be -1" in str(unread[0])
        with pytest.raises(StoreDamagedError):
            reader.find(record.id)


def test_writing_after_damaged_points_says_that_they_are(tmp_path: Path) -> None:
    record = recorded(tmp_path, Status.RUNNING)
    put(tmp_path, "batches", "data", b"points")
    with Writer(tmp_path) as writer, pytest.raises(StoreDamagedError):
        writer.write(record.id, progress=Progress(Status.FAILED, "it ends"))


def test_a_command_that_cannot_be_is_damage(tmp_path: Path) -> None:
    record = lab_of(tmp_path)
    with Writer(tmp_path) as writer:
        writer.send(record.id, Command.STOP)
        put(tmp_path, "commands", "command", "stop it")
        with pytest.raises(StoreDamagedError):
            writer.waiting_commands(record.id)
