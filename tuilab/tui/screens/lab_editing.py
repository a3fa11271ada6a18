"""What the person does to the bench: one line of text that edits, and whole candidates."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from tuilab.spec.comparison import Candidate
from tuilab.spec.errors import LabError, NotationError, ShapeError
from tuilab.spec.notation import column_of, format_stack, parse
from tuilab.tui import bench as benches
from tuilab.tui.bench import Bench
from tuilab.tui.bench_budget import held
from tuilab.tui.numbers import exact
from tuilab.tui.screens.lab_base import LabBase

if TYPE_CHECKING:
    from textual.suggester import Suggester

    from tuilab.tui.widgets.prompt import Prompt

Make: TypeAlias = Callable[[Bench, str], Bench]
"""The bench that a typed text asks for; raises LabError where it asks for nothing that can be."""


_WHOLE = ("stack", "new")
"""Kinds of prompts whose text is a whole stack."""


class LabEditing(LabBase):
    """The actions that change the bench; every change can be undone."""

    _make: Make | None = None
    """What the text of the open prompt makes."""
    _about: Candidate | None = None
    """The candidate that was selected when the prompt was opened: what is written is about this one."""
    _done: Make | None = None
    """Does what the accepted text asks for beyond the bench; raises LabError where it cannot."""

    def change(self, make: Callable[[Bench], Bench]) -> bool:
        """Replace the bench by what ``make`` makes of it, or say why that cannot be."""
        assert self.bench is not None
        try:
            self.bench = make(self.bench)
        except LabError as error:
            self.notify(str(error), severity="warning", timeout=5)
            return False
        return True

    # One line of text

    @property
    def asking(self) -> bool:
        return self._make is not None

    def ask(
        self,
        kind: str,
        value: str,
        hint: str,
        make: Make,
        suggester: "Suggester | None" = None,
        done: Make | None = None,
    ) -> None:
        """Open a line of text; every key shows what the text would make, enter makes it, escape forgets it.

        Args:
            kind: what is asked for.
            value: the text to start from.
            hint: what may be written.
            make: the bench that a text asks for.
            suggester: completes what is typed.
            done: does what the text asks for beyond the bench, at enter; what it refuses is said under the line.

        """
        from tuilab.tui.widgets.prompt import Prompt

        if not self.asking and not self.query(Prompt):
            self._make, self._done = make, done
            self._about = self.shown.candidate
            self.mount(Prompt(kind, value, hint=hint, suggester=suggester))

    def ask_notation(self, kind: str, value: str, hint: str, make: Make) -> None:
        """Open a line of stack notation, with suggestions."""
        from tuilab.tui.suggest import LayerSuggester

        self.ask(kind, value, hint, make, LayerSuggester())

    def on_prompt_changed(self, message: "Prompt.Changed") -> None:
        message.stop()
        if self._make is None:
            return
        prompt = message.prompt
        try:
            bench = self._asked_of()
            made = self._make(bench, message.value)
        except LabError as error:
            _complain(prompt, error)
            return
        if (misfit := _misfit(bench, made)) is not None:
            prompt.complain(str(misfit), _place(prompt, misfit))
            return
        self.preview = made
        count = made.count(made.candidate)
        if isinstance(count, LabError):
            prompt.complain(str(count), _place(prompt, count))
        else:
            prompt.say(f"{exact(count.num_params)} params · {exact(count.macs)} MACs · enter accepts")

    def _asked_of(self) -> Bench:
        """The bench with the candidate selected that the open prompt is about, wherever that stands by now.

        Raises:
            LabError: when it is not on the bench any more.

        """
        bench, about = self.bench, self._about
        assert bench is not None
        assert about is not None
        candidates = bench.comparison.candidates
        if bench.candidate is about:
            return bench
        same = [at for at, candidate in enumerate(candidates) if candidate is about]
        if found := same or [at for at, candidate in enumerate(candidates) if candidate == about]:
            return benches.select(bench, found[0])
        raise LabError(f"“{about.name}” as it was is not on the bench any more; esc leaves this line")

    async def on_prompt_accepted(self, message: "Prompt.Accepted") -> None:
        message.stop()
        assert self._make is not None
        try:
            bench = self._asked_of()
            made = self._make(bench, message.value)
            if (misfit := _misfit(bench, made)) is not None:
                message.prompt.complain(str(misfit), _place(message.prompt, misfit))
                return
            if self._done is not None:
                made = self._done(made, message.value)
        except LabError as error:
            _complain(message.prompt, error)
            return
        self.bench = made
        await self._close(message.prompt)
        self.after_edit()

    def after_edit(self) -> None:
        """Called when a line of text has been accepted."""

    async def on_prompt_cancelled(self, message: "Prompt.Cancelled") -> None:
        message.stop()
        await self._close(message.prompt)

    async def leave_line(self) -> None:
        """Forget the line of text that is open, if one is."""
        from tuilab.tui.widgets.prompt import Prompt

        for prompt in self.query(Prompt):
            await self._close(prompt)

    async def _close(self, prompt: "Prompt") -> None:
        self.preview, self._make, self._done, self._about = None, None, None, None
        await prompt.remove()
        self.set_focus(self.query_one(f"#{self.pane}"))

    # What is asked for

    def action_edit(self) -> None:
        """Edit the selected candidate's stack in notation."""
        text = format_stack(self.shown.candidate.stack)
        self.ask_notation("stack", text, "enter accepts · esc leaves it as it was", _with_notation)

    def action_rename(self) -> None:
        """Give the selected candidate another name."""
        self.ask("name", self.shown.candidate.name, "1 to 40 characters", benches.rename)

    def action_add(self) -> None:
        """Add a candidate and write its stack."""
        self.ask_notation("new", "", "the stack of a new candidate, such as 3*(14 relu)", _added)

    # Whole candidates

    def action_undo(self) -> None:
        """Take back the last change."""
        self._travel(benches.undo, "there is nothing to undo")

    def action_redo(self) -> None:
        """Make the change again that was taken back."""
        self._travel(benches.redo, "there is nothing to redo")

    def _travel(self, step: Callable[[Bench], Bench], otherwise: str) -> None:
        before = self.bench
        self.change(step)
        if self.bench is before:
            self.notify(otherwise, timeout=2)

    def action_duplicate(self) -> None:
        """Add a copy of the selected candidate."""
        self.change(lambda bench: benches.add(bench, bench.candidate))

    def action_delete(self) -> None:
        """Remove the selected candidate."""
        self.change(benches.delete)

    def action_shift(self, step: int) -> None:
        """Move the selected candidate earlier or later."""
        self.change(lambda bench: benches.shift(bench, step))

    def action_candidate(self, step: int) -> None:
        """Select the candidate before or after."""
        self.choose(self.shown.selected + step)


def _with_notation(bench: Bench, text: str) -> Bench:
    return held(benches.with_stack(bench, parse(text)))


def _added(bench: Bench, text: str) -> Bench:
    stack = parse(text)
    return benches.add(bench, Candidate(name=benches.named_after(stack), stack=stack))


def _misfit(before: Bench, made: Bench) -> LabError | None:
    """Why the candidate cannot be built any more; None where it can, or could not before."""
    count = made.count(made.candidate)
    added = len(made.comparison.candidates) > len(before.comparison.candidates)
    could = added or not isinstance(before.count(before.candidate), LabError)
    return count if isinstance(count, LabError) and could else None


def _place(prompt: "Prompt", misfit: LabError) -> int | None:
    """The column of the layer that does not fit, where the text is a whole stack."""
    if not isinstance(misfit, ShapeError) or not misfit.path or prompt.kind not in _WHOLE:
        return None
    return column_of(prompt.value, misfit.path)


def _complain(prompt: "Prompt", error: LabError) -> None:
    if isinstance(error, NotationError):
        prompt.complain(error.problem, error.column)
    else:
        prompt.complain(str(error))
