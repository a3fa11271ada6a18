"""``tuilab run``: an experiment without the interface, through the same store and runner."""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuilab.analysis.counting import count
from tuilab.analysis.result import CandidateResult, Result
from tuilab.cli.output import Json, complain, is_terminal, print_json, say
from tuilab.cli.torch_facts import refuse_missing
from tuilab.runner import client
from tuilab.spec.comparison import Comparison
from tuilab.spec.errors import FileError, LabError
from tuilab.spec.notation import format_stack
from tuilab.spec.preset_file import FULL, load
from tuilab.spec.presets import find_preset, preset_folder
from tuilab.spec.share import from_line, is_line
from tuilab.spec.task import facts
from tuilab.store.home import lab_home
from tuilab.store.reader import Reader
from tuilab.store.records import ExperimentRecord, Status

POLL = 0.1
"""Seconds between looks at the store."""
STOP_LIMIT = 15.0
"""Seconds that an interrupted run may take to stop before we leave it to its runner."""


def run(arguments: argparse.Namespace) -> int:
    """Run a preset to its end, or start it and print its id (``--detach``)."""
    comparison, source = chosen(arguments)
    home = lab_home()
    if arguments.detach:
        identity = client.create_and_launch(home, comparison, source=source, device=arguments.device)
        if arguments.json:
            print_json({"experiment": identity, "status": Status.QUEUED.value})
        else:
            say(identity)
        return 0
    reader = Reader(home)
    if not arguments.json:
        say(planned(reader, comparison, arguments.device))
        say_shortage(home, comparison, arguments.device)
    record = complete(reader, comparison, source, arguments.device, quiet=arguments.json)
    return _show(reader, record, as_json=arguments.json)


def more(arguments: argparse.Namespace) -> int:
    """Go on with an experiment that has ended, with more final seeds."""
    home = lab_home()
    reader = Reader(home)
    record = reader.find(arguments.id)
    if not (arguments.json or arguments.detach):
        say(planned(reader, _final_runs_only(record.comparison, arguments.seeds), reader.wanted_device(record.id)))
    client.more(home, record.id, arguments.seeds)
    if arguments.detach:
        if arguments.json:
            print_json({"experiment": record.id, "status": Status.QUEUED.value})
        else:
            say(record.id)
        return 0
    return _show(reader, follow_to_end(reader, record.id, quiet=arguments.json), as_json=arguments.json)


def _final_runs_only(comparison: Comparison, seeds: int) -> Comparison:
    """A comparison that costs what so many further final seeds cost: nothing is tuned."""
    protocol = comparison.protocol
    changes = {"final_seeds": seeds, "lr_grid": protocol.lr_grid[:1], "extend_grid": False}
    return comparison.model_copy(update={"protocol": protocol.model_copy(update=changes)})


def _show(reader: Reader, record: ExperimentRecord, *, as_json: bool) -> int:
    """Print an experiment that has ended, and return the exit code."""
    if as_json:
        print_json(document(record))
    else:
        from tuilab.cli.experiments import print_experiment

        print_experiment(reader, record)
    return exit_code(record)


def complete(reader: Reader, comparison: Comparison, source: str, device: str, *, quiet: bool) -> ExperimentRecord:
    """Run a comparison as a new experiment to its end, and return how it ended.

    Args:
        reader: of the lab.
        comparison: what is run.
        source: preset name or file that it came from.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        quiet: show no progress.

    Raises:
        LabError: when it cannot be run, or has been removed while it ran.
        KeyboardInterrupt: when the person interrupts; the experiment has been stopped then.

    """
    identity = client.create_and_launch(reader.home, comparison, source=source, device=device)
    return follow_to_end(reader, identity, quiet=quiet)


def follow_to_end(reader: Reader, identity: str, *, quiet: bool) -> ExperimentRecord:
    """Show how far an experiment is until it has ended, and return how it ended.

    Raises:
        LabError: when it has been removed while it ran.
        KeyboardInterrupt: when the person interrupts; the experiment has been stopped then.

    """
    try:
        return _follow(reader, identity, quiet=quiet)
    except KeyboardInterrupt:
        record = _stop(reader.home, reader, identity)
        complain(f"interrupted; experiment {identity} is {record.status.value}")
        raise


def say_shortage(home: Path, comparison: Comparison, device: str) -> None:
    """Say where memory or device may not do for the comparison; it is run all the same."""
    problem = client.shortage(home, comparison, device)
    if problem is not None:
        complain(f"{problem}; trying")


def planned(reader: Reader, comparison: Comparison, device: str) -> str:
    """One sentence on what running the comparison will cost.

    Raises:
        LabError: when a network does not fit the task, or a CSV file cannot be read.

    """
    from tuilab.analysis.wording import count_text
    from tuilab.store.rates import estimate
    from tuilab.tui.numbers import about, short

    expected = estimate(reader, comparison, device)
    cost = expected.cost
    tuning = f" ({cost.tuning_runs:,} of them to tune)" if cost.tuning_runs else ""
    basis = "at rates measured in this lab" if expected.measured else "at a guessed rate"
    lasts = f", about {about(cost.seconds)} of training {basis}" if cost.seconds is not None else ""
    return f"planned: {count_text(cost.runs, 'run')}{tuning}, {cost.steps:,} steps, {short(cost.flops)} FLOPs{lasts}"


def exit_code(record: ExperimentRecord) -> int:
    """0 for a finished experiment; 1, with the reason on standard error, for every other end."""
    if record.status is Status.FINISHED:
        return 0
    reason = f": {record.message}" if record.message else ""
    complain(f"experiment {record.id} is {record.status.value}{reason}")
    return 1


def document(record: ExperimentRecord) -> Json:
    """What ``--json`` prints of an experiment; the same fields whether it has ended or has not begun."""
    result = record.result
    return {
        "experiment": record.id,
        "status": record.status.value,
        "message": record.message,
        "title": record.comparison.title,
        "source": record.source,
        "task": record.comparison.task.kind,
        "device": record.device,
        "candidates": _measured(result) if result else _planned(record.comparison),
        "verdict": result.verdict if result else None,
        "seconds": _seconds(record),
    }


def _candidate(
    name: str,
    notation: str,
    num_params: int | None,
    macs: int | None,
    metric: str | None,
    found: CandidateResult | None = None,
) -> dict[str, Json]:
    """A candidate with what its final runs say, if any have."""
    return {
        "name": name,
        "notation": notation,
        "num_params": num_params,
        "macs": macs,
        "lr": found.lr if found else None,
        "metric": {
            "name": metric,
            "mean": found.mean if found else None,
            "half_width": found.half_width if found else None,
            "values": list(found.values) if found else [],
            "failures": found.failures if found else 0,
        },
    }


def _measured(result: Result) -> list[Json]:
    """The candidates with what has been found."""
    return [
        _candidate(one.name, one.notation, one.num_params, one.macs, result.metric, one) for one in result.candidates
    ]


def _planned(comparison: Comparison) -> list[Json]:
    """The candidates while nothing is known but what they are; without counts where the task's file has gone."""
    try:
        known = facts(comparison.task)
        counts = [count(comparison.network_of(candidate, known)) for candidate in comparison.candidates]
    except LabError:
        return [_candidate(one.name, format_stack(one.stack), None, None, None) for one in comparison.candidates]
    return [
        _candidate(one.name, format_stack(one.stack), counted.num_params, counted.macs, known.metric)
        for one, counted in zip(comparison.candidates, counts, strict=True)
    ]


def _seconds(record: ExperimentRecord) -> float | None:
    if record.started is None:
        return None
    return round((record.ended or time.time()) - record.started, 3)


def chosen(arguments: argparse.Namespace) -> tuple[Comparison, str]:
    """The comparison that the arguments name, with the profile and the numbers that they ask for, and its source.

    Raises:
        LabError: when there is no such preset, file, profile or device, or the file cannot be run.

    """
    refuse_missing(arguments.device)
    if is_line(arguments.preset):
        if arguments.profile != FULL:
            raise LabError("a share line has no profiles; leave out --profile")
        file, source, comparison = None, "", from_line(arguments.preset)
    else:
        path = find_preset(arguments.preset)
        comparison = load(path, arguments.profile)
        file, source = (None, arguments.preset) if path.parent == preset_folder() else (path, str(path))
    if arguments.seeds or arguments.steps:
        comparison = _changed(comparison, arguments.seeds, arguments.steps)
    try:
        client.check(comparison, arguments.device)
    except LabError as error:
        if file is None or isinstance(error, FileError):
            raise
        raise FileError(str(file), str(error)) from error
    return comparison, source


def _changed(comparison: Comparison, seeds: int | None, steps: int | None) -> Comparison:
    """The comparison with other numbers of seeds and steps, candidates that set their own steps included."""
    from pydantic import ValidationError

    from tuilab.spec.comparison import dump
    from tuilab.spec.preset_errors import plain_words

    data = dump(comparison)
    if seeds:
        data["protocol"] = {**data.get("protocol", {}), "final_seeds": seeds}
    if steps:
        data["training"] = {**data.get("training", {}), "steps": steps}
        for candidate in data["candidates"]:
            candidate.get("training", {}).pop("steps", None)
    try:
        return Comparison.model_validate(data)
    except ValidationError as error:
        raise LabError(plain_words(error, data)) from error


def _follow(reader: Reader, identity: str, quiet: bool) -> ExperimentRecord:
    with _progress(show=not quiet and is_terminal()) as update:
        while True:
            record = reader.experiment(identity)
            if record is None:
                raise LabError(f"experiment {identity} has been removed while it ran")
            update(record)
            if record.status.ended:
                return record
            time.sleep(POLL)


class _Quiet:
    def __call__(self, record: ExperimentRecord) -> None:
        """Show nothing."""


class _Bar:
    """A live progress bar with state, device and time left."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[status]}"),
            TimeRemainingColumn(),
            transient=True,
        )
        self.task = self.progress.add_task("", status="queued")

    def __call__(self, record: ExperimentRecord) -> None:
        from rich.markup import escape

        self.progress.update(
            self.task,
            description=f"[bold]{record.id}[/] {escape(record.comparison.title)}",
            total=max(1, record.planned_steps),
            completed=record.done_steps,
            status=f"{record.status.value} {record.device}".strip(),
        )


@contextmanager
def _progress(show: bool) -> Iterator[_Quiet | _Bar]:
    if not show:
        yield _Quiet()
        return
    bar = _Bar()
    with bar.progress:
        yield bar


def _stop(home: Path, reader: Reader, identity: str) -> ExperimentRecord:
    client.stop(home, identity)
    deadline = time.monotonic() + STOP_LIMIT
    while True:
        record = reader.experiment(identity)
        if record is None:
            raise LabError(f"experiment {identity} has been removed while it ran")
        if record.status.ended or time.monotonic() > deadline:
            return record
        time.sleep(POLL)
