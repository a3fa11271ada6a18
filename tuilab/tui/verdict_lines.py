"""The verdict as lines: question, answer, every pair with its interval, what it does not show, how it was run."""

from collections.abc import Iterator, Mapping, Sequence

from tuilab.analysis.efficiency import EfficiencyRow
from tuilab.analysis.expectations import ExpectationOutcome, check_expectations
from tuilab.analysis.report import ReportInput, efficiency_rows, scaling_texts
from tuilab.analysis.report_blocks import Bullets
from tuilab.analysis.report_protocol import protocol_blocks
from tuilab.analysis.result import PairVerdict
from tuilab.analysis.wording import number, p_text, paragraphs, with_interval
from tuilab.spec.comparison import VerdictKind
from tuilab.spec.notation import format_stack
from tuilab.tui.lines import Line, Span, cell_width, clip, hue, left, letter, right, spread, wrap
from tuilab.tui.numbers import exact

KIND_MARKS = {
    VerdictKind.BETTER: ("✓", "good"),
    VerdictKind.WORSE: ("✗", "error"),
    VerdictKind.EQUIVALENT: ("≈", "accent"),
    VerdictKind.CANNOT_TELL: ("?", "warn"),
}
"""Glyph and role of each verdict."""
_AGREEMENT = {True: ("✓", "good"), False: ("✗", "error"), None: ("?", "warn")}
_LEAST_FOREST, _MOST_FOREST = 15, 41
"""Cells of the axis on which differences lie."""
_HEAD = 20
"""Cells of a pair's letters and its verdict."""


def answer_lines(report: ReportInput, width: int) -> tuple[Line, ...]:
    """The question and its answer, for so many cells."""
    comparison, result = report.comparison, report.result
    return _sections(
        ("Question", wrap(comparison.question, width)),
        ("Hypothesis", wrap(comparison.hypothesis, width)),
        ("Answer" if result.complete else "Answer so far", _answer(report, width)),
        ("Every pair", _pairs(report, width)),
        ("Further pairs", _further(report, width)),
        ("Scaling", scaling_lines(report, efficiency_rows(report), width)),
        ("What the author expected", _expected(report, width)),
        ("What this does not show", [line for one in result.caveats for line in _item("·", "warn", one, width)]),
    )


def background_lines(report: ReportInput, width: int) -> tuple[Line, ...]:
    """How the answer was found, and the theory, for so many cells."""
    return _sections(
        ("What was run", _protocol(report, width)),
        ("About the question", wrap("\n\n".join(paragraphs(report.comparison.about)), width)),
    )


def _sections(*sections: tuple[str, Sequence[Line]]) -> tuple[Line, ...]:
    lines: list[Line] = []
    for title, body in sections:
        if body:
            lines += [(Span(title, "strong accent"),), *body, ()]
    return tuple(lines[:-1])


def kind_words(pair: PairVerdict) -> str:
    """The verdict in words; a difference inside the margin is called what it is."""
    return "negligible" if pair.negligible else pair.kind.value


def _item(mark: str, role: str, text: str, width: int, body: str = "") -> Iterator[Line]:
    """A mark, and the text beside it."""
    for index, line in enumerate(wrap(text, width - 2, body)):
        yield Span(f"{mark} " if index == 0 else "  ", role), *line


def _answer(report: ReportInput, width: int) -> list[Line]:
    result = report.result
    if not result.pairs:
        return wrap(result.verdict, width, "strong")
    mark, role = KIND_MARKS[result.pairs[0].kind]
    return list(_item(mark, f"{role} strong", result.verdict, width, "strong"))


def _further(report: ReportInput, width: int) -> list[Line]:
    lines: list[Line] = []
    for pair, sentence in zip(report.result.pairs[1:], report.result.comparisons, strict=False):
        lines += _item(*KIND_MARKS[pair.kind], sentence, width)
    return lines


def scaling_lines(report: ReportInput, rows: Sequence[EfficiencyRow], width: int) -> list[Line]:
    """What the candidates that differ in width only say together, for so many cells; empty without such a family."""
    lines: list[Line] = []
    for sentence in scaling_texts(report, rows):
        lines += _item("·", "dim", sentence, width)
    return lines


def _expected(report: ReportInput, width: int) -> list[Line]:
    lines: list[Line] = []
    for outcome in check_expectations(report.comparison, report.result):
        text = _outcome_text(outcome, "nothing" if report.result.complete else "nothing yet")
        lines += _item(*_AGREEMENT[outcome.agrees], text, width)
    return lines


def _outcome_text(outcome: ExpectationOutcome, nothing: str) -> str:
    expected = outcome.expected
    found = outcome.found.kind.value if outcome.found else nothing
    return f"{expected.candidate} against {expected.against}: expected {expected.verdict.value}, found {found}"


# Every pair on one axis ---------------------------------------------------------------------------------------------


def _pairs(report: ReportInput, width: int) -> list[Line]:
    """Each pair's difference with its interval on an axis that all share, zero marked."""
    pairs = [pair for pair in report.result.pairs if pair.difference is not None]
    if not pairs:
        return []
    names = {candidate.name: index for index, candidate in enumerate(report.comparison.candidates)}
    numbers = [_numbers(pair) for pair in pairs]
    chances = ["" if pair.p is None else p_text(pair.p) for pair in pairs]
    free = width - _HEAD - max(map(len, numbers))
    with_chances = free >= _LEAST_FOREST + 4 + max(map(len, chances))
    room = min(free - 2 - (2 + max(map(len, chances)) if with_chances else 0), _MOST_FOREST)
    ends = [end for pair in pairs for end in (pair.difference or 0.0, *(pair.interval or ()))]
    low, high = min(0.0, *ends), max(0.0, *ends)
    lines: list[Line] = []
    for pair, told, chance in zip(pairs, numbers, chances, strict=True):
        role = KIND_MARKS[pair.kind][1]
        picture = (Span(forest(pair, low, high, room), role), Span("  ")) if room >= _LEAST_FOREST else ()
        tail = Span(f"  {chance}", "dim") if with_chances else Span("")
        lines.append((*_head(pair, names), *picture, Span(left(told, max(map(len, numbers)))), tail))
    legend = "difference of the means, 95 % interval; left of │ is lower: better"
    return [*lines, *wrap(legend, width, "dim")]


def _head(pair: PairVerdict, names: Mapping[str, int]) -> Line:
    """Which pair, and the verdict in words."""
    one, other = names[pair.candidate], names[pair.against]
    mark, role = KIND_MARKS[pair.kind]
    return (
        Span(letter(one), f"{hue(one)} strong"),
        Span("−", "dim"),
        Span(left(letter(other), 4), f"{hue(other)} strong"),
        Span(left(f"{mark} {kind_words(pair)}", _HEAD - 6), role),
    )


def forest(pair: PairVerdict, low: float, high: float, width: int) -> str:
    """The pair's difference ``●`` and interval ``─`` on an axis from ``low`` to ``high``, with ``│`` at zero."""
    span = (high - low) or 1.0

    def column(value: float) -> int:
        return min(width - 1, max(0, round((value - low) / span * (width - 1))))

    cells = [" "] * width
    if pair.interval is not None:
        first, last = map(column, pair.interval)
        cells[first : last + 1] = "─" * (last + 1 - first)
    cells[column(0.0)] = "│"
    if pair.difference is not None:
        cells[column(pair.difference)] = "●"
    return "".join(cells)


def _numbers(pair: PairVerdict) -> str:
    """``-0.065 [-0.11, -0.02]``, to the digits that the interval makes sense of."""
    if pair.difference is None:
        return ""
    if pair.interval is None:
        return f"{number(pair.difference)}"
    difference, low, high = with_interval(pair.difference, *pair.interval)
    return f"{difference} [{low}, {high}]"


# How it was run -----------------------------------------------------------------------------------------------------


def _protocol(report: ReportInput, width: int) -> list[Line]:
    lines = list(_candidates(report, width))
    for block in protocol_blocks(report.comparison, report.task_facts, report.candidates):
        if isinstance(block, Bullets):
            for item in block.items:
                lines += _item("·", "dim", item, width)
    where = report.environment.get("device", "")
    took = f", {report.seconds:,.0f} s" if report.seconds is not None else ""
    lines += _item(
        "·", "dim", f"Experiment {report.experiment}, {report.created}{took}{where and f', on {where}'}.", width
    )
    return lines


def _candidates(report: ReportInput, width: int) -> Iterator[Line]:
    names = max(cell_width(candidate.name) for candidate in report.comparison.candidates)
    for index, (candidate, facts) in enumerate(zip(report.comparison.candidates, report.candidates, strict=True)):
        params = f"{exact(facts.num_params)} params"
        stack = format_stack(candidate.stack) or "no hidden layer"
        room = max(8, width - 4 - min(names, 24) - 1 - len(params))
        first = (
            Span(f"{letter(index)} ", f"{hue(index)} strong"),
            Span(f"{left(candidate.name, min(names, 24))}  "),
            Span(clip(stack, room), "dim"),
        )
        yield spread(first, (Span(right(params, len(params))),), width)
