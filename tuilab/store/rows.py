"""Between rows of the store and the values of ``records``."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Annotated, NamedTuple, TypeAlias

from pydantic import AfterValidator, Field, Json, Strict, TypeAdapter, ValidationError

from tuilab.analysis.result import Result, result_from_json, result_to_json
from tuilab.spec.comparison import Comparison, dump
from tuilab.spec.errors import printable
from tuilab.spec.probes import Probes
from tuilab.spec.protocol import Change
from tuilab.store.ids import ID_PATTERN
from tuilab.store.records import ExperimentRecord, NewRun, Phase, Progress, RunRecord, Status

# What can stand in a column: SQLite reads whatever the bits of a file say, also where some of them have changed.
Text: TypeAlias = Annotated[str, Strict()]
Shown: TypeAlias = Annotated[Text, AfterValidator(printable)]
Count: TypeAlias = Annotated[int, Field(strict=True, ge=0, lt=1 << 53)]
"""Below 2**53 every integer is a float as well."""
Number: TypeAlias = Annotated[float, Field(strict=True, ge=-1e100, le=1e100)]
"""No network reports more, and the squares of such numbers can still be added up."""
Share: TypeAlias = Annotated[Number, Field(ge=0, le=1)]
Duration: TypeAlias = Annotated[Number, Field(ge=0)]
Moment: TypeAlias = Annotated[Number, Field(ge=0, lt=253_000_000_000)]
"""Seconds since the epoch, up to the year 9987: calendars end with the year 9999."""


class ExperimentRow(NamedTuple):
    """A row of ``SELECT_EXPERIMENTS``; the fields have the names of the columns."""

    number: Count
    id: Annotated[Text, Field(pattern=ID_PATTERN)]
    source: Shown
    status: Status
    message: Shown
    created: Moment
    launched: Moment | None
    claimed: Moment | None
    started: Moment | None
    ended: Moment | None
    heartbeat: Moment | None
    device: Shown
    planned_steps: Count
    done_steps: Count
    result: Text | None
    comparison: Text
    added_seeds: Count


# The columns of an experiment are in the order of the fields of ExperimentRow.
SELECT_EXPERIMENTS = """SELECT number, id, source, status, message, created, launched, claimed, started, ended,
    heartbeat, device, planned_steps, done_steps, result, comparison, added_seeds FROM experiments"""
# The columns of a run are in the order of the fields of RunRecord, here and in UPDATE_RUN.
SELECT_RUNS = """SELECT id, candidate, phase, seed_index, lr, status, step, reason, train_loss, train_metric, val_loss,
    val_metric, test_loss, test_metric, dead_fraction, seconds, probes, changes FROM runs"""
_RunRow: TypeAlias = tuple[
    Count,
    Count,
    Phase,
    Count,
    Annotated[Number, Field(gt=0)],
    Status,
    Count,
    Shown,
    Number | None,
    Number | None,
    Number | None,
    Number | None,
    Number | None,
    Number | None,
    Share | None,
    Duration | None,
    Json[Probes] | None,
    Json[tuple[Change, ...]],
]
UPDATE_PROGRESS = """UPDATE experiments SET status = :status, message = :message, started = :started, ended = :ended,
    device = :device, planned_steps = :planned_steps, done_steps = :done_steps WHERE number = :number"""
UPDATE_RESULT = "UPDATE experiments SET result = ? WHERE number = ?"
UPDATE_RUN = """UPDATE runs SET status = ?, step = ?, reason = ?, train_loss = ?, train_metric = ?, val_loss = ?,
    val_metric = ?, test_loss = ?, test_metric = ?, dead_fraction = ?, seconds = ?, probes = ?, changes = ?
    WHERE id = ?"""
REOPEN_EXPERIMENT = """UPDATE experiments SET status = 'queued', message = '', launched = :now, claimed = NULL,
    started = started + :now - coalesce(ended, heartbeat), ended = NULL
    WHERE number = :number AND status != 'finished'"""
ADD_SEEDS = """UPDATE experiments SET status = 'queued', message = '', launched = :now, claimed = NULL,
    started = started + :now - coalesce(ended, heartbeat), ended = NULL,
    comparison = :comparison, added_seeds = added_seeds + CASE WHEN EXISTS (SELECT 1 FROM runs WHERE
    experiment = :number AND phase = 'final' AND status IN ('finished', 'failed')) THEN :seeds ELSE 0 END
    WHERE number = :number AND NOT (status = 'queued' AND claimed IS NULL)"""
REOPEN_RUNS = """UPDATE runs SET status = 'queued', reason = '' WHERE experiment = :number AND status != 'finished'
    AND NOT (status = 'failed' AND reason LIKE :diverged) AND NOT (status = 'stopped' AND reason LIKE :by_hand)"""
LOST_MESSAGE = "its runner has vanished: it was killed, or the machine was restarted; tuilab resume goes on with it"
_CHANGES: TypeAdapter[tuple[Change, ...]] = TypeAdapter(tuple[Change, ...])
_NO_CHANGES = "[]"
_experiment_row: TypeAdapter[ExperimentRow] = TypeAdapter(ExperimentRow)
_run_row: TypeAdapter[_RunRow] = TypeAdapter(_RunRow)
_RUN_FIELDS = tuple(field.name for field in fields(RunRecord))
_PLANNED = {field.name for field in fields(NewRun)} | {"id"}
_found_out = attrgetter(*(name for name in _RUN_FIELDS if name not in _PLANNED))
"""What changes of a run while it is trained, in the order of its fields."""


def comparison_to_text(comparison: Comparison) -> str:
    """The comparison as the store keeps it."""
    return json.dumps(dump(comparison), ensure_ascii=False, separators=(",", ":"))


def comparison_from_text(text: str) -> Comparison:
    """The comparison that ``comparison_to_text`` wrote.

    Raises:
        ValueError: when this version of tuilab does not know such a comparison.

    """
    return Comparison.model_validate(json.loads(text))


def progress_values(progress: Progress, number: int) -> dict[str, str | int | float | None]:
    """The values of ``UPDATE_PROGRESS`` for the experiment with this number."""
    return {
        "status": progress.status.value,
        "message": progress.message,
        "started": progress.started,
        "ended": progress.ended,
        "device": progress.device,
        "planned_steps": progress.planned_steps,
        "done_steps": progress.done_steps,
        "number": number,
    }


def run_values(run: RunRecord) -> tuple[str | int | float | None, ...]:
    """The values of ``UPDATE_RUN``."""
    status, *known, probes, changes = _found_out(run)
    probes = None if probes is None else probes.model_dump_json(exclude_defaults=True)
    changes = _CHANGES.dump_json(changes, exclude_none=True).decode() if changes else _NO_CHANGES
    return status.value, *known, probes, changes, run.id


def run_record(row: tuple[object, ...]) -> RunRecord:
    """A row of ``SELECT_RUNS`` as a value.

    Raises:
        ValueError: when something stands in it that no tuilab has written.

    """
    try:
        return RunRecord(*_run_row.validate_python(row))
    except ValidationError as error:
        raise _nonsense("a run's", _RUN_FIELDS, error) from error


def experiment_row(row: sqlite3.Row) -> ExperimentRow:
    """A row of ``SELECT_EXPERIMENTS`` as a value.

    Raises:
        ValueError: when something stands in it that no tuilab has written.

    """
    try:
        return _experiment_row.validate_python(tuple(row))
    except ValidationError as error:
        raise _nonsense("an experiment's", ExperimentRow._fields, error) from error


def _nonsense(whose: str, columns: Sequence[str], error: ValidationError) -> ValueError:
    """The first thing that cannot be, in few words."""
    first = error.errors(include_url=False)[0]
    place = first["loc"][0]
    column = columns[place] if isinstance(place, int) else place
    return ValueError(f"{whose} {column} cannot be {first['input']!r:.40}")


def experiment_record(
    row: ExperimentRow, comparison: Comparison, result: Result | None, status: Status, message: str
) -> ExperimentRecord:
    """A row with what was read from its texts and from the locks."""
    return ExperimentRecord(
        id=row.id,
        comparison=comparison,
        source=row.source,
        status=status,
        message=printable(message),
        created=row.created,
        started=row.started,
        ended=row.heartbeat if status.ended and row.ended is None else row.ended,
        device=row.device,
        planned_steps=row.planned_steps,
        done_steps=row.done_steps,
        result=result,
        added_seeds=row.added_seeds,
    )


def result_to_text(result: Result | None) -> str | None:
    """The result as the store keeps it."""
    return None if result is None else json.dumps(result_to_json(result), ensure_ascii=False, separators=(",", ":"))


def result_from_text(text: str) -> Result:
    """The result that ``result_to_text`` wrote.

    Raises:
        ValueError: when this version of tuilab does not know such a result.

    """
    return result_from_json(json.loads(text))
