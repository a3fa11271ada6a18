"""Between rows of the store and the values of ``records``."""

import json
import sqlite3
from dataclasses import fields
from operator import attrgetter

from pydantic import TypeAdapter

from tuilab.analysis.result import Result, result_from_json, result_to_json
from tuilab.spec.comparison import Comparison, dump
from tuilab.spec.errors import printable
from tuilab.spec.probes import Probes
from tuilab.spec.protocol import Change
from tuilab.store.records import ExperimentRecord, NewRun, Phase, Progress, RunRecord, Status

SELECT_EXPERIMENTS = """SELECT number, id, source, status, message, created, launched, claimed, started, ended,
    heartbeat, device, planned_steps, done_steps, result, comparison, added_seeds FROM experiments"""
# The columns of a run are in the order of the fields of RunRecord, here and in UPDATE_RUN.
SELECT_RUNS = """SELECT id, candidate, phase, seed_index, lr, status, step, reason, train_loss, train_metric, val_loss,
    val_metric, test_loss, test_metric, dead_fraction, seconds, probes, changes FROM runs"""
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
    AND NOT (status = 'failed' AND reason LIKE :diverged)"""
LOST_MESSAGE = "its runner has vanished: it was killed, or the machine was restarted; tuilab resume goes on with it"
_CHANGES: TypeAdapter[tuple[Change, ...]] = TypeAdapter(tuple[Change, ...])
_NO_CHANGES = "[]"
_PLANNED = {field.name for field in fields(NewRun)} | {"id"}
_found_out = attrgetter(*(field.name for field in fields(RunRecord) if field.name not in _PLANNED))
"""What changes of a run while it is trained, in the order of its fields."""
_PHASES = {phase.value: phase for phase in Phase}
_STATUSES = {status.value: status for status in Status}


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


def run_record(row: sqlite3.Row) -> RunRecord:
    """A row of ``SELECT_RUNS`` as a value."""
    identity, candidate, phase, seed_index, lr, status, step, reason, *scores, probes, changes = row
    values = [
        identity,
        candidate,
        _PHASES[phase],
        seed_index,
        lr,
        _STATUSES[status],
        step,
        printable(reason) if reason else "",
        *scores,
        None if probes is None else Probes.model_validate_json(probes),
        () if changes == _NO_CHANGES else _CHANGES.validate_json(changes),
    ]
    return RunRecord(*values)


def experiment_record(
    row: sqlite3.Row, comparison: Comparison, result: Result | None, status: Status, message: str
) -> ExperimentRecord:
    """A row of ``SELECT_EXPERIMENTS`` as a value, with what was read from its texts and from the locks."""
    return ExperimentRecord(
        id=row["id"],
        comparison=comparison,
        source=printable(row["source"]),
        status=status,
        message=printable(message),
        created=row["created"],
        started=row["started"],
        ended=row["heartbeat"] if status.ended and row["ended"] is None else row["ended"],
        device=printable(row["device"]),
        planned_steps=row["planned_steps"],
        done_steps=row["done_steps"],
        result=result,
        added_seeds=row["added_seeds"],
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
