"""Commands on experiments in the store: list, show, stop, pause, remove, export."""

import argparse
import csv
import json
import sys
import time
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from tuilab.cli.output import Json, complain, is_terminal, print_json, say
from tuilab.runner import client
from tuilab.spec.errors import LabError
from tuilab.store.evidence import read_whole
from tuilab.store.home import lab_home
from tuilab.store.reader import Reader
from tuilab.store.records import ExperimentRecord, Point, RunRecord, Status
from tuilab.store.writer import Writer

_NO_EVIDENCE = "those runs are marked and left out of the verdict, and their seeds are trained again as planned"

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from tuilab.store.schema import StoreError


def ls(arguments: argparse.Namespace) -> int:
    """List the experiments, newest first."""
    reader = Reader(lab_home())
    unread: list[StoreError] = []
    records = reader.experiments(unread)
    for sentence in dict.fromkeys(map(str, unread)):
        complain(sentence)
    if arguments.json:
        print_json([_line(record) for record in records])
        return 0
    if not (records or unread):
        say("no experiments yet; tuilab presets lists what there is to run")
    for record in records:
        created = time.strftime("%Y-%m-%d %H:%M", time.localtime(record.created))
        say(f"{record.id}  {record.status.value:<8}  {created}  {record.comparison.title}")
        for said in (record.result.verdict if record.result else "", record.message):
            if said:
                say(f"{'':10}{said}")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Show curves, table and verdict of an experiment."""
    reader = Reader(lab_home())
    record = reader.find(arguments.id)
    if arguments.json:
        from tuilab.cli.run import document

        print_json(document(record))
    else:
        print_experiment(reader, record)
    return 0


def print_experiment(reader: Reader, record: ExperimentRecord) -> None:
    """Print an experiment for a person: charts, results, efficiency, verdict, further pairs, caveats."""
    from rich.console import Console

    from tuilab.tui.palette import default_glyphs
    from tuilab.tui.plain import experiment_view

    console = Console(highlight=False, soft_wrap=not is_terminal())
    glyphs = default_glyphs(encoding=sys.stdout.encoding)
    runs, points = read_whole(reader, record)
    for part in experiment_view(
        record,
        runs,
        points,
        width=console.width,
        color=is_terminal(),
        glyphs=glyphs,
        tables=_efficiency(record, runs, points, console.width, only_ascii=glyphs == "ascii"),
    ):
        console.print(part)


def _efficiency(
    record: ExperimentRecord, runs: list[RunRecord], points: list[Point], width: int, *, only_ascii: bool
) -> "Sequence[RenderableType]":
    """The efficiency table, or a sentence on why there is none."""
    from tuilab.analysis.report import efficiency_rows
    from tuilab.cli.tables import efficiency_tables
    from tuilab.store.evidence import report_from

    try:
        report = report_from(record, runs, points, {})
    except LabError as error:
        return [f"no efficiency table: {error}"]
    return efficiency_tables(efficiency_rows(report), report.result.metric, width=width, only_ascii=only_ascii)


def stop(arguments: argparse.Namespace) -> int:
    """Stop an experiment, or one run of it."""
    if arguments.run is None:
        return _tell(arguments, client.stop, "stopping")
    home, record = _found(arguments)
    client.stop_run(home, record.id, arguments.run)
    say(f"stopping run {arguments.run} of {record.id}; the others go on")
    return 0


def lr(arguments: argparse.Namespace) -> int:
    """Train what trains now with another learning rate."""
    home, record = _found(arguments)
    client.set_lr(home, record.id, arguments.lr, _candidate(arguments, record), arguments.run)
    say(f"what trains now of {record.id} goes on with learning rate {arguments.lr:g}; {_NO_EVIDENCE}")
    return 0


def steps(arguments: argparse.Namespace) -> int:
    """Let what trains now take more steps."""
    home, record = _found(arguments)
    client.set_steps(home, record.id, arguments.steps, _candidate(arguments, record))
    say(f"what trains now of {record.id} takes {arguments.steps:,} steps in all; {_NO_EVIDENCE}")
    return 0


def _found(arguments: argparse.Namespace) -> tuple[Path, ExperimentRecord]:
    home = lab_home()
    with Reader(home) as reader:
        return home, reader.find(arguments.id)


def _candidate(arguments: argparse.Namespace, record: ExperimentRecord) -> int | None:
    if arguments.candidate is None:
        return None
    names = [candidate.name for candidate in record.comparison.candidates]
    if arguments.candidate not in names:
        raise LabError(f"there is no candidate {arguments.candidate!r}; there are {', '.join(names)}")
    return names.index(arguments.candidate)


def pause(arguments: argparse.Namespace) -> int:
    """Pause an experiment."""
    return _tell(arguments, client.pause, "pausing")


def resume(arguments: argparse.Namespace) -> int:
    """Go on with an experiment that is paused, lost, stopped or failed."""
    home = lab_home()
    reader = Reader(home)
    record = reader.find(arguments.id)
    reader.close()
    if record.status is Status.FINISHED:
        say(f"{record.id} is finished already")
        return 0
    client.resume(home, record.id)
    say(f"resuming {record.id}")
    return 0


def first(arguments: argparse.Namespace) -> int:
    """Put an experiment that waits at the head of the queue."""
    home = lab_home()
    with Reader(home) as reader:
        identity = reader.find(arguments.id).id
    if client.put_first(home, identity):
        say(f"{identity} is served next")
    else:
        say(f"{identity} does not wait for a slot")
    return 0


def rm(arguments: argparse.Namespace) -> int:
    """Remove an experiment that has ended."""
    home = lab_home()
    reader = Reader(home)
    identity = reader.find(arguments.id).id
    reader.close()
    with Writer(home) as writer:
        writer.delete(identity)
    say(f"removed {identity}")
    return 0


def export(arguments: argparse.Namespace) -> int:
    """Print an experiment's runs and points as CSV or JSON."""
    reader = Reader(lab_home())
    record = reader.find(arguments.id)
    runs, points = read_whole(reader, record)
    names = [candidate.name for candidate in record.comparison.candidates]
    if arguments.to == "json":
        _export_json(record, runs, points)
        return 0
    table = csv.writer(sys.stdout)
    if arguments.what == "runs":
        fields = [name for name in RunRecord.__dataclass_fields__ if name != "candidate"]
        table.writerow(["candidate", *fields])
        for run in runs:
            table.writerow([names[run.candidate], *(_cell(getattr(run, name)) for name in fields)])
        return 0
    by_id = {run.id: run for run in runs}
    table.writerow(["candidate", "phase", "seed_index", "lr", "run", "step", "train_loss", "eval_loss", "metric"])
    for point in points:
        run = by_id[point.run]
        table.writerow(
            [
                names[run.candidate],
                run.phase.value,
                run.seed_index,
                run.lr,
                point.run,
                point.step,
                point.train_loss,
                point.eval_loss,
                point.metric,
            ]
        )
    return 0


def _export_json(record: ExperimentRecord, runs: list[RunRecord], points: list[Point]) -> None:
    from tuilab.cli.run import document
    from tuilab.spec.comparison import dump

    curves: dict[int, list[Json]] = {run.id: [] for run in runs}
    for point in points:
        curves[point.run].append([point.step, point.train_loss, point.eval_loss, point.metric])
    rows = [{**{key: _plain(value) for key, value in asdict(run).items()}, "points": curves[run.id]} for run in runs]
    summary = document(record)
    print_json(
        {
            "experiment": record.id,
            "comparison": dump(record.comparison),
            "summary": summary,
            "point_fields": ["step", "train_loss", "eval_loss", "metric"],
            "runs": rows,
        }
    )


def _plain(value: object) -> Json:
    if isinstance(value, Enum):
        return str(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple):
        return [one.model_dump(exclude_none=True) for one in value]
    return str(value)


def _cell(value: object) -> Json:
    plain = _plain(value)
    return json.dumps(plain) if isinstance(plain, list) else plain


def _line(record: ExperimentRecord) -> Json:
    return {
        "experiment": record.id,
        "status": record.status.value,
        "title": record.comparison.title,
        "source": record.source,
        "task": record.comparison.task.kind,
        "created": record.created,
        "planned_steps": record.planned_steps,
        "done_steps": record.done_steps,
        "verdict": record.result.verdict if record.result else None,
        "message": record.message,
    }


def _tell(arguments: argparse.Namespace, command: "client.Tell", doing: str) -> int:
    home = lab_home()
    reader = Reader(home)
    record = reader.find(arguments.id)
    reader.close()
    if record.status.ended:
        say(f"{record.id} is {record.status.value} already")
        return 0
    command(home, record.id)
    say(f"{doing} {record.id}")
    return 0
