"""A lab with recorded experiments, written by the real writer, and the application opened on it."""

import dataclasses
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from tests.tui.live_values import COMPARISON, SEEDS, STEPS, loss
from tuilab.analysis.result import CandidateResult, Result
from tuilab.spec.comparison import Comparison
from tuilab.spec.notation import format_stack
from tuilab.spec.preset_writer import to_yaml
from tuilab.spec.training import report_steps
from tuilab.store.records import NewPoint, NewRun, Phase, Progress, Status
from tuilab.store.writer import Writer
from tuilab.tui.app import LabApp
from tuilab.tui.bench import count_of
from tuilab.tui.catalog import load_preset
from tuilab.tui.screens.lab import LabScreen

TINY = Comparison.model_validate(
    {
        "title": "Tiny spirals",
        "question": "Is deeper better?",
        "hypothesis": "It is.",
        "task": "spirals",
        "protocol": {"budget": {"rule": "nearest"}},
        "candidates": [
            {"name": "wide", "stack": "100 relu"},
            {"name": "deep", "stack": "2*(19 relu)"},
            {"name": "linear", "stack": ""},
        ],
    }
)


def result(comparison: Comparison = COMPARISON) -> Result:
    """Made-up final results, the best one third."""
    means = (0.0136, 0.0041, 0.0034, 0.4821)
    candidates = []
    for index, candidate in enumerate(comparison.candidates):
        count = count_of(comparison.network_of(candidate))
        mean = means[index % 4]
        values = (mean * 0.9, mean * 1.1)
        notation = format_stack(candidate.stack)
        rate = 2000.0 - 100 * index
        one = CandidateResult(
            candidate.name, notation, count.num_params, count.macs, 0.01, values, mean, mean / 6, 0, rate
        )
        candidates.append(one)
    return Result("error", tuple(candidates), "deep-3x14 errs less than wide-1x100", complete=True)


def record(home: Path, status: Status = Status.FINISHED, *, part: float = 1.0, started: float = 1000.0) -> str:
    """An experiment with ten final runs a candidate, trained up to ``part`` of their steps; its id."""
    noise = random.Random(7)
    with Writer(home) as writer:
        identity = writer.create_experiment(COMPARISON, "")
        planned = [NewRun(c, Phase.FINAL, s, 0.01) for c in range(len(COMPARISON.candidates)) for s in range(SEEDS)]
        runs = writer.add_runs(identity, planned)
        points = []
        for step in report_steps(STEPS):
            if step <= part * STEPS:
                for run in runs:
                    value = loss(run.candidate, run.seed_index, step, noise)
                    points.append(NewPoint(run.id, step, 0.7 * value, value, min(0.5, value / 1.5)))
        state = Status.FINISHED if status is Status.FINISHED else Status.RUNNING
        now = [dataclasses.replace(run, status=state, step=round(part * STEPS)) for run in runs]
        steps = len(runs) * STEPS
        progress = Progress(
            status,
            "",
            started,
            started + 41 if status.ended else None,
            "cpu",
            steps,
            round(part * steps),
            result() if status is Status.FINISHED else None,
        )
        writer.write(identity, points, now, progress)
    return identity


def preset_file(folder: Path, comparison: Comparison = TINY, name: str = "tiny") -> Path:
    """The comparison as a preset file."""
    path = folder / f"{name}.yaml"
    path.write_text(to_yaml(comparison), encoding="utf-8")
    return path


@asynccontextmanager
async def opened(
    home: Path, *, size: tuple[int, int] = (80, 24), attach: str | None = None, path: Path | None = None
) -> AsyncIterator[tuple[LabApp, Pilot[None]]]:
    """The application, once it has loaded; the library shows only TINY."""
    home.mkdir(exist_ok=True)
    app = LabApp(home, attach=attach, open_path=path, warm=False)
    async with app.run_test(size=size) as pilot:
        await app.workers.wait_for_complete()
        tiny = load_preset("tiny", preset_file(home))
        app.presets = (tiny,)
        await pilot.pause()
        await pilot.pause()
        yield app, pilot


def lab_of(app: LabApp) -> LabScreen:
    """The lab screen on top."""
    assert isinstance(app.screen, LabScreen)
    return app.screen


def bench_stacks(app: LabApp) -> list[str]:
    """The notation of every candidate on the bench."""
    bench = lab_of(app).bench
    assert bench is not None
    return [format_stack(candidate.stack) for candidate in bench.comparison.candidates]


def notices(app: LabApp) -> str:
    """What the application has told the person, in passing."""
    return " ".join(notice.message for notice in app._notifications)
