"""What the person does to the bench."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tuilab.spec.comparison import Candidate
from tuilab.spec.errors import LabError, NotationError
from tuilab.spec.notation import format_stack, parse
from tuilab.tui import bench as benches
from tuilab.tui.bench import Bench
from tuilab.tui.numbers import exact
from tuilab.tui.screens.lab_base import LabBase

if TYPE_CHECKING:
    from tuilab.tui.suggest import LayerSuggester
    from tuilab.tui.widgets.prompt import Prompt


class LabEditing(LabBase):
    """The actions that change the bench; every change can be undone."""

    def change(self, make: Callable[[Bench], Bench]) -> bool:
        """Replace the bench by what ``make`` makes of it, or say why that cannot be."""
        assert self.bench is not None
        try:
            self.bench = make(self.bench)
        except LabError as error:
            self.notify(str(error), severity="warning", timeout=5)
            return False
        return True

    # One line of notation

    def action_edit(self) -> None:
        """Edit the selected candidate's stack in notation."""
        from tuilab.tui.suggest import LayerSuggester

        stack = self.shown.candidate.stack
        self._ask("stack", format_stack(stack), "enter accepts · esc leaves it as it was", LayerSuggester())
        self._preview_stack(format_stack(stack))

    def action_rename(self) -> None:
        """Give the selected candidate another name."""
        self._ask("name", self.shown.candidate.name, "1 to 40 characters")

    def action_add(self) -> None:
        """Add a candidate and write its stack."""
        if self.change(lambda bench: benches.add(bench, Candidate(name="new", stack=()))):
            self.action_edit()

    def _ask(self, kind: str, value: str, hint: str, suggester: "LayerSuggester | None" = None) -> None:
        from tuilab.tui.widgets.prompt import Prompt

        if not self.query(Prompt):
            self.mount(Prompt(kind, value, hint=hint, suggester=suggester))

    def on_prompt_changed(self, message: "Prompt.Changed") -> None:
        message.stop()
        if message.prompt.kind == "stack":
            self._preview_stack(message.value, message.prompt)

    def _preview_stack(self, text: str, prompt: "Prompt | None" = None) -> None:
        """Show what the text would make; what is wrong with it is said under the line."""
        assert self.bench is not None
        try:
            made = benches.with_stack(self.bench, parse(text))
        except NotationError as error:
            if prompt is not None:
                prompt.complain(error.problem, error.column)
            return
        self.preview = made
        if prompt is not None:
            count = made.count(made.candidate)
            if isinstance(count, LabError):
                prompt.complain(str(count))
            else:
                prompt.say(f"{exact(count.num_params)} params · {exact(count.macs)} MACs · enter accepts")

    async def on_prompt_accepted(self, message: "Prompt.Accepted") -> None:
        message.stop()
        if message.prompt.kind == "stack":
            try:
                stack = parse(message.value)
            except NotationError as error:
                message.prompt.complain(error.problem, error.column)
                return
            accepted = self.change(lambda bench: benches.with_stack(bench, stack))
        else:
            accepted = self.change(lambda bench: benches.rename(bench, message.value))
        if accepted:
            await self._close(message.prompt)

    async def on_prompt_cancelled(self, message: "Prompt.Cancelled") -> None:
        message.stop()
        await self._close(message.prompt)

    async def _close(self, prompt: "Prompt") -> None:
        self.preview = None
        await prompt.remove()
        self.query_one("#stack").focus()

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
