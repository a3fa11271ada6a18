"""The application: paints first, loads the rest afterwards, and leaves cleanly."""

import asyncio
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.screen import Screen
from textual.worker import WorkerFailed

from tuilab.tui.background import in_background
from tuilab.tui.look import DARK, themes
from tuilab.tui.palette import NEXT_GLYPHS, default_glyphs
from tuilab.tui.screens.library import LibraryScreen
from tuilab.tui.tight import tighten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import RenderableType
    from textual.command import Provider

    from tuilab.runner.client import Standby
    from tuilab.spec.comparison import Comparison
    from tuilab.store.reader import Reader
    from tuilab.tui.canvas import Glyphs
    from tuilab.tui.catalog import Preset


def _commands() -> "type[Provider]":
    from tuilab.tui.commands import LabCommands

    return LabCommands


class LabApp(App[None]):
    """The lab. It knows where the store is, which presets there are, and which screen to show."""

    TITLE = "tuilab"
    COMMANDS: ClassVar[set["type[Provider] | Callable[[], type[Provider]]"]] = {_commands}
    ENABLE_COMMAND_PALETTE = True
    NOTIFICATION_TIMEOUT = 6
    HORIZONTAL_BREAKPOINTS = [(0, "-sliver"), (40, "-narrow"), (70, "-compact"), (120, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (10, "-low"), (20, "-short"), (30, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q,ctrl+c", "leave", "Quit", id="app.quit", show=False, priority=True,
                tooltip="Leave tuilab; what trains goes on if you wish"),
        Binding("ctrl+p,colon", "command_palette", "palette", key_display="^p", id="app.palette",
                tooltip="Find every action, preset and candidate by name"),
        Binding("question_mark,f1", "keys", "Help", id="app.help", tooltip="Show the keys of this place"),
        Binding("ctrl+g", "glyphs", "Glyphs", id="app.glyphs", show=False,
                tooltip="Draw curves with braille, quadrants or plain ASCII"),
    ]  # fmt: skip

    glyphs: reactive["Glyphs"] = reactive["Glyphs"]("braille", init=False, repaint=False)
    """What curves are drawn with; ``ascii`` also makes borders and marks plain."""
    presets: reactive[tuple["Preset", ...]] = reactive[tuple["Preset", ...]]((), init=False, repaint=False)

    def __init__(
        self,
        home: Path,
        attach: str | None = None,
        open_path: Path | None = None,
        line: str | None = None,
        *,
        warm: bool = True,
    ) -> None:
        """Make the application.

        Args:
            home: the lab's folder.
            attach: id of an experiment to open.
            open_path: preset file to open.
            line: share line to open.
            warm: keep an engine waiting, so that an experiment starts at once.

        """
        super().__init__()
        self.home = home
        self.standby: Standby | None = None
        self._reader: Reader | None = None
        self._wanted = (attach, open_path, line)
        self._warm = warm
        self._held = False
        for theme in themes():
            self.register_theme(theme)
        self.theme = DARK

    # Starting and leaving

    def on_load(self) -> None:
        """Hold all painting until the first screen is complete."""
        self._begin_batch()
        self._held = True

    def on_mount(self) -> None:
        self.glyphs = default_glyphs()
        self._obey_hang_up()
        self.push_screen(LibraryScreen())

    def on_ready(self) -> None:
        if self._held:
            self._held = False
            self._end_batch()
        self.run_worker(self._load(), name="load", group="load")

    def _obey_hang_up(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, partial(self.exit, return_code=129))
            loop.add_signal_handler(signal.SIGTERM, partial(self.exit, return_code=143))
        except (NotImplementedError, RuntimeError, ValueError):
            return

    async def _load(self) -> None:
        """Everything that the first paint does not wait for."""
        from tuilab.tui.catalog import load_presets

        presets, problems = await in_background(load_presets)
        self.presets = presets
        for problem in problems:
            self.notify(problem, severity="warning", title="A preset cannot be read")
        attach, path, line = self._wanted
        if attach is not None:
            self.open_experiment(attach)
        elif path is not None:
            self.open_file(path)
        elif line is not None:
            self.open_line(line)
        if self._warm:
            self.standby = await in_background(self._make_standby)

    def _make_standby(self) -> "Standby":
        from tuilab.runner.client import Standby

        standby = Standby(self.home)
        standby.start()
        return standby

    async def on_unmount(self) -> None:
        if self.standby is not None:
            self.standby.close()
        if self._reader is not None:
            self._reader.close()

    def _fatal_error(self) -> None:
        """Leave after a fault of our own with one sentence; Textual would print the traceback with every local."""
        from rich.text import Text

        from tuilab.store.faults import note_fault

        error = self._exception or sys.exception() or RuntimeError("unknown")
        if isinstance(error, WorkerFailed):
            error = error.error
        self._exit_renderables.append(Text(f"tuilab: {note_fault(self.home, error)}"))
        self._close_messages_no_wait()

    @property
    def reader(self) -> "Reader":
        """The lab's store, opened at the first use."""
        if self._reader is None:
            from tuilab.store.reader import Reader

            self._reader = Reader(self.home)
        return self._reader

    # Opening

    def open_file(self, path: Path) -> None:
        """Open a preset file on the bench, or say why not."""
        from tuilab.spec.errors import LabError
        from tuilab.tui.catalog import load_preset

        try:
            preset = load_preset(path.stem, path)
        except LabError as error:
            self.notify(str(error), severity="error", title="Cannot open")
            return
        self.open_comparison(preset.comparison, preset.name)

    def open_line(self, line: str) -> None:
        """Open a share line on the bench, or say why not."""
        from tuilab.spec.errors import LabError
        from tuilab.spec.share import from_line

        try:
            comparison = from_line(line)
        except LabError as error:
            self.notify(str(error), severity="error", title="Cannot open")
            return
        self.open_comparison(comparison, "")

    def open_comparison(self, comparison: "Comparison", source: str, *, run: bool = False) -> None:
        """Open a comparison on the bench, and run it if asked."""
        from tuilab.spec.errors import LabError
        from tuilab.tui.bench import open_bench
        from tuilab.tui.screens.lab import LabScreen

        try:
            bench = open_bench(comparison, source)
        except LabError as error:
            self.notify(str(error), severity="error", title="Cannot open")
            return
        self._show(LabScreen(bench, run=run))

    def open_experiment(self, experiment_id: str) -> None:
        """Open an experiment of the store."""
        from tuilab.spec.errors import LabError
        from tuilab.tui.bench import open_bench
        from tuilab.tui.screens.lab import LabScreen

        try:
            record = self.reader.find(experiment_id)
            bench = open_bench(record.comparison, record.source)
        except LabError as error:
            self.notify(str(error), severity="error", title="Cannot open")
            return
        self._show(LabScreen(bench, experiment=record))

    def _show(self, screen: Screen[None]) -> None:
        while len(self.screen_stack) > 1 and not isinstance(self.screen, LibraryScreen):
            self.pop_screen()
        self.push_screen(screen)

    # Actions

    def action_leave(self) -> None:
        """Leave; with something running, ask once what becomes of it."""
        running = [record for record in self.reader.experiments() if not record.status.ended] if self.presets else []
        if not running:
            self.exit()
            return
        from tuilab.tui.screens.question import Choice, QuestionScreen

        def answer(choice: str | None) -> None:
            if choice == "stop":
                for record in running:
                    self._stop(record.id)
            if choice in ("leave", "stop"):
                self.exit()

        names = running[0].comparison.title if len(running) == 1 else f"{len(running)} experiments"
        choices = (
            Choice("leave", "leave it running; tuilab shows it again", "l"),
            Choice("stop", "stop it and leave", "s"),
            Choice("cancel", "stay", "c"),
        )
        self.push_screen(QuestionScreen(f"Still training: {names}. It goes on without this window.", choices), answer)

    def _stop(self, experiment_id: str) -> None:
        from tuilab.runner.client import stop
        from tuilab.spec.errors import LabError

        try:
            stop(self.home, experiment_id)
        except LabError as error:
            self.notify(str(error), severity="error")

    def action_keys(self) -> None:
        """Show the keys of this place."""
        from tuilab.tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_glyphs(self) -> None:
        """Go on to the next kind of characters for curves."""
        self.glyphs = NEXT_GLYPHS[self.glyphs]
        self.notify(f"curves are drawn with {self.glyphs}", timeout=2)

    def watch_glyphs(self, old: "Glyphs", new: "Glyphs") -> None:
        for screen in self.screen_stack:
            screen.set_class(new == "ascii", "-ascii")

    def _display(self, screen: Screen[object], renderable: "RenderableType | None") -> None:
        """Paint with as few bytes as may be."""
        super()._display(screen, tighten(renderable))

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes()[0].variables

    def get_system_commands(self, screen: Screen[object]) -> "Iterable[SystemCommand]":
        """None of Textual's own: `LabCommands` lists the lab's."""
        return ()
