"""From what the store remembers to what the analysis reads: a report's input, and the facts of every run."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from tuilab.analysis.efficiency import RunFacts, candidate_facts
from tuilab.analysis.evidence import FinalRun, summarise
from tuilab.analysis.report import ReportInput, TunedRate
from tuilab.analysis.result import Result
from tuilab.spec.probes import Probes
from tuilab.spec.task import TaskFacts, facts
from tuilab.store.reader import Reader
from tuilab.store.records import DIVERGED, ExperimentRecord, Phase, Point, RunRecord, Status, by_hand

POINTS_AT_ONCE = 50_000
"""Points that are read in one query."""


def report_input(reader: Reader, record: ExperimentRecord) -> ReportInput:
    """Everything that the store knows of an experiment, for the report, the verdict and the efficiency table.

    Args:
        reader: of the lab that the experiment is in.
        record: of the experiment.

    Raises:
        LabError: when the task is a CSV file that can no longer be read, or the store cannot be read.

    """
    runs, points = read_whole(reader, record)
    return report_from(record, runs, points, reader.environment(record.id))


def report_from(
    record: ExperimentRecord,
    runs: Sequence[RunRecord],
    points: Iterable[Point],
    environment: Mapping[str, str],
) -> ReportInput:
    """The same from rows that have been read already.

    Raises:
        LabError: when the task is a CSV file that can no longer be read.

    """
    comparison = record.comparison
    known = facts(comparison.task)
    candidates = candidate_facts(comparison, known)
    totals = [(one.num_params, one.macs) for one in candidates]
    return ReportInput(
        experiment=record.id,
        status=record.status.value,
        source=record.source,
        created=_moment(record.created),
        seconds=wall_seconds(record),
        comparison=comparison,
        result=record.result or _result(record, runs, totals, known),
        task_facts=known,
        candidates=candidates,
        finals=run_facts(runs, points),
        tuning=tuned_rates(runs),
        environment=dict(environment),
    )


def run_facts(runs: Iterable[RunRecord], points: Iterable[Point]) -> tuple[RunFacts, ...]:
    """The facts of every final run that has begun and that nobody has changed, in the order in which they were planned.

    Args:
        runs: of the experiment; tuning runs are left out.
        points: of the experiment, in the order in which they came.

    """
    finals = (run for run in runs if run.phase is Phase.FINAL and not run.changes)
    begun = [run for run in finals if run.step or run.status.ended]
    curves: dict[int, list[tuple[int, float | None]]] = {run.id: [] for run in begun}
    for point in points:
        if point.run in curves:
            curves[point.run].append((point.step, point.metric))
    return tuple(_facts_of(run, curves[run.id]) for run in begun)


def tuned_rates(runs: Iterable[RunRecord]) -> tuple[TunedRate, ...]:
    """What tuning has found so far, by candidate and learning rate."""
    found: dict[tuple[int, float], list[float | None]] = {}
    for run in runs:
        if run.phase is Phase.TUNING and run.as_planned and (run.status is Status.FINISHED or _failed(run)):
            found.setdefault((run.candidate, run.lr), []).append(run.val_metric)
    return tuple(TunedRate(candidate, lr, tuple(values)) for (candidate, lr), values in sorted(found.items()))


def read_whole(reader: Reader, record: ExperimentRecord) -> tuple[list[RunRecord], list[Point]]:
    """Every run and every point of an experiment, each point of one of the runs.

    Raises:
        StoreError: when the store cannot be read, or does not hold together because it is damaged.
        LabError: when the experiment has been removed meanwhile.

    """
    # In this order, because more may come meanwhile: a run is in the store before its points are.
    points = read_points(reader, record.id)
    runs = reader.runs(record.id)
    reader.refuse_strays(record.id, {point.run for point in points}, runs)
    return runs, points


def read_points(reader: Reader, identity: str) -> list[Point]:
    """Every point of an experiment, in the order in which they came."""
    points: list[Point] = []
    while batch := reader.points(identity, points[-1].rowid if points else 0, POINTS_AT_ONCE):
        points += batch
    return points


def wall_seconds(record: ExperimentRecord) -> float | None:
    """Wall time from the first group to the end; None before both are known."""
    if record.started is None or record.ended is None:
        return None
    return max(0.0, record.ended - record.started)


def _facts_of(run: RunRecord, curve: Sequence[tuple[int, float | None]]) -> RunFacts:
    probes = run.probes or Probes()
    return RunFacts(
        candidate=run.candidate,
        seed_index=run.seed_index,
        steps=run.step,
        failed=_failed(run),
        seconds=run.seconds,
        train_metric=run.train_metric,
        test_metric=run.test_metric,
        test_loss=run.test_loss,
        dead_fraction=run.dead_fraction,
        curve=tuple(curve),
        regions=probes.regions,
        regions_at_start=probes.regions_at_start,
        line_regions=probes.line_regions,
        line_regions_at_start=probes.line_regions_at_start,
        effective_rank=probes.effective_rank,
        readouts=probes.readouts,
    )


def _failed(run: RunRecord) -> bool:
    """Whether the run failed by itself; one whose engine died says nothing about its network."""
    if run.status is Status.FINISHED:
        return run.test_metric is None
    return run.status is Status.FAILED and run.reason.startswith(DIVERGED)


def _result(
    record: ExperimentRecord, runs: Sequence[RunRecord], totals: Sequence[tuple[int, int]], known: TaskFacts
) -> Result:
    """What the final runs say where the runner has not said it (yet)."""
    ended = [
        FinalRun(run.candidate, run.seed_index, run.lr, run.test_metric, None)
        for run in runs
        if run.phase is Phase.FINAL and run.as_planned and (run.status is Status.FINISHED or _failed(run))
    ]
    return summarise(record.comparison, totals, ended, known, record.added_seeds, by_hand(runs))


def _moment(seconds: float) -> str:
    """Seconds since the epoch as date and time with its offset."""
    moment = datetime.fromtimestamp(seconds, UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S %z")
