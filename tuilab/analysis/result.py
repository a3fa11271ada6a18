"""What an experiment says, as frozen values: a result per candidate and a verdict."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CandidateResult:
    """What the final runs of one candidate say.

    Attributes:
        name, notation: the candidate's.
        num_params, macs: per network, and per sample.
        lr: the learning rate of its final runs; None until tuned.
        values: test metric of each finished final run, by seed index.
        mean, half_width: of the values, with the 95 % t interval; None without values (half_width: with one).
        failures: final runs that diverged.
        steps_per_second: optimiser steps, over all replicas of its groups; None until a group has ended.

    """

    name: str
    notation: str
    num_params: int
    macs: int
    lr: float | None
    values: tuple[float, ...]
    mean: float | None
    half_width: float | None
    failures: int
    steps_per_second: float | None


@dataclass(frozen=True, slots=True)
class Result:
    """What an experiment says so far.

    Attributes:
        metric: name of the metric, ``error`` or ``nmse``; lower is better.
        candidates: in the comparison's order.
        verdict: one sentence; says so when it is interim.
        comparisons: one sentence for each further pair, most interesting first.
        complete: whether every planned final run has ended.

    """

    metric: str
    candidates: tuple[CandidateResult, ...]
    verdict: str
    comparisons: tuple[str, ...] = ()
    complete: bool = False
