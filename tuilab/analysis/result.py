"""What an experiment says, as frozen values: a result per candidate, a verdict per pair, and one in a sentence."""

from dataclasses import dataclass
from functools import cache

from pydantic import JsonValue, TypeAdapter

from tuilab.spec.comparison import VerdictKind


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
class PairVerdict:
    """What the test says of one candidate against another.

    Differences are candidate minus against, in units of the metric, so negative means that the candidate is better.
    Failed runs take part in every number here, scored as networks that have learnt nothing.

    Attributes:
        candidate, against: names.
        kind: the verdict.
        p: of the protocol's test, adjusted by Holm over all pairs of the experiment; None where nothing can be tested.
        difference: of the means; None while one side has no run.
        interval: 95 % interval of the difference; None with too few runs.
        d: Cohen's d; None where there is no spread or too few runs.
        a12: probability that a run of the candidate has the larger metric, ties counted half (Vargha and Delaney 2000).
        sentence: all of it for a reader.
        equivalence_p: of TOST with the protocol's margin; None without a margin or with too few runs.
        negligible: significant, but inside the margin: different but negligible (the kind is then EQUIVALENT).
        more_seeds: about how many more seeds would decide at this effect; None when decided or out of reach.

    """

    candidate: str
    against: str
    kind: VerdictKind
    p: float | None
    difference: float | None
    interval: tuple[float, float] | None
    d: float | None
    a12: float | None
    sentence: str
    equivalence_p: float | None = None
    negligible: bool = False
    more_seeds: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What an experiment says so far.

    Attributes:
        metric: name of the metric, ``error`` or ``nmse``; lower is better.
        candidates: in the comparison's order.
        verdict: one sentence; says so when it is interim.
        comparisons: one sentence for each further pair, most interesting first.
        complete: whether every planned final run has ended.
        pairs: every pair that was tested, most interesting first: the verdict speaks of the first.
        caveats: what a reader must know before believing the verdict, a sentence each.

    """

    metric: str
    candidates: tuple[CandidateResult, ...]
    verdict: str
    comparisons: tuple[str, ...] = ()
    complete: bool = False
    pairs: tuple[PairVerdict, ...] = ()
    caveats: tuple[str, ...] = ()


@cache
def _adapter() -> TypeAdapter[Result]:
    return TypeAdapter(Result)


def result_to_json(result: Result) -> dict[str, JsonValue]:
    """The result as JSON-like data; ``result_from_json`` reads it back."""
    data: dict[str, JsonValue] = _adapter().dump_python(result, mode="json")
    return data


def result_from_json(data: dict[str, JsonValue]) -> Result:
    """The result that ``result_to_json`` wrote.

    Raises:
        ValueError: when the data are not such a result.

    """
    return _adapter().validate_python(data)
