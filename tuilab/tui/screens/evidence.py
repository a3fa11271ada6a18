"""What the verdict and the efficiency screen share: an experiment's evidence, read again as seeds come in."""

import asyncio
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.screen import Screen

from tuilab.analysis.report import ReportInput
from tuilab.spec.errors import LabError
from tuilab.tui.background import in_background
from tuilab.tui.library_rows import STATUS_MARKS
from tuilab.tui.lines import Span, clip
from tuilab.tui.widgets.bars import TopBar

if TYPE_CHECKING:
    from tuilab.store.records import ExperimentRecord
    from tuilab.tui.app import LabApp

LOOK_SECONDS = 1.0
"""Between two looks at a running experiment."""


class EvidenceScreen(Screen[None]):
    """An experiment's evidence over the lab screen."""

    PLACE: ClassVar[str] = ""
    """What the top line calls this screen."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p,P", "write_report", "Report", key_display="p", id="evidence.report",
                tooltip="Write the report to files (Markdown and HTML)"),
        Binding("plus,N", "more", "More seeds", key_display="+", id="evidence.more",
                tooltip="Let the experiment go on with more final seeds"),
        Binding("escape,q", "close", "Back", id="evidence.close", tooltip="Go back"),
    ]  # fmt: skip

    report: reactive[ReportInput | None] = reactive[ReportInput | None](None, init=False, repaint=False)
    """The evidence; None until it has been read."""

    def __init__(self, experiment: str) -> None:
        """Make the screen for the experiment with this id."""
        super().__init__()
        self.experiment = experiment
        self._seen: ExperimentRecord | None = None

    @property
    def lab(self) -> "LabApp":
        """The application."""
        return cast("LabApp", self.app)

    def on_mount(self) -> None:
        self.set_class(self.lab.glyphs == "ascii", "-ascii")
        self._clock = self.set_interval(LOOK_SECONDS, self.look)
        self.look()

    def look(self) -> None:
        """Read the evidence again where a final run has ended since; an experiment that has ended is left alone."""
        try:
            record = self.lab.reader.experiment(self.experiment)
        except LabError as error:
            self.refuse(str(error))
            return
        if record is None:
            self.refuse("this experiment has been deleted")
            return
        if record.status.ended:
            self._clock.pause()
        before, self._seen = self._seen, record
        if before is None or _state(before) != _state(record):
            self.run_worker(self._read(record), group="evidence", exclusive=True)

    def refuse(self, sentence: str) -> None:
        """Say why there is nothing (more) to show."""
        self._clock.pause()
        self.notify(sentence, severity="error", title="No evidence", timeout=8)

    async def _read(self, record: "ExperimentRecord") -> None:
        from tuilab.store.evidence import report_input

        try:
            found = await in_background(partial(report_input, self.lab.reader, record))
        except LabError as error:
            self.refuse(str(error))
            return
        if self in self.app.screen_stack:
            self.report = found

    def watch_report(self) -> None:
        self.show_top()
        self.show()

    def on_resize(self) -> None:
        self.call_after_refresh(self.show)

    def show(self) -> None:
        """Hand the evidence down to the panes."""
        raise NotImplementedError

    def show_top(self) -> None:
        """Where one is, and how the experiment stands."""
        report = self.report
        if report is None:
            return
        mark, role = STATUS_MARKS[report.status]
        seeds = min(len(one.values) + one.failures for one in report.result.candidates)
        planned = report.comparison.protocol.final_seeds
        first = (
            Span("tuilab", "strong accent"),
            Span(f"  {self.PLACE}", "strong"),
            Span(f"  {clip(report.comparison.title, max(8, self.size.width - 48))}", "dim"),
        )
        last = (Span(f"{mark} {report.status}", role), Span(f"  {seeds}/{planned} seeds", "dim"))
        self.query_one(TopBar).content = (first, last)

    # Actions

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()

    def action_more(self) -> None:
        """Let the experiment go on with more final seeds."""
        from tuilab.tui.screens.more import ask_more

        if self._seen is not None:
            ask_more(self.lab, self._seen, self._go_on)

    def _go_on(self) -> None:
        self._clock.resume()
        self.look()

    def action_write_report(self) -> None:
        """Write the report to two files, and say where."""
        if self.report is None:
            self.notify("nothing has been read yet", timeout=2)
            return
        self.run_worker(deliver(self.lab, self.report), group="report", exclusive=True)


def _state(record: "ExperimentRecord") -> tuple[object, ...]:
    """What the evidence follows from."""
    return record.status, record.result, record.comparison


async def deliver(lab: "LabApp", report: ReportInput) -> None:
    """Write the report to two files, and tell where or why not."""
    try:
        paths = await asyncio.to_thread(write_report, report, Path.cwd(), lab.home)
    except (LabError, OSError) as error:
        lab.notify(str(error), severity="error", title="No report", timeout=8)
    else:
        names = " and ".join(path.name for path in paths)
        lab.notify(f"{names} in {paths[0].parent}", title="Report written", timeout=10)


def write_report(report: ReportInput, folder: Path, home: Path) -> tuple[Path, ...]:
    """Write the report as Markdown and as a page into a folder, or into the lab's where that cannot be written.

    Raises:
        LabError: when neither can be written.

    """
    from tuilab.analysis.report import html, markdown
    from tuilab.store.files import write_atomically

    target = folder
    if not os.access(folder, os.W_OK):
        target = home / "reports"
        target.mkdir(parents=True, exist_ok=True)
    texts = {"md": markdown(report), "html": html(report)}
    paths = []
    for kind, text in texts.items():
        paths.append(target / f"tuilab-{report.experiment}.{kind}")
        write_atomically(paths[-1], text)
    return tuple(paths)
