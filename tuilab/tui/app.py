"""The application: paints first, loads the rest afterwards, and leaves cleanly."""

import asyncio
import gc
import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.notifications import Notify
from textual.reactive import reactive
from textual.screen import Screen
from textual.worker import WorkerFailed

from tuilab.tui.background import in_background
from tuilab.tui.look import DARK, LIGHT, themes
from tuilab.tui.machine import Machine
from tuilab.tui.ordered_keys import OrderedKeys
from tuilab.tui.palette import NEXT_GLYPHS, default_glyphs
from tuilab.tui.remembered import Look, load_look, save_look
from tuilab.tui.screens.library import LibraryScreen
from tuilab.tui.start import collect_after_start
from tuilab.tui.tight import tighten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import RenderableType
    from textual.app import SystemCommand
    from textual.command import Provider

    from tuilab.runner.client import Standby
    from tuilab.spec.comparison import Comparison
    from tuilab.store.reader import Reader
    from tuilab.store.records import ExperimentRecord
    from tuilab.tui.bench import Bench
    from tuilab.tui.canvas import Glyphs
    from tuilab.tui.catalog import Preset
    from tuilab.tui.drafts import Drafts
    from tuilab.tui.screens.lab import LabScreen


_LONGEST_NOTICE = 6.0
"""Seconds."""


def _commands() -> "type[Provider]":
    from tuilab.tui.commands import LabCommands

    return LabCommands


class LabApp(OrderedKeys):
    """The lab. It knows where the store is, which presets there are, and which screen to show."""

    TITLE = "tuilab"
    COMMANDS: ClassVar[set["type[Provider] | Callable[[], type[Provider]]"]] = {_commands}
    ENABLE_COMMAND_PALETTE = True
    NOTIFICATION_TIMEOUT = 4
    CSS_PATH = Path(__file__).with_name("screens") / "library.tcss"
    CSS = """
    ToastRack { margin-bottom: 1; }
    Toast { width: auto; max-width: 100%; margin-top: 0; padding: 0 1; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-sliver"), (40, "-narrow"), (70, "-compact"), (120, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (10, "-low"), (20, "-short"), (30, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q,ctrl+c", "leave", "Quit", id="app.quit", show=False, priority=True,
                tooltip="Leave tuilab; what trains goes on if you wish"),
        Binding("ctrl+p,colon", "command_palette", "palette", key_display="^p", id="app.palette",
                tooltip="Find every action, preset and candidate by name"),
        Binding("question_mark,f1", "keys", "Help", id="app.help", tooltip="Show the keys of this place"),
        Binding("o,ctrl+o", "open_other", "Open ...", id="app.open", show=False,
                tooltip="Open a preset file by its path, a recent file, a preset or a share line"),
        Binding("ctrl+g", "glyphs", "Glyphs", id="app.glyphs", show=False,
                tooltip="Draw curves with braille, quadrants or plain ASCII"),
        Binding("ctrl+t", "theme", "Theme", id="app.theme", show=False,
                tooltip="A light theme, or the dark one; remembered"),
        Binding("percent_sign", "machine", "Machine", id="app.machine", show=False,
                tooltip="Show or hide what processors, memory and GPUs do, and the lab's share of it; remembered"),
    ]  # fmt: skip

    glyphs: reactive["Glyphs"] = reactive["Glyphs"]("braille", init=False, repaint=False)
    """What curves are drawn with; ``ascii`` also makes borders and marks plain."""
    machine_on: reactive[bool] = reactive(True, init=False, repaint=False)
    """Whether the strip with the machine's resources shows while something trains."""
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
        from tuilab.tui.driver import LastingDriver

        super().__init__(driver_class=LastingDriver)
        self.home = home
        self.standby: Standby | None = None
        self.machine = Machine(home)
        self._reader: Reader | None = None
        self._wanted = (attach, open_path, line)
        self._warm = warm
        self._warming = False
        self._drafts: Drafts | None = None
        self._held = False
        self._painted = asyncio.Event()
        for theme in themes():
            self.register_theme(theme)
        look = load_look(home)
        self.set_reactive(LabApp.machine_on, look.machine)
        self.theme = LIGHT if look.light else DARK

    # Starting and leaving

    def on_load(self) -> None:
        """Hold all painting until the first screen is complete."""
        self.glyphs = default_glyphs()
        self._begin_batch()
        self._held = True

    def get_default_screen(self) -> LibraryScreen:
        """The library instead of an empty screen below it: every screen costs its share of the start."""
        return LibraryScreen()

    def on_mount(self) -> None:
        self._obey_hang_up()
        self._open_wanted()

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
        await self._painted.wait()
        if not gc.isenabled():
            collect_after_start()
        from tuilab.tui.catalog import load_presets

        presets, problems = await in_background(partial(load_presets, self.home))
        self.presets = presets
        for problem in problems:
            self.notify(problem, severity="warning", title="A preset cannot be read")
        self.warm_up()

    def _open_wanted(self) -> None:
        """Show at once what was asked for when tuilab was started."""
        attach, path, line = self._wanted
        if attach is not None:
            self.open_experiment(attach)
        elif path is not None:
            self.open_file(path)
        elif line is not None:
            self.open_line(line)

    def warm_up(self) -> None:
        """Have a warm engine wait for the next experiment, unless something trains: it would take memory from that."""
        if self._warm and not self._warming and (self.standby is None or not self.standby.waiting):
            self._warming = True
            self.run_worker(self._start_standby(), name="standby", group="standby")

    async def _start_standby(self) -> None:
        from tuilab.runner.client import Standby
        from tuilab.spec.errors import LabError

        try:
            if all(record.status.ended for record in self.reader.experiments()):
                standby = self.standby or Standby(self.home)
                await in_background(standby.start)
                self.standby = standby
        except LabError as error:
            self.notify(str(error), severity="error")
        finally:
            self._warming = False

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

    @property
    def drafts(self) -> "Drafts":
        """Benches that were left with edits."""
        if self._drafts is None:
            from tuilab.tui.drafts import Drafts

            self._drafts = Drafts()
        return self._drafts

    # Opening

    def open_file(self, path: Path) -> None:
        """Open a preset file on the bench, or say why not."""
        from tuilab.spec.errors import LabError
        from tuilab.tui.opening import bench_of

        try:
            self.open_found(*bench_of(str(path)))
        except LabError as error:
            self.notify(str(error), severity="error", title="Cannot open")

    def open_found(self, bench: "Bench", path: Path | None) -> None:
        """Show a bench that was opened, and remember the file that it comes from."""
        from tuilab.tui.remembered import remember_file

        if path is not None:
            remember_file(self.home, path)
        self.open_bench(bench)

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
        """Open a comparison on the bench, with the edits that were left on it, or run it as it is."""
        from tuilab.spec.errors import LabError
        from tuilab.tui.bench import open_bench

        try:
            bench = open_bench(comparison, source)
        except LabError as error:
            self.notify(str(error), severity="error", title="Cannot open")
            return
        self.open_bench(bench, run=run)

    def open_experiment(self, experiment_id: str) -> None:
        """Open an experiment of the store, with the edits that were left beside it."""
        from tuilab.spec.errors import LabError
        from tuilab.tui.bench import open_bench

        try:
            record = self.reader.find(experiment_id)
            bench = open_bench(record.comparison, record.source)
        except LabError as error:
            self.notify(str(error), severity="error", title="Cannot open")
            return
        self.open_bench(bench, record)

    def open_bench(
        self, bench: "Bench", experiment: "ExperimentRecord | None" = None, *, run: bool = False
    ) -> "LabScreen":
        """Show a bench in place of the one that is open, with the edits that were left on it.

        Args:
            bench: as it is in its file or in the store.
            experiment: what is watched beside it.
            run: whether to run it at once, as it is.

        """
        from tuilab.tui.screens.lab import LabScreen

        while len(self.screen_stack) > 1 and not isinstance(self.screen, LibraryScreen):
            if isinstance(self.screen, LabScreen):
                self.screen.put_away()
            self.pop_screen()
        if not run:
            opened = bench
            bench = self.drafts.take(opened, experiment.id if experiment is not None else None)
            if bench is not opened:
                self.notify("here are the edits that you left; u takes them back one by one", timeout=4)
        screen = LabScreen(bench, experiment=experiment, run=run)
        self.push_screen(screen)
        return screen

    # Actions

    def action_leave(self) -> None:
        """Leave; ask once what becomes of edits, and once what becomes of what is running."""
        from tuilab.tui.leaving import Leaving

        Leaving(self).begin()

    def action_open_other(self) -> None:
        """Ask what to open: a path, a recent file, a preset, a share line."""
        from tuilab.tui.remembered import recent_files
        from tuilab.tui.screens.opening import Known, OpenScreen

        presets = tuple(Known(preset.name, preset.name, preset.comparison.title) for preset in self.presets)
        self.push_screen(OpenScreen(recent_files(self.home), presets, self.open_found))

    def action_keys(self) -> None:
        """Show the keys of this place."""
        from tuilab.tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_glyphs(self) -> None:
        """Go on to the next kind of characters for curves."""
        self.glyphs = NEXT_GLYPHS[self.glyphs]
        self.notify(f"curves are drawn with {self.glyphs}", timeout=2)

    def action_theme(self) -> None:
        """Go on to the other theme."""
        self.theme = DARK if self.theme == LIGHT else LIGHT
        self._remember_look()

    def watch_machine_on(self) -> None:
        self._remember_look()

    def _remember_look(self) -> None:
        save_look(self.home, Look(self.theme == LIGHT, self.machine_on))

    def action_machine(self) -> None:
        """Show or hide the strip with the machine's resources."""
        from tuilab.tui.widgets.machine_strip import MachineStrip

        for strip in self.screen.query(MachineStrip):
            strip.toggle()

    def watch_glyphs(self, old: "Glyphs", new: "Glyphs") -> None:
        for screen in self.screen_stack:
            screen.set_class(new == "ascii", "-ascii")

    def _on_notify(self, event: Notify) -> None:
        """One notice at a time, as it was written, and not for long: it covers what one works on."""
        notice = event.notification
        event.notification = replace(notice, markup=False, timeout=min(notice.timeout, _LONGEST_NOTICE))
        self._notifications.clear()

    def _display(self, screen: Screen[object], renderable: "RenderableType | None") -> None:
        """Paint with as few bytes as may be."""
        dark, plain = self.current_theme.dark, self.glyphs == "ascii"
        super()._display(screen, tighten(renderable, colors=not self.no_color, dark=dark, plain=plain))
        if renderable is not None and not self._held:
            self._painted.set()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes()[0].variables

    def get_system_commands(self, screen: Screen[object]) -> "Iterable[SystemCommand]":
        """None of Textual's own: `LabCommands` lists the lab's."""
        return ()
