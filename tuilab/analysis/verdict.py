"""The verdict on one pair of candidates: better, worse, equivalent or cannot tell, with the sentence that says so."""

from collections.abc import Mapping
from dataclasses import dataclass

from tuilab.analysis.result import PairVerdict
from tuilab.analysis.statistics import (
    MAX_SEEDS,
    Contrast,
    a12,
    cohen_d,
    mann_whitney,
    paired,
    seeds_for_difference,
    seeds_for_equivalence,
    welch,
    welch_log,
)
from tuilab.analysis.wording import common_places, count_text, metric_text, number, p_text
from tuilab.spec.comparison import Protocol, VerdictKind

ALPHA = 0.05
"""Largest p value that counts as significant."""
RANK_EFFICIENCY = 0.864
"""Least efficiency of the Mann-Whitney test against t (Hodges and Lehmann 1956): it may need this much more data."""


@dataclass(frozen=True, slots=True)
class Side:
    """One candidate in a pair.

    Attributes:
        name: the candidate's.
        subject: how a sentence introduces it, with shape and parameters.
        scores: metric by seed index; a failed run is scored as a network that has learnt nothing.
        mean, half_width: of its finished runs.
        failures: how many of its runs failed.

    """

    name: str
    subject: str
    scores: Mapping[int, float]
    mean: float | None
    half_width: float | None
    failures: int


@dataclass(frozen=True, slots=True)
class Trial:
    """A pair after the test, before it is adjusted for the number of pairs.

    Attributes:
        p: of the protocol's test; None where there are too few runs.
        contrast: the difference in units of the metric, for interval and equivalence.
        tested: the difference on the scale that was tested, for the number of seeds needed.
        direction: the tested effect's sign: negative when the candidate tends to the lower metric.

    """

    candidate: Side
    against: Side
    p: float | None
    contrast: Contrast | None
    tested: Contrast | None
    direction: float
    d: float | None
    a12: float | None


def examine(candidate: Side, against: Side, protocol: Protocol, floor: float) -> Trial:
    """Test one candidate against another.

    Equivalence and the interval use the means in units of the metric, whatever the test: by Welch's contrast, or the
    paired one where the test is paired. ``floor`` is n_test / n_train where the seeds are splits of one table.
    """
    seeds = sorted(candidate.scores.keys() & against.scores.keys())
    a, b = list(candidate.scores.values()), list(against.scores.values())
    contrast = tested = welch(a, b)
    p = contrast.p if contrast else None
    match protocol.test:
        case "welch":
            pass
        case "welch_log":
            tested = welch_log(a, b)
            p = tested.p if tested else None
        case "mann_whitney":
            p = mann_whitney(a, b)
        case "paired" | "nadeau_bengio":
            a, b = [candidate.scores[seed] for seed in seeds], [against.scores[seed] for seed in seeds]
            contrast = tested = paired(a, b, floor if protocol.test == "nadeau_bengio" else 0.0)
            p = contrast.p if contrast else None
    above = a12(a, b)
    ranked = protocol.test == "mann_whitney" and above is not None
    direction = above - 0.5 if ranked and above is not None else tested.difference if tested else 0.0
    return Trial(candidate, against, p, contrast, tested, direction, cohen_d(a, b), above)


def judge(trial: Trial, p: float | None, pairs: int, protocol: Protocol, metric: str, prefix: str) -> PairVerdict:
    """The verdict of a trial.

    Args:
        trial: the pair after the test.
        p: its p value adjusted for the number of pairs.
        pairs: how many pairs were tested.
        protocol: for the test's name and the margin.
        metric: ``error`` or another.
        prefix: starts the sentence of an interim verdict, such as ``so far (6 of 10 seeds): ``; else empty.

    """
    margin, contrast = protocol.margin, trial.contrast
    equivalence = contrast.equivalence_p(margin) if contrast and margin is not None else None
    inside = equivalence is not None and equivalence < ALPHA
    significant = p is not None and p < ALPHA
    agreed = contrast is not None and trial.direction * contrast.difference > 0
    kind = VerdictKind.CANNOT_TELL
    if inside:
        kind = VerdictKind.EQUIVALENT
    elif significant and agreed:
        kind = VerdictKind.BETTER if trial.direction < 0 else VerdictKind.WORSE
    undecided = kind is VerdictKind.CANNOT_TELL and not significant
    more = _more_seeds(trial, pairs, protocol) if undecided else None
    counted = ", failed runs counted" if trial.candidate.failures or trial.against.failures else ""
    evidence = _p_words(p, pairs, protocol) + _effect(trial) + counted
    match kind:
        case VerdictKind.EQUIVALENT:
            words = _equivalent(significant, evidence, equivalence, margin, metric)
        case VerdictKind.CANNOT_TELL if significant:
            words = f"cannot tell: typical runs and the mean point opposite ways ({evidence})"
        case VerdictKind.CANNOT_TELL:
            words = _cannot_tell(trial, evidence, more, bool(prefix))
        case _:
            words = f"{kind.value}, {evidence}"
    return PairVerdict(
        candidate=trial.candidate.name,
        against=trial.against.name,
        kind=kind,
        p=p,
        difference=contrast.difference if contrast else _rough_difference(trial),
        interval=contrast.interval() if contrast else None,
        d=trial.d,
        a12=trial.a12,
        sentence=f"{prefix}{_opening(trial, metric)}: {words}",
        equivalence_p=equivalence,
        negligible=inside and significant,
        more_seeds=more,
    )


def _rough_difference(trial: Trial) -> float | None:
    a, b = list(trial.candidate.scores.values()), list(trial.against.scores.values())
    return sum(a) / len(a) - sum(b) / len(b) if a and b else None


def _opening(trial: Trial, metric: str) -> str:
    ours, theirs = trial.candidate, trial.against
    known = [(side.mean, side.half_width) for side in (ours, theirs)]
    places = common_places(metric, [(mean, half) for mean, half in known if mean is not None and half is not None])
    verb = "errs" if metric == "error" else f"has {_article(metric)} {metric_name(metric)} of"
    if ours.mean is None:
        rest = _nothing(theirs) if theirs.mean is None else _said(theirs, verb, metric, places)
        return f"{ours.subject} {_nothing(ours)}; {theirs.subject} {rest}"
    first = f"{ours.subject} {_said(ours, verb, metric, places)}"
    if theirs.mean is None:
        return f"{first}; {theirs.subject} {_nothing(theirs)}"
    return f"{first} against {_value(theirs, metric, places)} for {theirs.subject}{_failed(theirs)}"


def metric_name(metric: str) -> str:
    """The metric as a sentence writes it."""
    return {"nmse": "nMSE"}.get(metric, metric)


def _article(metric: str) -> str:
    return "an" if metric[:1] in "aeion" else "a"


def _said(side: Side, verb: str, metric: str, places: int | None) -> str:
    return f"{verb} {_value(side, metric, places)}{_failed(side)}"


def _value(side: Side, metric: str, places: int | None) -> str:
    return metric_text(metric, side.mean, side.half_width, places) if side.mean is not None else ""


def _failed(side: Side) -> str:
    return f" ({side.failures} of {len(side.scores)} runs failed)" if side.failures else ""


def _nothing(side: Side) -> str:
    if not side.scores:
        return "has no run yet"
    return "failed in its only run" if len(side.scores) == 1 else f"failed in all of its {len(side.scores)} runs"


def _p_words(p: float | None, pairs: int, protocol: Protocol) -> str:
    if p is None:
        return ""
    corrected = " corrected for overlapping splits" if protocol.test == "nadeau_bengio" else ""
    return p_text(p) + (" Holm" if pairs > 1 else "") + corrected


def _effect(trial: Trial) -> str:
    return f", d = {abs(trial.d):.2g}" if trial.d is not None and abs(trial.d) < 99.5 else ""


def _equivalent(significant: bool, evidence: str, equivalence: float | None, margin: float | None, metric: str) -> str:
    allowed = number(margin or 0.0)
    if metric == "error":
        points = number(100 * (margin or 0.0))
        allowed = f"{points} point" if points == "1" else f"{points} points"
    tost = p_text(equivalence or 0.0)
    if significant:
        return f"different but negligible, {evidence}, yet within the margin of {allowed} (TOST {tost})"
    return f"equivalent within {allowed} (TOST {tost})"


def _cannot_tell(trial: Trial, evidence: str, more: int | None, interim: bool) -> str:
    word = "cannot tell yet" if interim else "cannot tell"
    if trial.p is None or trial.contrast is None:
        return f"{word}, a test needs at least two runs of each"
    if trial.contrast.difference == 0 and trial.contrast.error == 0:
        return f"{word}, no run of either differs; only a margin in the protocol could call that equivalent"
    if more is not None:
        return f"{word}, {evidence}; about {count_text(more, 'more seed')} would decide at this effect"
    if trial.contrast.floor:
        return f"{word}, {evidence}; more splits of one table would hardly help"
    return f"{word}, {evidence}; more than {MAX_SEEDS:,} seeds would be needed at this effect"


def _more_seeds(trial: Trial, pairs: int, protocol: Protocol) -> int | None:
    """Seeds beyond those run at which the difference, or its smallness, would probably show."""
    needed: list[int] = []
    have = min(len(trial.candidate.scores), len(trial.against.scores))
    if trial.tested:
        found = seeds_for_difference(trial.tested, ALPHA / max(1, pairs))
        if found is not None:
            needed.append(round(found / RANK_EFFICIENCY) if protocol.test == "mann_whitney" else found)
    if trial.contrast and protocol.margin is not None:
        found = seeds_for_equivalence(trial.contrast, protocol.margin)
        if found is not None:
            needed.append(found)
    return max(1, min(needed) - have) if needed else None
