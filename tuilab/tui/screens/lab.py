"""The lab: building at the left, watching at the right, one screen."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.events import DescendantFocus
from textual.reactive import reactive

from tuilab.analysis.plan_cost import batch_size
from tuilab.spec.errors import LabError, ShapeError
from tuilab.store.records import ExperimentRecord
from tuilab.tui.bench import Bench, select
from tuilab.tui.bench_budget import known_reference
from tuilab.tui.bench_curves import beside_bench
from tuilab.tui.beside_rows import COLUMN, BesideRows
from tuilab.tui.budget_rows import budget_pane
from tuilab.tui.charts import loss_chart, metric_chart
from tuilab.tui.comparison_rows import ComparisonRows, Entry, table_title
from tuilab.tui.facts_lines import fact_lines, insight_lines, marked_lines, warning_lines
from tuilab.tui.library_rows import message_lines
from tuilab.tui.lines import Span, Text
from tuilab.tui.live import LiveState, empty
from tuilab.tui.numbers import exact
from tuilab.tui.plot import ChartData
from tuilab.tui.screens.lab_budget import LabBudget
from tuilab.tui.screens.lab_files import LabFiles
from tuilab.tui.screens.lab_fit import LabFit
from tuilab.tui.screens.lab_insight import LabInsight
from tuilab.tui.screens.lab_keys import LAB_KEYS
from tuilab.tui.screens.lab_rows import LabRows
from tuilab.tui.screens.lab_running import LabRunning
from tuilab.tui.screens.lab_start import LabStart, StartView
from tuilab.tui.stack_rows import StackRows, tabs_title
from tuilab.tui.status_line import status_line
from tuilab.tui.widgets.bars import KeyBar, TopBar
from tuilab.tui.widgets.chart import Chart
from tuilab.tui.widgets.line_view import LineView
from tuilab.tui.widgets.machine_strip import MachineStrip
from tuilab.tui.widgets.stack_view import StackView

PANES = ("stack", "budget", "loss", "metric", "table", "insight")
"""Panes in the order of their number keys."""


class PaneChart(Chart, can_focus=True):
    """A chart that can have the focus, so that it can be zoomed."""

    DEFAULT_CSS = """
    PaneChart:focus { border: round $primary; border-title-color: $primary; }
    PaneChart.-ascii:focus { border: solid $primary; }
    """


class LabScreen(LabRows, LabBudget, LabInsight, LabFit, LabFiles, LabRunning, LabStart):
    """One main screen that joins building and watching; every pane zooms to full."""

    CSS_PATH = "lab.tcss"
    AUTO_FOCUS = "#stack"
    BINDINGS: ClassVar[list[BindingType]] = LAB_KEYS

    zoomed: reactive[str] = reactive("", init=False, repaint=False)
    """Id of the pane that has the whole screen; empty when all share it."""

    def __init__(self, bench: Bench, experiment: ExperimentRecord | None = None, *, run: bool = False) -> None:
        """Make the screen.

        Args:
            bench: what is built.
            experiment: what is watched; None before the first run.
            run: whether to run the bench at once.

        """
        super().__init__()
        self.set_reactive(LabScreen.bench, bench)
        self.set_reactive(LabScreen.live, empty(experiment) if experiment is not None else None)
        self._run_at_once = run

    def compose(self) -> ComposeResult:
        yield TopBar()
        yield LineView(id="tabs", cursor_on=False)
        with Horizontal(id="body"):
            with Vertical(id="left", classes="column"):
                yield StackView(id="stack", classes="pane")
                yield LineView(id="budget", classes="pane")
                yield LineView(id="insight", classes="pane", cursor_on=False)
            with Vertical(id="right", classes="column"):
                with Horizontal(id="charts"):
                    yield StartView(id="start", classes="pane", cursor_on=False)
                    yield PaneChart(id="loss", classes="pane", glyphs=self.lab.glyphs)
                    yield PaneChart(id="metric", classes="pane", glyphs=self.lab.glyphs)
                yield LineView(id="table", classes="pane")
        warning = LineView(id="warning", cursor_on=False)
        warning.can_focus = False
        yield warning
        yield MachineStrip()
        yield KeyBar()
        notice = LineView(id="notice", cursor_on=False)
        notice.can_focus = False
        notice.rows = Text(((Span("too small: tuilab needs 40x10"),),))
        yield notice

    def on_mount(self) -> None:
        self.query_one("#tabs").can_focus = False
        self.set_class(self.lab.glyphs == "ascii", "-ascii")
        self.watch(self.app, "glyphs", self._take_glyphs, init=False)
        self.show_bench()
        self.show_live()
        self.start_watching()
        if self.live is None:
            self.run_worker(self.learn_rates(), group="rates", exclusive=True)
        if self._run_at_once:
            self.action_run()

    def _take_glyphs(self) -> None:
        for chart in self.query(Chart):
            chart.glyphs = self.lab.glyphs
        self.show_bench()
        self._show_charts()

    # What is shown

    def watch_bench(self, old: Bench | None, new: Bench | None) -> None:
        before = self._placed
        self.show_bench()
        if self.live is not None and (before is None or self.places != before[2]):
            self._show_charts()

    def watch_preview(self) -> None:
        self.show_bench()

    def watch_live(self, old: LiveState | None, new: LiveState | None) -> None:
        self.show_live()
        before, after = (state and state.experiment.status for state in (old, new))
        if before is not after:
            self.refresh_bindings()

    def watch_log_y(self) -> None:
        self._show_charts()

    def show_bench(self) -> None:
        """Hand the bench down to the panes that show it."""
        bench = self.shown
        counts = bench.counts
        count = counts[bench.selected]
        stack = self.query_one("#stack", LineView)
        stack.set_class(isinstance(count, LabError), "-wrong")
        if self.beside:
            every = tuple(self._stack_rows(bench, at) for at in range(len(counts)))
            names = tuple(candidate.name for candidate in bench.comparison.candidates)
            stack.rows = BesideRows(every, names, bench.selected)
        else:
            stack.rows = self._stack_rows(bench, bench.selected)
        self._entitle_stack()
        self._show_budget(bench)
        self._show_insight()
        self._show_table()
        self._show_top()
        self.show_start()

    def _entitle_stack(self) -> None:
        """The candidates as tabs, or where all stand beside each other what the columns are."""
        stack, bench = self.query_one("#stack", LineView), self.shown
        count = bench.counts[bench.selected]
        total = "does not fit" if isinstance(count, LabError) else f"{exact(count.num_params)} params"
        if isinstance(stack.rows, BesideRows):
            detailed = stack.rows.detailed(self.size.width - 2)
            stack.entitle(f"Stacks · {'out, params, MACs, outputs' if detailed else 'out, params'}", total)
            return
        names = tuple(candidate.name for candidate in bench.comparison.candidates)
        stack.entitle(tabs_title(names, bench.selected, stack.size.width - 6), total)

    @property
    def beside(self) -> bool:
        """Whether all stacks are shown side by side."""
        return self.zoomed == "stack" and self.size.width >= 2 * COLUMN + 4

    def _stack_rows(self, bench: Bench, at: int) -> StackRows:
        """The rows of the candidate at ``at``; one that cannot be built has them as far as its layers fit."""
        candidate = bench.comparison.candidates[at]
        count, layers = bench.count(candidate), bench.rows(candidate)
        implied = bool(layers) and layers[-1].path == (len(candidate.stack),)
        marks = frozenset(path for insight in self.insights(select(bench, at)) for path in insight.paths)
        num_params = None if isinstance(count, LabError) else count.num_params
        if isinstance(count, ShapeError):
            marks = frozenset((count.path,))
        cursor = self.stack_view.cursor
        marking = self.mark is not None and at == bench.selected
        marked = (min(self.mark or 0, cursor), max(self.mark or 0, cursor)) if marking else None
        batch = batch_size(bench.comparison.training_of(candidate), bench.facts)
        in_shape, detailed = bench.facts.in_shape, self.zoomed == "stack"
        return StackRows(layers, num_params, in_shape, at, implied, marks, marked, batch, detailed)

    def _show_budget(self, bench: Bench) -> None:
        budget = self.query_one("#budget", LineView)
        budget.rows, title = budget_pane(bench, budget.size.width - 6)
        budget.entitle(title, "kept" if bench.held else "")
        budget.cursor = bench.selected

    def _show_insight(self) -> None:
        view = self.query_one("#insight", LineView)
        bench = self.shown
        view.entitle("Insight")
        width = max(20, view.size.width)
        facts = fact_lines(bench.selected, bench.counts[bench.selected], width)
        insights = self.insights(bench)
        early = message_lines(self.live.experiment, width) if self.live is not None else ()
        short = None if self.running else self.shortage(bench)
        view.rows = Text((*early, *marked_lines(short, width), *insight_lines(insights, width), *facts))
        count = bench.counts[bench.selected]
        wrong = str(count) if isinstance(count, LabError) else None
        self.set_class(bool(insights or short or wrong), "-warned")
        whole = max(20, self.size.width - 2)
        why = tuple(marked_lines(wrong, whole, "error")) or tuple(marked_lines(short, whole))
        warning = why or warning_lines(insights, whole)
        self.query_one("#warning", LineView).rows = Text(warning)

    def _show_table(self) -> None:
        bench, live = self.shown, self.live
        known = live.experiment.comparison.candidates if live is not None else ()
        entries = []
        for candidate, count in zip(bench.comparison.candidates, bench.counts, strict=True):
            at = known.index(candidate) if candidate in known else None
            result = live.experiment.result if live is not None else None
            entries.append(
                Entry(
                    candidate,
                    count,
                    None if isinstance(count, LabError) else bench.network(candidate),
                    batch_size(bench.comparison.training_of(candidate), bench.facts),
                    result.candidates[at] if result is not None and at is not None else None,
                    live.candidates[at] if live is not None and at is not None else None,
                )
            )
        table = self.query_one("#table", LineView)
        zoomed = self.zoomed == "table"
        table.rows = ComparisonRows(tuple(entries), known_reference(bench), bench.facts.metric, zoomed)
        table.set_class(self._ended_early, "-wrong")
        table.entitle(table_title("Comparison", bench.comparison, table.size.width - 4), self._verdict())
        table.cursor = bench.selected

    def _verdict(self) -> str:
        """What the runner has to say, else what has been found so far, with the key that shows more."""
        if self.live is None:
            return ""
        record = self.live.experiment
        if record.message and (self._ended_early or not record.status.ended):
            return f"{record.status.value}: {record.message}"
        return f"V: {record.result.verdict}" if record.result is not None and record.result.verdict else ""

    @property
    def _ended_early(self) -> bool:
        return self.unfinished and self.live is not None and bool(self.live.experiment.message)

    @property
    def foremost(self) -> tuple[str, ...]:
        """Actions that the footer shows before the others."""
        result = self.live.experiment.result if self.live is not None else None
        return ("resume",) if self.resumable else ("verdict",) if result is not None and result.verdict else ()

    def show_live(self) -> None:
        """Hand the experiment down to the panes that show it."""
        self._show_charts()
        self._show_table()
        self._show_top()
        self._report_to_strip()

    def _show_charts(self) -> None:
        self.set_class(self.live is None, "-fresh")
        if self.live is None:
            self.show_start()
            steps = float(self.shown.comparison.training.steps)
            self.query_one("#loss", Chart).data = ChartData("Eval loss", (), steps, self.log_y)
            self.query_one("#metric", Chart).data = ChartData(f"Eval {self.shown.facts.metric}", (), steps)
            return
        for name, data in (("loss", loss_chart(self.live, log_y=self.log_y)), ("metric", metric_chart(self.live))):
            self.query_one(f"#{name}", Chart).data = beside_bench(data, self.places)

    def _show_top(self) -> None:
        self.query_one(TopBar).content = status_line(self.shown, self.live, max(20, self.size.width - 2))

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_sized)

    def _show_sized(self) -> None:
        if self.focused is None and self.query_one(f"#{self.pane}").display:
            self.query_one(f"#{self.pane}").focus()
        self._entitle_stack()
        self._show_budget(self.shown)
        self._show_insight()
        self._show_charts()
        self._show_table()
        self._show_top()
        self._show_tabs()

    # Panes

    def watch_zoomed(self) -> None:
        self.show_bench()
        self._arrange()

    def _arrange(self) -> None:
        """Show all panes, or one."""
        alone = self.zoomed or (self.pane if self.small else "")
        self.set_class(bool(alone), "-alone")
        for name in PANES:
            pane = self.query_one(f"#{name}")
            pane.set_class(name == alone, "-shown")
        around = self.query_one(f"#{alone}").ancestors if alone else []
        for container in self.query("#left, #right, #charts"):
            container.set_class(container in around, "-shown")
        self.call_after_refresh(self._show_sized)

    def _show_tabs(self) -> None:
        if self.small != self.has_class("-alone") and not self.zoomed:
            self._arrange()
        spans: list[Span] = []
        room = self.size.width >= sum(len(name) + 4 for name in PANES)
        for number, name in enumerate(PANES, start=1):
            here = name == self.pane
            shown = f" {name} " if room or here else " "
            spans += [Span(f" {number}", "key"), Span(shown, "strong accent" if here else "dim")]
        self.query_one("#tabs", LineView).rows = Text((tuple(spans),))

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        if event.widget.id in PANES:
            self.pane = event.widget.id
            if self.asking:
                self.query("Prompt Entry").focus()

    def watch_pane(self) -> None:
        if self.zoomed:
            self.zoomed = self.pane
        elif self.small:
            self._arrange()

    def action_pane(self, number: int) -> None:
        """Go to a pane by its number."""
        self._go(PANES[number])

    def action_next_pane(self, step: int) -> None:
        """Go to the next or previous pane: of those on screen, or of all where one has the screen."""
        alone = self.has_class("-alone")
        names = [name for name in PANES if alone or self.query_one(f"#{name}").display]
        self._go(names[(names.index(self.pane) + step) % len(names)] if self.pane in names else names[0])

    def _go(self, name: str) -> None:
        """Show a pane, alone where there is no room for it beside the others, and give it the focus."""
        pane = self.query_one(f"#{name}")
        if not pane.display and not self.small:
            self.zoomed = name
        self.pane = name
        self.set_focus(pane)
        self.call_after_refresh(pane.focus)

    def action_zoom(self) -> None:
        """Give the whole screen to the pane with the focus, or back to all."""
        self.zoomed = "" if self.zoomed else self.pane

    def action_log(self) -> None:
        """Switch the y axis of the loss between logarithmic and linear."""
        self.log_y = not self.log_y

    def action_back(self) -> None:
        """Forget the mark, leave the zoom, or go back to the library."""
        if self.mark is not None:
            self.action_row_mark()
        elif self.zoomed:
            self.zoomed = ""
        else:
            self.put_away()
            self.dismiss()

    def on_line_view_moved(self, message: LineView.Moved) -> None:
        """Moving in the table or the budget selects a candidate; moving while marking marks."""
        if message.view.id == "stack" and self.mark is not None:
            self.show_bench()
        if message.view.id in ("table", "budget") and message.view.has_focus:
            self.choose(message.cursor)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a line of text is open, its keys are the only ones."""
        if self.asking:
            return False
        if action in ("pause", "stop"):
            return self.running
        if action == "resume":
            return self.resumable
        return super().check_action(action, parameters)
