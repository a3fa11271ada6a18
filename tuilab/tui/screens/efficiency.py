"""Efficiency: what each candidate buys for its parameters, its compute and its time."""

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from tuilab.analysis.report import efficiency_rows, measured_families
from tuilab.analysis.report_charts import Chart, charts
from tuilab.tui.comparison_rows import table_title
from tuilab.tui.efficiency_table import EfficiencyTable, cost_lines
from tuilab.tui.lines import Span, Text
from tuilab.tui.remembered import TableSettings, load_table, save_table
from tuilab.tui.screens.evidence import EvidenceScreen
from tuilab.tui.verdict_lines import scaling_lines
from tuilab.tui.widgets.bars import KeyBar, TopBar
from tuilab.tui.widgets.line_view import LineView
from tuilab.tui.widgets.picture import Picture

if TYPE_CHECKING:
    from tuilab.analysis.efficiency import EfficiencyRow
    from tuilab.tui.canvas import Glyphs


class EfficiencyScreen(EvidenceScreen):
    """The table, the metric against a cost, every seed, and the comparison at equal compute and time."""

    CSS_PATH = "efficiency.tcss"
    PLACE = "efficiency"
    AUTO_FOCUS = "#efficiency"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,less_than_sign", "column(-1)", "Sort by", key_display="< >", id="efficiency.before",
                tooltip="Sort by the column to the left"),
        Binding("right,greater_than_sign,s", "column(1)", "Sort by", show=False, id="efficiency.after",
                tooltip="Sort by the column to the right"),
        Binding("r", "reverse", "Reverse", id="efficiency.reverse", tooltip="Turn the order round"),
        Binding("c", "cost", "Cost", id="efficiency.cost",
                tooltip="Picture the metric against the next cost"),
        Binding("x", "hide", "Hide", id="efficiency.hide", tooltip="Hide the chosen column"),
        Binding("a", "unhide", "All", id="efficiency.all", show=False, tooltip="Show every column again"),
        Binding("v,V", "verdict", "Verdict", key_display="v", id="efficiency.verdict", tooltip="Go to the verdict"),
        Binding("E", "close", "Back", show=False, id="efficiency.close", tooltip="Go back"),
    ]  # fmt: skip

    def __init__(self, experiment: str) -> None:
        """Make the screen for the experiment with this id."""
        super().__init__(experiment)
        self._settings = TableSettings()
        self._rows: tuple[EfficiencyRow, ...] = ()
        self._costs: tuple[Chart, ...] = ()
        self._cost = 0

    def compose(self) -> ComposeResult:
        glyphs: Glyphs = self.lab.glyphs
        yield TopBar()
        yield LineView(id="efficiency", classes="pane")
        with Horizontal(id="pictures"):
            yield Picture(id="costs", classes="pane", glyphs=glyphs)
            yield Picture(id="seeds", classes="pane", glyphs=glyphs)
        yield LineView(id="equal", classes="pane", cursor_on=False)
        yield KeyBar()

    def on_mount(self) -> None:
        self._settings = load_table(self.lab.home)
        self.watch(self.app, "glyphs", self._take_glyphs, init=False)
        super().on_mount()

    def _take_glyphs(self) -> None:
        for picture in self.query(Picture):
            picture.glyphs = self.lab.glyphs

    # What is shown

    def watch_report(self) -> None:
        if self.report is not None:
            self._rows = efficiency_rows(self.report)
            report, fitted = self.report, measured_families(self.report)
            found = charts(report.result.metric, self._rows, report.candidates, report.finals, fitted)
            self._costs = tuple(chart for chart in found if chart.kind == "points")
            strips = [chart for chart in found if chart.kind == "strip"]
            self.query_one("#seeds", Picture).chart = strips[0] if strips else None
        super().watch_report()

    @property
    def table(self) -> EfficiencyTable:
        """The table as it is sorted now."""
        metric = self.report.result.metric if self.report is not None else "error"
        settings = self._settings
        return EfficiencyTable(self._rows, metric, settings.sort, settings.reverse, settings.hidden)

    def show(self) -> None:
        """Hand table, pictures and lines down."""
        self.query_one("#pictures").visible = self.report is not None
        if self.report is None:
            self.query_one("#efficiency", LineView).rows = Text(((Span("reading ...", "dim"),),))
            return
        self._show_table()
        self._show_cost()
        equal = self.query_one("#equal", LineView)
        width = max(20, equal.content_size.width)
        costs, scaling = cost_lines(self.report, width), scaling_lines(self.report, self._rows, width)
        equal.display = bool(costs or scaling)
        equal.rows = Text((*costs, *scaling))
        equal.entitle("At equal compute and equal time, by validation metric" + (" · scaling" if scaling else ""))

    def _show_table(self) -> None:
        view = self.query_one("#efficiency", LineView)
        view.rows = self.table
        assert self.report is not None
        view.entitle(table_title("Efficiency", self.report.comparison, view.size.width - 4), self._about())

    def _about(self) -> str:
        """What the chosen column means."""
        chosen = self.table.chosen
        return chosen.about.rstrip(".") if chosen is not None else "< > chooses the column to sort by"

    def _show_cost(self) -> None:
        if self._costs:
            self.query_one("#costs", Picture).chart = self._costs[self._cost % len(self._costs)]

    # Actions

    def _remember(self, settings: TableSettings) -> None:
        self._settings = settings
        save_table(self.lab.home, settings)
        self._show_table()

    def action_column(self, step: int) -> None:
        """Sort by the column beside the one that the table is sorted by."""
        self._remember(replace(self._settings, sort=self.table.key_beside(step)))

    def action_reverse(self) -> None:
        """Turn the order round."""
        self._remember(replace(self._settings, reverse=not self._settings.reverse))

    def action_hide(self) -> None:
        """Hide the chosen column; the next one takes its place."""
        table = self.table
        if table.chosen is None or len(table.columns) < 2:
            self.notify("choose a column first, with < and >", timeout=2)
            return
        hidden = (*self._settings.hidden, table.chosen.key)
        self._remember(replace(self._settings, sort=table.key_beside(1), hidden=hidden))

    def action_unhide(self) -> None:
        """Show every column again."""
        self._remember(replace(self._settings, hidden=()))

    def action_cost(self) -> None:
        """Picture the metric against the next cost."""
        self._cost += 1
        self._show_cost()

    def action_verdict(self) -> None:
        """Go on to the verdict."""
        from tuilab.tui.screens.verdict import VerdictScreen

        self.app.switch_screen(VerdictScreen(self.experiment))
