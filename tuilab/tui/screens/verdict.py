"""The verdict: what was asked, what the answer is, what it does not show, how it was found."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from tuilab.tui.lines import Span, Text
from tuilab.tui.screens.evidence import EvidenceScreen
from tuilab.tui.verdict_lines import answer_lines, background_lines
from tuilab.tui.widgets.bars import KeyBar, TopBar
from tuilab.tui.widgets.line_view import LineView

WIDE = 120
"""Cells from which the background stands beside the answer."""


class VerdictScreen(EvidenceScreen):
    """The answer at the left, what it rests on at the right; one below the other where there is little room."""

    CSS_PATH = "verdict.tcss"
    PLACE = "verdict"
    AUTO_FOCUS = "#answer"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("E", "efficiency", "Efficiency", id="verdict.efficiency",
                tooltip="What each candidate buys for its parameters, compute and time"),
        Binding("v,V", "close", "Back", show=False, id="verdict.close", tooltip="Go back"),
        Binding("tab", "app.focus_next", "Other side", show=False, id="verdict.next", tooltip="Go to the other side"),
    ]  # fmt: skip

    def compose(self) -> ComposeResult:
        yield TopBar()
        with Horizontal(id="sides"):
            yield LineView(id="answer", classes="pane", cursor_on=False)
            yield LineView(id="background", classes="pane", cursor_on=False)
        yield KeyBar()

    def show(self) -> None:
        """Write the lines for the room there is."""
        answer, background = self.query_one("#answer", LineView), self.query_one("#background", LineView)
        wide = self.size.width >= WIDE
        background.display = wide
        report = self.report
        if report is None:
            answer.rows = Text(((Span("reading ...", "dim"),),))
            return
        width = max(20, answer.content_size.width)
        if wide:
            answer.rows = Text(answer_lines(report, width))
            background.rows = Text(background_lines(report, max(20, background.content_size.width)))
        else:
            answer.rows = Text((*answer_lines(report, width), (), *background_lines(report, width)))
        for view, title in ((answer, report.comparison.title), (background, "What it rests on")):
            view.entitle(title, "↑↓ scroll" if len(view.rows) > view.page_size else "")

    def action_efficiency(self) -> None:
        """Go on to the efficiency table."""
        from tuilab.tui.screens.efficiency import EfficiencyScreen

        self.app.switch_screen(EfficiencyScreen(self.experiment))
