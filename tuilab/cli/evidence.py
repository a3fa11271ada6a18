"""``tuilab report`` and ``tuilab verify``: what an experiment says, and whether it says what its author found."""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from tuilab.analysis.expectations import (
    EXIT_AS_EXPECTED,
    EXIT_CANNOT_TELL,
    EXIT_OTHERWISE,
    ExpectationOutcome,
    check_expectations,
)
from tuilab.analysis.expectations import exit_code as verdict_code
from tuilab.analysis.report import ReportInput, as_json, html, markdown
from tuilab.analysis.result import Result
from tuilab.cli.output import Json, print_json, say
from tuilab.cli.run import chosen, complete, exit_code, planned
from tuilab.spec.comparison import VerdictKind
from tuilab.spec.errors import LabError
from tuilab.store.evidence import report_input
from tuilab.store.files import write_atomically
from tuilab.store.home import lab_home
from tuilab.store.reader import Reader
from tuilab.store.records import ExperimentRecord, Status

QUICK = "quick"
"""The profile that is too small for the verdict: only the sign must be as expected."""
_SIGNED = (VerdictKind.BETTER, VerdictKind.WORSE)
_SUFFIXES = {".html": "html", ".htm": "html", ".json": "json", ".md": "md", ".markdown": "md", ".txt": "md", "": "md"}
"""What a report is written as, by its file's ending."""


def report(arguments: argparse.Namespace) -> int:
    """Print an experiment's report, or write it to a file."""
    reader = Reader(lab_home())
    read = report_input(reader, reader.find(arguments.id))
    target = Path(arguments.output) if arguments.output else None
    kind = arguments.to or (_kind_of(target) if target else "md")
    text = rendered(read, kind)
    if target is None:
        say(text.rstrip("\n"))
        return 0
    write_atomically(target, text)
    say(f"wrote {target}")
    return 0


def _kind_of(target: Path) -> str:
    """What a report in this file is, by its ending.

    Raises:
        LabError: when the ending is that of something else, such as ``.pdf``.

    """
    kind = _SUFFIXES.get(target.suffix.lower())
    if kind is None:
        raise LabError(f"{target}: a report is .md, .html or .json; name one of these, or say --to md, html or json")
    return kind


def rendered(read: ReportInput, kind: str) -> str:
    """The report as ``md``, ``html`` or ``json``."""
    match kind:
        case "html":
            return html(read)
        case "json":
            return json.dumps(as_json(read), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        case _:
            return markdown(read)


def verify(arguments: argparse.Namespace) -> int:
    """Run a preset and say whether the verdicts are those that its author found."""
    comparison, source = chosen(arguments)
    if not comparison.expect:
        raise LabError(
            f"{source} expects nothing that could be verified: it has no expect; tuilab run {source} runs it"
        )
    reader = Reader(lab_home())
    by_sign = arguments.profile == QUICK
    if not arguments.json:
        say(planned(reader, comparison, arguments.device))
    record = complete(reader, comparison, source, arguments.device, quiet=arguments.json)
    outcomes = check_expectations(comparison, record.result or _nothing())
    if record.status is not Status.FINISHED:
        code = exit_code(record)
    else:
        code = sign_code(outcomes) if by_sign else verdict_code(outcomes)
    if arguments.json:
        print_json(_verified(record, outcomes, arguments.profile, code))
    else:
        for outcome in outcomes:
            say(line_of(outcome, by_sign=by_sign))
        say(_conclusion(record, code, by_sign=by_sign))
    return code


def sign_agreement(outcome: ExpectationOutcome) -> bool | None:
    """Whether the means lie as expected, however uncertain; None where that cannot be told.

    An expectation without a sign (equivalent, or either) is met unless the verdict contradicts it.
    """
    if outcome.found is None or outcome.found.difference is None:
        return None
    if outcome.sign_agrees is not None:
        return outcome.sign_agrees
    return outcome.agrees is not False


def sign_code(outcomes: Iterable[ExpectationOutcome]) -> int:
    """As ``expectations.exit_code``, by signs alone."""
    agreed = [sign_agreement(outcome) for outcome in outcomes]
    if False in agreed:
        return EXIT_OTHERWISE
    return EXIT_CANNOT_TELL if None in agreed else EXIT_AS_EXPECTED


def line_of(outcome: ExpectationOutcome, *, by_sign: bool) -> str:
    """An expectation beside what was found, in a line that begins with ``ok``, ``NO`` or ``??``."""
    agrees = sign_agreement(outcome) if by_sign else outcome.agrees
    mark = {True: "ok", False: "NO", None: "??"}[agrees]
    if not by_sign:
        return f"{mark}  {outcome.sentence}"
    expected, found = outcome.expected, outcome.found
    pair = f"{expected.candidate} against {expected.against}"
    wanted = _wanted_sign(outcome)
    if found is None or found.difference is None:
        return f"{mark}  {pair}: expected {wanted or expected.verdict.value}, found nothing"
    lies = "lower" if found.difference < 0 else "higher" if found.difference > 0 else "equal"
    if not wanted:
        return f"{mark}  {pair}: expected {expected.verdict.value}, no sign to check: {found.sentence}"
    return f"{mark}  {pair}: expected a {wanted} mean, found {lies}: {found.sentence}"


def _wanted_sign(outcome: ExpectationOutcome) -> str:
    """``lower``, ``higher``, or nothing where either will do."""
    expected = outcome.expected
    if expected.sign != "either":
        return expected.sign
    if expected.verdict in _SIGNED:
        return "lower" if expected.verdict is VerdictKind.BETTER else "higher"
    return ""


def _conclusion(record: ExperimentRecord, code: int, *, by_sign: bool) -> str:
    if record.status is not Status.FINISHED:
        return f"experiment {record.id} is {record.status.value}: nothing is verified"
    judged = "signs" if by_sign else "verdicts"
    said = {
        EXIT_AS_EXPECTED: f"as expected: all {judged} agree",
        EXIT_OTHERWISE: f"not as expected: not all {judged} agree",
        EXIT_CANNOT_TELL: f"cannot tell: not all {judged} are decided",
    }[code]
    why = " (the quick profile is too small for verdicts: only the sign of a difference must agree)" if by_sign else ""
    return f"{said}{why}; tuilab report {record.id} has the evidence"


def _nothing() -> Result:
    return Result(metric="", candidates=(), verdict="no final run has ended")


def _verified(record: ExperimentRecord, outcomes: Sequence[ExpectationOutcome], profile: str, code: int) -> Json:
    by_sign = profile == QUICK
    return {
        "experiment": record.id,
        "status": record.status.value,
        "message": record.message,
        "source": record.source,
        "profile": profile,
        "judged_by": "sign" if by_sign else "verdict",
        "exit_code": code,
        "verdict": record.result.verdict if record.result else None,
        "expectations": [_outcome_data(outcome, by_sign=by_sign) for outcome in outcomes],
    }


def _outcome_data(outcome: ExpectationOutcome, *, by_sign: bool) -> Json:
    found = outcome.found
    return {
        "candidate": outcome.expected.candidate,
        "against": outcome.expected.against,
        "expected": outcome.expected.verdict.value,
        "expected_sign": _wanted_sign(outcome) or "either",
        "found": found.kind.value if found else None,
        "difference": found.difference if found else None,
        "p": found.p if found else None,
        "agrees": sign_agreement(outcome) if by_sign else outcome.agrees,
        "sign_agrees": outcome.sign_agrees,
        "sentence": line_of(outcome, by_sign=by_sign)[4:],
    }
