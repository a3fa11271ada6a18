"""Leaving the lab: what becomes of edits, and of what trains, is asked once each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuilab.runner.client import stop
from tuilab.spec.errors import LabError
from tuilab.store.records import Status
from tuilab.tui.drafts import Draft
from tuilab.tui.screens.question import Choice, QuestionScreen

if TYPE_CHECKING:
    from tuilab.store.records import ExperimentRecord
    from tuilab.tui.app import LabApp
    from tuilab.tui.screens.lab import LabScreen


class Leaving:
    """One wish to leave, from its first question to the end of the application."""

    def __init__(self, app: "LabApp") -> None:
        self._app = app

    def begin(self) -> None:
        """Ask about edits that would be lost, then about what trains; leave where there is neither."""
        if isinstance(self._app.screen, QuestionScreen):
            return
        unsaved = self._unsaved()
        if unsaved:
            self._ask_about_edits(unsaved)
        else:
            self._ask_about_training()

    def _ask_about_edits(self, unsaved: list[Draft]) -> None:
        def answer(choice: str | None) -> None:
            if choice == "save":
                self._save(unsaved[0])
            elif choice == "discard":
                self._ask_about_training()

        title = unsaved[0].bench.comparison.title
        names = f"“{title}” has edits" if len(unsaved) == 1 else f"{len(unsaved)} comparisons have edits"
        choices = (
            Choice("save", "save as a preset file", "s"),
            Choice("discard", "discard the edits and quit", "d"),
            Choice("cancel", "stay", "c"),
        )
        self._app.push_screen(QuestionScreen(f"{names} that were neither run nor saved.", choices), answer)

    def _unsaved(self) -> list[Draft]:
        """Edits that leaving would lose; those on screen first."""
        open_now = [Draft(lab.bench, lab.identity) for lab in self._labs() if lab.bench is not None]
        return [draft for draft in (*open_now, *self._app.drafts) if draft.bench.unsaved]

    def _labs(self) -> "list[LabScreen]":
        if len(self._app.screen_stack) == 1:
            return []  # the library alone: leaving does not wait for an import of what was never opened
        from tuilab.tui.screens.lab import LabScreen

        return [screen for screen in self._app.screen_stack if isinstance(screen, LabScreen)]

    def _save(self, draft: Draft) -> None:
        """Show a bench that was left with edits, and ask for the file to save it in."""
        labs = self._labs()
        if labs and labs[-1].bench is draft.bench:
            while self._app.screen is not labs[-1]:
                self._app.pop_screen()
            screen = labs[-1]
        else:
            record = self._app.reader.experiment(draft.experiment) if draft.experiment else None
            screen = self._app.open_bench(draft.bench, record)

        async def ask_where() -> None:
            await screen.leave_line()
            screen.action_save()

        self._app.call_after_refresh(ask_where)

    def _ask_about_training(self) -> None:
        try:
            running = [record for record in self._app.reader.experiments() if not record.status.ended]
        except LabError:
            running = []  # nobody can tell what trains; whatever does goes on
        if not running:
            self._app.exit()
            return

        def answer(choice: str | None) -> None:
            if choice == "stop":
                for record in running:
                    self._stop(record.id)
            if choice in ("leave", "stop"):
                self._app.exit()

        question, leave, stop = _goodbye(running)
        choices = Choice("leave", leave, "l"), Choice("stop", stop, "s"), Choice("cancel", "stay", "c")
        self._app.push_screen(QuestionScreen(question, choices), answer)

    def _stop(self, experiment: str) -> None:
        try:
            stop(self._app.home, experiment)
        except LabError as error:
            self._app.notify(str(error), severity="error")


def _goodbye(open_ones: Sequence["ExperimentRecord"]) -> tuple[str, str, str]:
    """What becomes of experiments that have not ended, and what leaving and stopping them is called."""
    paused = [record for record in open_ones if record.status is Status.PAUSED]
    active = [record for record in open_ones if record.status is not Status.PAUSED]
    if not active:
        one = len(paused) == 1
        resume = f"tuilab resume {paused[0].id}" if one else "tuilab resume"
        waits = "It keeps what it has trained and waits" if one else "They keep what they have trained and wait"
        question = f"Paused: {_named(paused)}. {waits} until R, or {resume}, lets {'it' if one else 'them'} go on."
        return question, f"leave {'it' if one else 'them'} paused", f"stop {'it' if one else 'them'} and leave"
    one = len(active) == 1
    question = f"Still training: {_named(active)}. {'It goes' if one else 'They go'} on without this window."
    if paused:
        question += f" Paused, and waiting for R or tuilab resume: {_named(paused)}."
        return question, "leave everything as it is; tuilab shows it again", "stop all of them and leave"
    leave = f"leave {'it' if one else 'them'} running; tuilab shows {'it' if one else 'them'} again"
    return question, leave, f"stop {'it' if one else 'them'} and leave"


def _named(records: Sequence["ExperimentRecord"]) -> str:
    return records[0].comparison.title if len(records) == 1 else f"{len(records)} experiments"
