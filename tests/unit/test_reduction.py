"""The reduced copy of an experiment's points, against the curves of all of them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.unit.store_values import COMPARISON, points_of
from tuilab.store.batches import Columns, pack, unpack
from tuilab.store.curves import Curves
from tuilab.store.home import store_file
from tuilab.store.reader import Reader
from tuilab.store.records import NewPoint, NewRun, Phase, Point, Progress, Status
from tuilab.store.reduction import REDUCE_POINTS, CurveKey
from tuilab.store.schema import MIGRATIONS, connect, migrate
from tuilab.store.writer import Writer

KINDS: list[CurveKey] = [(0, None), (1, None), (1, 0.1)]
"""Two candidates' final runs, and tuning runs of one."""


def planned(writer: Writer, identity: str) -> dict[int, tuple[int, float | None]]:
    """Two runs of each kind: their ids, and which curves they belong to."""
    wanted = [
        NewRun(candidate, Phase.FINAL if lr is None else Phase.TUNING, seed, lr or 0.1)
        for candidate, lr in KINDS
        for seed in range(2)
    ]
    return {
        run.id: kind
        for run, kind in zip(writer.add_runs(identity, wanted), [k for k in KINDS for _ in "12"], strict=True)
    }


def report(runs: dict[int, tuple[int, float | None]], steps: range) -> list[NewPoint]:
    return [point._replace(eval_loss=point.step * 0.1 + run) for run in runs for point in points_of(run, steps)]


def curves_of(runs: dict[int, tuple[int, float | None]], points: list[Point]) -> dict[CurveKey, Curves]:
    """The curves that all the points make."""
    return {kind: Curves.empty().extended([point for point in points if runs[point.run] == kind]) for kind in KINDS}


def same(these: Mapping[CurveKey, Curves], those: Mapping[CurveKey, Curves]) -> bool:
    """Whether curves are the same but for the order in which their values were added up."""
    shown = [
        [
            buckets.curve(log=log, band="interval")
            for key in sorted(curves, key=repr)
            for buckets in (curves[key].train_loss, curves[key].eval_loss, curves[key].metric)
            for log in (False, True)
        ]
        for curves in (these, those)
    ]
    return these.keys() == those.keys() and all(
        column == pytest.approx(other, rel=1e-6, abs=1e-12)
        for one, two in zip(*shown, strict=True)
        for column, other in zip(one, two, strict=True)
    )


def test_a_finished_experiment_is_opened_from_its_reduced_copy_alone(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        identity = writer.create_experiment(COMPARISON)
        runs = planned(writer, identity)
        for start in range(0, 4000, 500):
            writer.write(identity, report(runs, range(start, start + 500)))
        writer.write(identity, progress=Progress(Status.FINISHED))
        last, curves = reader.curves(identity)
        points = reader.points(identity)
        assert last == len(points) == 24_000
        assert same(curves, curves_of(runs, points))


def test_while_it_runs_the_copy_and_the_points_beyond_it_are_all_points(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        identity = writer.create_experiment(COMPARISON)
        runs = planned(writer, identity)
        behind = []
        for start in range(0, 3500, 500):
            writer.write(identity, report(runs, range(start, start + 500)))
            last, curves = reader.curves(identity)
            rest = reader.points(identity, last)
            behind.append(len(rest))
            assert last + len(rest) == 6 * (start + 500)
        assert max(behind) < REDUCE_POINTS
        assert last > 0
        every = reader.points(identity)
        whole = {kind: curves[kind].extended([p for p in rest if runs[p.run] == kind]) for kind in KINDS}
        assert same(whole, curves_of(runs, every))


def test_a_batch_that_could_not_be_written_is_in_no_copy_either(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        identity = writer.create_experiment(COMPARISON)
        runs = planned(writer, identity)
        with pytest.raises(AttributeError):
            writer.write(identity, report(runs, range(4000)), runs=["nonsense"])  # type: ignore[list-item]
        assert reader.curves(identity) == (0, {})
        assert reader.points(identity) == []


def test_a_store_with_a_row_for_every_point_is_brought_up_to_date(tmp_path: Path) -> None:
    path = store_file(tmp_path)
    path.touch()
    connection = connect(path)
    migrate(connection, path, MIGRATIONS[:3])
    for number, identity in ((1, "a"), (2, "b")):
        connection.execute(
            "INSERT INTO experiments (number, id, comparison, source, wanted_device, status, created)"
            " VALUES (?, ?, '{}', '', 'auto', 'finished', 1.0)",
            (number, identity),
        )
        connection.execute(
            "INSERT INTO runs (id, experiment, candidate, phase, seed_index, lr, status)"
            " VALUES (?, ?, 0, 'final', 0, 0.1, 'finished')",
            (number, number),
        )
        old = points_of(number, range(50))
        rows = [((number << 40) + place, *point) for place, point in enumerate(old, start=1)]
        connection.executemany("INSERT INTO points VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.close()
    with Reader(tmp_path) as reader:
        for number, identity in ((1, "a"), (2, "b")):
            points = reader.points(identity)
            assert [NewPoint(*point[1:]) for point in points] == points_of(number, range(50))
            assert [point.rowid for point in points] == list(range(1, 51))
            last, curves = reader.curves(identity)
            assert (last, list(curves)) == (50, [(0, None)])
            assert curves[0, None].to_bytes() == Curves.empty().extended(points).to_bytes()


def test_bytes_of_another_length_are_no_points_and_no_curves() -> None:
    data = pack(Columns.of(points_of(1, range(5))))
    assert list(unpack(data, 5).steps) == [0, 1, 2, 3, 4]
    for wrong, count in ((data[:-1], 5), (data, 4), (b"", 0), (b"", -1)):
        with pytest.raises(ValueError, match="points"):
            unpack(wrong, count)
    curves = Curves.empty().to_bytes()
    for wrong in (b"", curves[:20], curves[:-8], curves[:24] + b"\xff" * len(curves[24:])):
        with pytest.raises(ValueError, match=r"curves|buckets"):
            Curves.from_bytes(wrong)
