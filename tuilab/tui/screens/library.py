"""The library: presets by question, and below them what has been run."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.events import DescendantFocus
from textual.reactive import reactive
from textual.screen import Screen

from tuilab.tui.library_rows import WELCOME, ExperimentRows, PresetRows, details, message_lines, takes
from tuilab.tui.lines import Line, Span, Text
from tuilab.tui.pace import Pace
from tuilab.tui.widgets.bars import KeyBar, TopBar
from tuilab.tui.widgets.line_view import LineView
from tuilab.tui.widgets.machine_strip import MachineStrip

if TYPE_CHECKING:
    from tuilab.spec.comparison import Comparison
    from tuilab.spec.errors import LabError
    from tuilab.store.records import ExperimentRecord
    from tuilab.store.schema import StoreError
    from tuilab.tui.app import LabApp
    from tuilab.tui.catalog import Preset
    from tuilab.tui.widgets.prompt import Prompt

_POLL = 0.5
"""Seconds between looks at the store while the library is on screen and something runs."""


class LibraryScreen(Screen[None]):
    """Two lists in one focus chain; enter opens, r runs."""

    CSS_PATH = "library.tcss"
    AUTO_FOCUS = "#presets"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", id="library.open", tooltip="Open the selected preset or experiment"),
        Binding("r", "run", "Run", id="library.run", tooltip="Run the selected preset or experiment anew"),
        Binding("R", "resume", "Resume", id="library.resume", show=False,
                tooltip="Go on with an experiment that is paused, stopped, lost or failed"),
        Binding("n", "new", "New", id="library.new", tooltip="Build a comparison from an empty bench"),
        Binding("O", "output", "Log", id="library.output", show=False, tooltip="The log of the selected experiment"),
        Binding("slash", "filter", "Filter", id="library.filter", tooltip="Show only what contains a text"),
        Binding("d,delete", "delete", "Delete", id="library.delete", tooltip="Delete the selected experiment"),
        Binding("tab", "app.focus_next", "Next pane", show=False, id="library.next", tooltip="Go to the next pane"),
        Binding("escape", "clear", "Show all", show=False, id="library.clear", tooltip="Show everything again"),
        Binding("q", "app.leave", "Quit", id="library.quit", tooltip="Leave tuilab; what trains goes on training"),
    ]  # fmt: skip

    presets: reactive[tuple["Preset", ...]] = reactive[tuple["Preset", ...]]((), init=False, repaint=False)
    experiments: reactive[tuple["ExperimentRecord", ...]] = reactive[tuple["ExperimentRecord", ...]](
        (), init=False, repaint=False, always_update=True
    )
    pattern: reactive[str] = reactive("", init=False, repaint=False)

    def __init__(self) -> None:
        super().__init__()
        self._version: int | None = None
        self._list = "presets"
        self._pace = Pace()
        self._told: set[str] = set()
        self._trouble = ""

    @property
    def lab(self) -> "LabApp":
        """The application."""
        return cast("LabApp", self.app)

    def compose(self) -> ComposeResult:
        yield TopBar()
        with Container(id="lists"):
            presets = LineView(id="presets", classes="pane")
            presets.entitle("Questions")
            yield presets
            details_view = LineView(id="details", classes="pane", cursor_on=False)
            yield details_view
            past = LineView(id="past", classes="pane")
            past.entitle("Past experiments")
            yield past
        yield MachineStrip()
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(TopBar).content = (Span("tuilab", "strong accent"), Span("  library", "dim")), ()
        self.query_one("#presets", LineView).rows = Text(((Span(" reading the presets ...", "dim"),),))
        self.set_class(self.lab.glyphs == "ascii", "-ascii")
        self.watch(self.app, "presets", self._take_presets)
        self._clock = self.set_interval(_POLL, self._poll)

    def _take_presets(self, presets: tuple["Preset", ...]) -> None:
        if presets:
            self.presets = presets
            self._poll()

    def on_screen_resume(self) -> None:
        self._version = None
        self._poll()

    def _poll(self) -> None:
        """Look whether the store has changed; idle it costs one query and no painting."""
        if self.app.screen is not self or not self.presets:
            return
        from tuilab.spec.errors import LabError

        try:
            version = self.lab.reader.version()
            if version != self._version:
                unread: list[StoreError] = []
                self.experiments = tuple(self.lab.reader.experiments(unread))
                self._version = version
                self._say_what_is_unread(dict.fromkeys(map(str, unread)))
                if all(record.status.ended for record in self.experiments):
                    self.lab.warm_up()
        except LabError as error:
            self._say_that_the_store_is_unread(error)
        else:
            self._trouble = ""

    def _say_that_the_store_is_unread(self, error: "LabError") -> None:
        """Tell once; look again where it may pass, as when the store is locked, and keep the list until then."""
        self._version = None
        if str(error) != self._trouble:
            self._trouble = str(error)
            self.notify(str(error), severity="error", title="The store cannot be read", timeout=10)
        if not getattr(error, "passing", False):
            self._clock.pause()
            self.query_one("#past", LineView).rows = Text(((Span(f" {error}", "error"),),))

    def _say_what_is_unread(self, sentences: Iterable[str]) -> None:
        """Tell once why experiments are not among those shown."""
        for sentence in sentences:
            if sentence not in self._told:
                self._told.add(sentence)
                self.notify(sentence, severity="warning", title="Not shown", timeout=10)

    # What is shown

    def watch_presets(self) -> None:
        self._show_presets()

    def watch_experiments(self) -> None:
        self._show_experiments()
        self._pace = self._pace.after(self.experiments, time.monotonic())
        self.query_one(MachineStrip).report(busy=self._pace.trains, steps_per_second=self._pace.steps_per_second)

    def watch_pattern(self) -> None:
        self._show_presets()
        self._show_experiments()

    def _show_presets(self) -> None:
        found = tuple(preset for preset in self.presets if self._matches(preset.name, preset.comparison))
        view = self.query_one("#presets", LineView)
        view.rows = PresetRows(found)
        self._show_details()

    def _show_experiments(self) -> None:
        found = tuple(record for record in self.experiments if self._matches(record.id, record.comparison))
        view = self.query_one("#past", LineView)
        view.cursor_on = bool(self.experiments)
        view.rows = ExperimentRows(found, time.time()) if self.experiments else Text(WELCOME)
        self._show_details()

    def _matches(self, name: str, comparison: "Comparison") -> bool:
        text = f"{name} {comparison.title} {comparison.question} {comparison.task.kind}".casefold()
        return all(word in text for word in self.pattern.casefold().split())

    def _show_places(self) -> None:
        """Say in each list's border what it is filtered by and which of how many rows is selected."""
        for name, title in (("presets", "Questions"), ("past", "Past experiments")):
            view = self.query_one(f"#{name}", LineView)
            listed = isinstance(view.rows, PresetRows | ExperimentRows) and len(view.rows)
            place = f"{view.cursor + 1} of {len(view.rows)}" if listed else ""
            view.entitle(title, "  ".join(filter(None, (f"/{self.pattern}" if self.pattern else "", place))))

    def _show_details(self) -> None:
        self._show_places()
        view = self.query_one("#details", LineView)
        width, height = max(20, view.size.width), view.size.height
        lines: tuple[Line, ...] = ()
        title = ""
        preset, record = self.selected_preset, self.selected_experiment
        if record is not None:
            params = [candidate.num_params for candidate in record.result.candidates] if record.result else []
            lines = (*message_lines(record, width), *details(record.comparison, params, width, height))
            title = record.id
        elif preset is not None:
            lasts = takes(preset.seconds, measured=preset.measured)
            lines = details(preset.comparison, preset.num_params, width, height, lasts)
            title = preset.name
        view.entitle(title)
        view.rows = Text(lines)

    @property
    def selected_preset(self) -> "Preset | None":
        """The preset under the cursor of the upper list, while that list has the focus."""
        view = self.query_one("#presets", LineView)
        rows = view.rows
        in_past = self.focused is not None and self.focused.id == "past" and self.experiments
        return rows.presets[view.cursor] if isinstance(rows, PresetRows) and len(rows) and not in_past else None

    @property
    def selected_experiment(self) -> "ExperimentRecord | None":
        """The experiment under the cursor of the lower list, while that list has the focus."""
        view = self.query_one("#past", LineView)
        rows = view.rows
        in_past = self.focused is not None and self.focused.id == "past"
        return rows.experiments[view.cursor] if isinstance(rows, ExperimentRows) and len(rows) and in_past else None

    # What the person does

    def on_line_view_moved(self, message: LineView.Moved) -> None:
        self._show_details()

    def on_line_view_past_end(self, message: LineView.PastEnd) -> None:
        """Two lists feel like one: moving past the end of a list enters the other."""
        if message.view.id == "presets" and message.direction > 0 and self.experiments:
            self.set_focus(self.query_one("#past"))
        elif message.view.id == "past" and message.direction < 0:
            self.set_focus(self.query_one("#presets"))

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        if event.widget.id in ("presets", "past"):
            self._list = event.widget.id
        if self.presets:
            self._show_details()

    def on_resize(self) -> None:
        if self.presets:
            self.call_after_refresh(self._show_details)

    def action_open(self) -> None:
        """Open what is selected."""
        self._open(run=False)

    def action_run(self) -> None:
        """Run what is selected, as a new experiment."""
        self._open(run=True)

    def _open(self, *, run: bool) -> None:
        record, preset = self.selected_experiment, self.selected_preset
        if record is not None and run:
            self.lab.open_comparison(record.comparison, record.source, run=True)
        elif record is not None:
            self.lab.open_experiment(record.id)
        elif preset is not None:
            self.lab.open_comparison(preset.comparison, preset.name, run=run)

    def action_new(self) -> None:
        """Open an empty bench: a task, one linear candidate, nothing else."""
        from tuilab.spec.comparison import Candidate, Comparison
        from tuilab.spec.task import Spirals

        empty = Comparison(title="New comparison", task=Spirals(), candidates=(Candidate(name="linear"),))
        self.lab.open_comparison(empty, "")

    def action_resume(self) -> None:
        """Go on with the selected experiment, if it is held or ended before its time."""
        from tuilab.runner.client import resume
        from tuilab.spec.errors import LabError

        record = self.selected_experiment
        if record is None:
            self.notify("choose one of the past experiments first; r runs a preset", timeout=3)
        elif not record.status.resumable:
            finished = "it has finished; open it, and N lets it go on with more seeds"
            self.notify(finished if record.status.ended else f"it is {record.status.value} already", timeout=3)
        else:
            try:
                resume(self.lab.home, record.id)
            except LabError as error:
                self.notify(str(error), severity="error")
            else:
                self.notify("going on; enter shows it", timeout=2)
            self._version = None
            self._poll()

    def action_output(self) -> None:
        """Show the log of the selected experiment."""
        from tuilab.tui.screens.log import show_log

        if self.selected_experiment is None:
            self.notify("choose one of the past experiments first; its log is what it said", timeout=3)
        else:
            show_log(self.lab, self.selected_experiment)

    def action_delete(self) -> None:
        """Ask, then delete the selected experiment with all its runs."""
        record = self.selected_experiment
        if record is None:
            self.notify("choose one of the past experiments first; presets stay", timeout=3)
            return
        if not record.status.ended:
            self.notify("it is still running; open it and stop it first", severity="warning")
            return
        from tuilab.tui.screens.question import Choice, QuestionScreen

        def answer(choice: str | None) -> None:
            if choice == "delete":
                self._delete(record.id)

        ask = f"Delete the experiment “{record.comparison.title}” with all its runs?"
        self.app.push_screen(
            QuestionScreen(ask, (Choice("cancel", "keep it", "c"), Choice("delete", "delete", "d"))), answer
        )

    def _delete(self, experiment_id: str) -> None:
        from tuilab.spec.errors import LabError
        from tuilab.store.writer import Writer

        try:
            writer = Writer(self.lab.home)
            writer.delete(experiment_id)
            writer.close()
        except LabError as error:
            self.notify(str(error), severity="error")
        self._version = None
        self._poll()

    def action_filter(self) -> None:
        """Type a text that everything shown must contain."""
        from tuilab.tui.widgets.prompt import Prompt

        if not self.query(Prompt):
            self.mount(Prompt("filter", self.pattern, hint="words that the title or task must contain"))

    def on_prompt_changed(self, message: "Prompt.Changed") -> None:
        if message.prompt.kind == "filter":
            self.pattern = message.value

    async def on_prompt_accepted(self, message: "Prompt.Accepted") -> None:
        await message.prompt.remove()
        self._focus_list()

    def _focus_list(self) -> None:
        """Go back to the list that had the focus before the input."""
        self.set_focus(self.query_one(f"#{self._list}"))

    async def on_prompt_cancelled(self, message: "Prompt.Cancelled") -> None:
        await message.prompt.remove()
        if message.prompt.kind == "filter":
            self.pattern = ""
        self._focus_list()

    def action_clear(self) -> None:
        """Show everything again."""
        self.pattern = ""
