"""Running the comparison, and watching an experiment through the store."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from tuilab.spec.comparison import Comparison
from tuilab.spec.errors import LabError
from tuilab.store.records import ExperimentRecord, Status
from tuilab.tui.background import in_background
from tuilab.tui.bench import kept
from tuilab.tui.bench_curves import Place, places
from tuilab.tui.live import empty, reduce, restored
from tuilab.tui.screens.lab_evidence import LabEvidence
from tuilab.tui.terminal_facts import pace
from tuilab.tui.widgets.machine_strip import MachineStrip

POLL_SECONDS = 0.1
"""Between two looks at the store's version while something runs."""
_ROWS_A_LOOK = 20_000
_SURE_SECONDS = 2.0
"""After which the experiment is asked for even where nobody has written: its runner may be gone."""


class LabRunning(LabEvidence):
    """The actions on experiments, and the one way in which news of them arrive."""

    _watching = False
    _unread = ""
    """Why the store could not be read at the last look; empty where it could."""
    _placed: tuple[Comparison, Comparison, tuple[Place | None, ...]] | None = None
    """What was last compared, trained and on the bench, and where candidates of the one stand on the other."""

    def start_watching(self) -> None:
        """Look at the store now, and go on for as long as the experiment runs."""
        self._version = -1
        self._more = False
        self._painted = 0.0
        self._pace = pace(os.environ)
        self._clock = self.set_interval(POLL_SECONDS, self.look)
        self._watching = True
        self._obey_clock()
        if self.live is not None:
            self.look(now=True)

    def _obey_clock(self) -> None:
        """Tick only while something runs: an idle screen sends nothing."""
        if self.running or self._more:
            self._clock.resume()
        else:
            self._clock.pause()

    def look(self, *, now: bool = False) -> None:
        """Take in what the store has of the experiment, at most a few times a second."""
        if self.live is None:
            return
        moment = time.monotonic()
        since = moment - self._painted
        reader, identity = self.lab.reader, self.live.experiment.id
        try:
            version = reader.version()
            fresh = version != self._version or self._more or since > _SURE_SECONDS
            if not now and (since < (POLL_SECONDS if self._more else self._pace) or not fresh):
                return
            self._version, self._painted = version, moment
            record = reader.experiment(identity)
            state = self.live if self.live.last_rowid else restored(self.live, *reader.curves(identity))
            points = reader.points(identity, state.last_rowid, _ROWS_A_LOOK)
            runs = reader.runs(identity)
        except LabError as error:
            self._say_what_is_unread(error)
            return
        self._unread = ""
        if record is None:
            self.notify("this experiment has been deleted", severity="warning")
            self._clock.pause()
            return
        self._more = len(points) == _ROWS_A_LOOK
        self._follow_comparison(self.live.experiment.comparison, record.comparison)
        ran = self.running
        self.live = reduce(state, record, runs, points)
        self._obey_clock()
        if ran and not self.running:
            self._say_why_it_ended(record)
            self.lab.warm_up()

    def _say_what_is_unread(self, error: LabError) -> None:
        """Tell once that the store cannot be read; look again where that may pass, as when it is locked."""
        if str(error) != self._unread:
            self._unread = str(error)
            self.notify(str(error), severity="error", title="The store cannot be read")
        self._version = -1
        if not getattr(error, "passing", False):
            self._clock.pause()

    def _say_why_it_ended(self, record: ExperimentRecord) -> None:
        """Tell whoever watches why an experiment ends before its time: the table's border may have no room for it."""
        if record.message and record.status in (Status.FAILED, Status.LOST):
            self.notify(record.message, severity="error", title=f"The experiment is {record.status.value}")

    def _report_to_strip(self) -> None:
        """Tell the strip whether something trains, and how fast."""
        trains = self.live is not None and self.live.experiment.status in (Status.QUEUED, Status.RUNNING)
        rate = self.live.steps_per_second if self.live is not None else None
        self.query_one(MachineStrip).report(busy=trains, steps_per_second=rate)

    def _follow_comparison(self, before: Comparison, after: Comparison) -> None:
        """An experiment that got more seeds takes a bench along that nobody has edited."""
        if before != after and self.bench is not None and self.bench.comparison == before:
            self.bench = replace(self.bench, comparison=after, origin=after)

    @property
    def places(self) -> tuple[Place | None, ...]:
        """Where the candidates that are watched stand on the bench; looked for only once either has changed."""
        if self.live is None or self.bench is None:
            return ()
        trained, now = self.live.experiment.comparison, self.bench.comparison
        known = self._placed
        if known is None or known[0] is not trained or known[1] is not now:
            known = self._placed = trained, now, places(trained, now)
        return known[2]

    def on_screen_resume(self) -> None:
        """Look again: the screen that was over this one may have let the experiment go on."""
        if self._watching:
            self.look(now=True)

    # Actions

    def action_run(self) -> None:
        """Run the comparison on the bench as a new experiment."""
        assert self.bench is not None
        if self.running and self.live is not None and self.live.experiment.comparison == self.bench.comparison:
            self.notify("it is already running; edit the bench to run something else beside it", timeout=4)
        elif self.live is not None and self.live.experiment.comparison == self.bench.comparison:
            self._ask_to_repeat()
        else:
            self._run()

    def _run(self) -> None:
        self.run_worker(self._start(), group="start", exclusive=True)

    def _ask_to_repeat(self) -> None:
        """Ask before the very comparison that is watched runs again: r may have been meant for what it trained."""
        from tuilab.tui.screens.question import Choice, QuestionScreen

        def answer(choice: str | None) -> None:
            if choice in doing:
                doing[choice]()

        doing = {"again": self._run, "more": self.action_more, "resume": self.action_resume}
        choices = [Choice("cancel", "leave it as it is", "c"), Choice("again", "run it as a new experiment", "n")]
        if self.unfinished:
            choices.append(Choice("resume", "go on where it ended", "R"))
        else:
            choices.append(Choice("more", "let it go on with more final seeds", "m"))
        question = "This comparison has been run, and nothing was edited since: another run repeats the same seeds."
        self.app.push_screen(QuestionScreen(question, tuple(choices)), answer)

    async def _start(self) -> None:
        assert self.bench is not None
        bench = self.bench
        try:
            identity = await in_background(self._create)
            record = self.lab.reader.experiment(identity)
        except LabError as error:
            self.notify(str(error), severity="error", title="Cannot run", timeout=8)
            return
        if record is not None:
            ran = kept(replace(self.bench, comparison=bench.comparison))
            self.bench = replace(ran, comparison=self.bench.comparison)
            self.live = empty(record)
            self.look(now=True)
            self.refresh_bindings()

    def _create(self) -> str:
        from tuilab.runner.client import create_and_launch

        assert self.bench is not None
        source = "" if self.bench.edited else self.bench.source
        return create_and_launch(self.lab.home, self.bench.comparison, source, standby=self.lab.standby)

    def action_pause(self) -> None:
        """Hold the running experiment, or go on with it."""
        from tuilab.runner.client import pause, resume

        if self.live is None or not self.running:
            self._say_nothing_runs()
            return
        held = self.live.experiment.status is Status.PAUSED
        self._send(resume if held else pause, "going on" if held else "holding after this step")

    def action_resume(self) -> None:
        """Train what is left of an experiment that is held, or that ended before its time."""
        from tuilab.runner.client import resume

        self._send(resume, "going on where it ended" if self.unfinished else "going on")
        self.look(now=True)

    @property
    def resumable(self) -> bool:
        """Whether the watched experiment can go on."""
        return self.live is not None and self.live.experiment.status.resumable

    @property
    def unfinished(self) -> bool:
        """Whether the watched experiment ended before its time."""
        return self.resumable and not self.running

    def action_more(self) -> None:
        """Let an experiment that has ended go on with more final seeds."""
        from tuilab.tui.screens.more import ask_more

        if self.live is None:
            self.notify("nothing has been run yet; r runs this comparison", timeout=3)
        else:
            ask_more(self.lab, self.live.experiment, partial(self.look, now=True))

    def action_output(self) -> None:
        """Show the experiment's log."""
        from tuilab.tui.screens.log import show_log

        show_log(self.lab, self.live.experiment if self.live is not None else None)

    def action_intervene(self) -> None:
        """Ask what to change of what the selected candidate trains now."""
        from tuilab.tui.screens.intervene import ask_change

        if self.live is None or not self.running:
            self._say_nothing_runs()
            return
        names = [candidate.name for candidate in self.live.experiment.comparison.candidates]
        name = self.shown.candidate.name
        if name not in names:
            self.notify(f"“{name}” is not part of the experiment that runs", timeout=3)
        else:
            ask_change(self.lab, self.live, names.index(name))

    def _say_nothing_runs(self) -> None:
        ended = "nothing is running any more; N adds seeds, V says what was found"
        self.notify("nothing is running; r runs this comparison" if self.live is None else ended, timeout=3)

    def action_stop(self) -> None:
        """Ask, then stop the running experiment."""
        if self.live is None or not self.running:
            self.notify("nothing is running", timeout=2)
            return
        from tuilab.runner.client import stop
        from tuilab.tui.screens.question import Choice, QuestionScreen

        def answer(choice: str | None) -> None:
            if choice == "stop":
                self._send(stop, "stopping; what has been trained is kept")

        choices = (Choice("cancel", "go on", "c"), Choice("stop", "stop it", "s"))
        self.app.push_screen(QuestionScreen("Stop this experiment? What has been trained is kept.", choices), answer)

    def _send(self, command: Callable[[Path, str], None], said: str) -> None:
        assert self.live is not None
        try:
            command(self.lab.home, self.live.experiment.id)
        except LabError as error:
            self.notify(str(error), severity="error")
        else:
            self.notify(said, timeout=2)
