"""A recorded experiment, made by formula: the same every time, and shaped like a real one."""

import math
import random

from tuilab.spec.comparison import Comparison
from tuilab.spec.training import report_steps
from tuilab.store.records import ExperimentRecord, Phase, Point, RunRecord, Status

STEPS = 2000
SEEDS = 10
COMPARISON = Comparison.model_validate(
    {
        "title": "deep against wide",
        "task": "spirals",
        "training": {"steps": STEPS},
        "protocol": {"final_seeds": SEEDS, "tuning_seeds": 2, "lr_grid": [0.003, 0.03], "extend_grid": False},
        "candidates": [
            {"name": "wide-1x100", "stack": "100 relu"},
            {"name": "deep-2x20", "stack": "2*(20 relu)"},
            {"name": "deep-3x14", "stack": "3*(14 relu)"},
            {"name": "linear", "stack": ""},
        ],
    }
)
_FLOOR = (0.09, 0.03, 0.012, 0.68)
_RATE = (1.5, 2.6, 2.2, 9.0)
_REACHED = (1.0, 0.82, 0.7, 1.0)


def experiment(
    status: Status = Status.RUNNING, *, identity: str = "x1", seconds: float | None = None
) -> ExperimentRecord:
    """The experiment's record; started at 1000, and ended ``seconds`` later if that is given."""
    ended = None if seconds is None else 1000.0 + seconds
    return ExperimentRecord(identity, COMPARISON, "", status, "", 990.0, 1000.0, ended, "cpu", 0, 0, None)


def run(
    identity: int,
    candidate: int = 0,
    *,
    phase: Phase = Phase.FINAL,
    seed: int = 0,
    lr: float = 0.01,
    status: Status = Status.RUNNING,
    step: int = 0,
) -> RunRecord:
    """A run's record."""
    return RunRecord(
        identity, candidate, phase, seed, lr, status, step, "", None, None, None, None, None, None, None, None
    )


def final_runs() -> list[RunRecord]:
    """Ten final runs of each candidate."""
    return [run(100 * c + s, c, seed=s) for c in range(len(COMPARISON.candidates)) for s in range(SEEDS)]


def loss(candidate: int, seed: int, step: int, noise: random.Random) -> float:
    """A loss that falls from 0.7 to the candidate's floor; later and differently for each seed."""
    floor, rate = _FLOOR[candidate] * (1 + 0.5 * math.sin(seed * 2.4)), _RATE[candidate] * (1 + 0.15 * math.cos(seed))
    fallen = floor + (0.7 - floor) * math.exp(-rate * 2 * step / STEPS)
    return fallen * math.exp(noise.gauss(0, 0.08) * min(1, 3 * step / STEPS))


def final_points(reached: tuple[float, ...] = _REACHED) -> list[Point]:
    """Points of the final runs, up to a part of the steps for each candidate."""
    noise = random.Random(7)
    points: list[Point] = []
    for step in report_steps(STEPS):
        for c, part in enumerate(reached):
            if step <= part * STEPS:
                for s in range(SEEDS):
                    value = loss(c, s, step, noise)
                    points.append(Point(len(points) + 1, 100 * c + s, step, 0.7 * value, value, min(0.5, value / 1.5)))
    return points


def tuning_runs() -> list[RunRecord]:
    """Two tuning runs of each candidate at each of two learning rates."""
    return [
        run(1000 + 10 * c + 4 * k + s, c, phase=Phase.TUNING, seed=1_000_000 + s, lr=lr)
        for c in range(len(COMPARISON.candidates))
        for k, lr in enumerate((0.003, 0.03))
        for s in range(2)
    ]


def tuning_points(part: float = 0.4) -> list[Point]:
    """Points of the tuning runs; the larger learning rate is the better one."""
    noise = random.Random(8)
    points: list[Point] = []
    for step in report_steps(STEPS):
        if step <= part * STEPS:
            for one in tuning_runs():
                value = loss(one.candidate, one.seed_index % 10, step, noise) * (1 if one.lr > 0.01 else 1.5)
                points.append(Point(len(points) + 1, one.id, step, value, value, value / 2))
    return points
