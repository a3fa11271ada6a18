"""Whether a result is what the preset's author found."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tuilab.analysis.result import PairVerdict, Result
from tuilab.spec.comparison import Comparison, Expectation, VerdictKind

EXIT_AS_EXPECTED, EXIT_OTHERWISE, EXIT_CANNOT_TELL = 0, 1, 3
"""Exit codes of ``tuilab verify``."""

_MIRROR = {
    VerdictKind.BETTER: VerdictKind.WORSE,
    VerdictKind.WORSE: VerdictKind.BETTER,
    VerdictKind.EQUIVALENT: VerdictKind.EQUIVALENT,
    VerdictKind.CANNOT_TELL: VerdictKind.CANNOT_TELL,
}


@dataclass(frozen=True, slots=True)
class ExpectationOutcome:
    """One expectation beside what was found.

    Attributes:
        expected: as in the preset.
        found: the verdict in the expectation's direction; None when the pair was not tested.
        agrees: whether it is as expected; None when the result cannot tell.
        sign_agrees: whether the means lie as expected, however uncertain; None where either will do or none is known.
        sentence: for a reader.

    """

    expected: Expectation
    found: PairVerdict | None
    agrees: bool | None
    sign_agrees: bool | None
    sentence: str


def check_expectations(comparison: Comparison, result: Result) -> tuple[ExpectationOutcome, ...]:
    """Every expectation of the comparison beside the result, in the preset's order."""
    return tuple(
        _check(expected, find_pair(result, expected.candidate, expected.against)) for expected in comparison.expect
    )


def exit_code(outcomes: Iterable[ExpectationOutcome]) -> int:
    """0 when all is as expected, 1 when anything is not, else 3 when something cannot be told."""
    agreed = [outcome.agrees for outcome in outcomes]
    if False in agreed:
        return EXIT_OTHERWISE
    return EXIT_CANNOT_TELL if None in agreed else EXIT_AS_EXPECTED


def find_pair(result: Result, candidate: str, against: str) -> PairVerdict | None:
    """The verdict on ``candidate`` against ``against``, turned round where need be; None where not tested."""
    for pair in result.pairs:
        if (pair.candidate, pair.against) == (candidate, against):
            return pair
        if (pair.candidate, pair.against) == (against, candidate):
            return _mirrored(pair)
    return None


def _mirrored(pair: PairVerdict) -> PairVerdict:
    return replace(
        pair,
        candidate=pair.against,
        against=pair.candidate,
        kind=_MIRROR[pair.kind],
        difference=None if pair.difference is None else -pair.difference,
        interval=None if pair.interval is None else (-pair.interval[1], -pair.interval[0]),
        d=None if pair.d is None else -pair.d,
        a12=None if pair.a12 is None else 1 - pair.a12,
    )


def _check(expected: Expectation, found: PairVerdict | None) -> ExpectationOutcome:
    wanted = f"{expected.candidate} against {expected.against}: expected {expected.verdict.value}"
    if found is None:
        return ExpectationOutcome(expected, None, None, None, f"{wanted}, but the pair was not tested")
    sign = _sign_agrees(expected, found)
    agrees: bool | None = found.kind is expected.verdict and sign is not False
    if found.kind is VerdictKind.CANNOT_TELL and expected.verdict is not VerdictKind.CANNOT_TELL:
        agrees = None
    outcome = {True: "as expected", False: "not as expected", None: "undecided"}[agrees]
    turned = "" if sign is not False else f", and its mean is not {expected.sign}"
    return ExpectationOutcome(
        expected, found, agrees, sign, f"{wanted}, found {found.kind.value}{turned} ({outcome}): {found.sentence}"
    )


def _sign_agrees(expected: Expectation, found: PairVerdict) -> bool | None:
    """Better implies lower and worse implies higher where the preset does not say."""
    implied = {VerdictKind.BETTER: "lower", VerdictKind.WORSE: "higher"}.get(expected.verdict, "either")
    sign = expected.sign if expected.sign != "either" else implied
    if sign == "either" or found.difference is None:
        return None
    return found.difference < 0 if sign == "lower" else found.difference > 0
