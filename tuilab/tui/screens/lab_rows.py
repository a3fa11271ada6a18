"""Edits of rows: what the keys of the stack do."""

from collections.abc import Callable
from typing import Literal

from tuilab.analysis import edit, layer_edits
from tuilab.analysis.edit import Edited
from tuilab.spec.errors import LabError
from tuilab.spec.layers import Stack
from tuilab.spec.network import Path
from tuilab.spec.notation import format_stack, parse
from tuilab.tui import bench as benches
from tuilab.tui.bench import Bench
from tuilab.tui.bench_budget import held
from tuilab.tui.beside_rows import BesideRows
from tuilab.tui.screens.lab_editing import LabEditing
from tuilab.tui.stack_rows import StackRows
from tuilab.tui.widgets.stack_view import StackView

Edit = Callable[[Stack, Path, int], Edited]
"""An edit of a number of rows from a path on."""


class LabRows(LabEditing):
    """The actions on rows of the selected candidate's stack."""

    mark: int | None = None
    """Row at which marking began."""
    clipboard: Stack = ()
    _sought: str = ""
    """What was looked for last."""
    _cursor: Path | None = None
    """Where the last edit ended."""

    @property
    def stack_view(self) -> StackView:
        """The editor."""
        return self.query_one("#stack", StackView)

    @property
    def chosen_rows(self) -> StackRows:
        """The rows of the selected candidate."""
        shown = self.stack_view.rows
        chosen = shown.chosen if isinstance(shown, BesideRows) else shown
        assert isinstance(chosen, StackRows)
        return chosen

    def place(self, *, on_input: bool = True) -> tuple[Path, int]:
        """Path of the first marked row (or of the cursor's) and the number of rows.

        Args:
            on_input: whether the row of the input will do, which is no layer.

        Raises:
            LabError: when the marked rows are not neighbours in one stack.

        """
        view = self.stack_view
        rows = self.chosen_rows
        if view.cursor == 0 and not on_input:
            raise LabError("the input follows from the task; move to a layer, or add one with a")
        if self.mark is None or self.mark == view.cursor:
            return rows.path(view.cursor), 1
        first, last = sorted((rows.path(self.mark), rows.path(view.cursor)))
        depth = min(len(first), len(last))
        first, last = first[:depth], last[:depth]
        if not first or first[:-1] != last[:-1]:
            raise LabError("the marked rows are not neighbours; mark rows inside the same brackets")
        return first, last[-1] - first[-1] + 1

    def edit_rows(self, make: Edit, *, on_input: bool = False) -> bool:
        """Edit the rows at the cursor, keep the budget if it is held, and put the cursor where the edit ended.

        Args:
            make: the edit.
            on_input: whether it can be done at the row of the input, which is no layer.

        """
        try:
            path, number = self.place(on_input=on_input)
        except LabError as error:
            self.notify(str(error), severity="warning", timeout=4)
            return False
        if not self.change(lambda bench: self._edited(bench, make, path, number)):
            return False
        self.after_edit()
        return True

    def _edited(self, bench: Bench, make: Edit, path: Path, number: int) -> Bench:
        result = make(bench.candidate.stack, path, number)
        self._cursor = result.cursor
        return held(benches.with_stack(bench, result.stack))

    def after_edit(self) -> None:
        """Put the cursor where the edit ended."""
        if self.mark is not None:
            self.mark = None
            self.show_bench()
        if self._cursor is not None:
            self.stack_view.cursor = self.chosen_rows.row(self._cursor)
        self._cursor = None

    # Text of one row

    def action_row_edit(self) -> None:
        """Edit the row under the cursor as text."""
        try:
            path, number = self.place()
            text = format_stack(edit.rows_at(self.shown.candidate.stack, path, number))
        except LabError:
            self.action_edit()
            return
        self._ask_rows("row", text, "a layer or several; nothing deletes the row", _replaced)

    def action_row_add(self, text: str = "") -> None:
        """Write a layer that follows the row under the cursor."""
        self._ask_rows("add", text, "a layer or several: 64 relu · dropout(0.2) · residual(64 relu 64)", _inserted)

    def action_row_number(self, digit: str) -> None:
        """Type the number of the row under the cursor."""
        try:
            path, _ = self.place()
            value = layer_edits.number_of(edit.layer_at(self.shown.candidate.stack, path))
        except LabError as error:
            self.notify(str(error), timeout=3)
            return
        if value is None:
            self.notify("this row has no number; enter edits it as text", timeout=3)
            return
        self._ask_rows("number", digit, f"now {value:g}", _numbered)

    def action_row_find(self) -> None:
        """Go to the next row that says something."""
        start = self.stack_view.cursor

        def find(bench: Bench, text: str) -> Bench:
            rows = self.chosen_rows
            wanted = text.strip() or self._sought
            at = rows.find(wanted, start + 1) if wanted else start
            if at is None:
                raise LabError(f"no row says {wanted!r}")
            self.stack_view.cursor = at
            return bench

        def found(bench: Bench, text: str) -> Bench:
            self._sought = text.strip() or self._sought
            return bench

        hint = f"enter finds {self._sought} again" if self._sought else "a part of a row, such as relu or 64"
        self.ask("find", "", hint, find, done=found)

    def _ask_rows(self, kind: str, text: str, hint: str, edit_as: Callable[[str], Edit]) -> None:
        try:
            path, number = self.place()
        except LabError as error:
            self.notify(str(error), severity="warning", timeout=4)
            return
        self.ask_notation(kind, text, hint, lambda bench, text: self._edited(bench, edit_as(text), path, number))

    # One key, one edit

    def action_row_delete(self) -> None:
        """Delete the rows."""
        self.edit_rows(edit.delete)

    def action_row_duplicate(self) -> None:
        """Double the rows."""
        self.edit_rows(edit.duplicate)

    def action_row_move(self, step: int) -> None:
        """Move the rows up or down, into and out of brackets."""
        self.edit_rows(edit.move_down if step > 0 else edit.move_up)

    def action_row_bump(self, by: int) -> None:
        """One more or one less."""
        self.edit_rows(lambda stack, path, number: layer_edits.bump(stack, path, by))

    def action_row_wrap(self, what: Literal["repeat", "residual", "sum"]) -> None:
        """Wrap the rows."""
        makers = {"repeat": edit.wrap_repeat, "residual": edit.wrap_residual, "sum": edit.wrap_sum}
        self.edit_rows(lambda stack, path, number: makers[what](stack, path, number))

    def action_row_unwrap(self) -> None:
        """Take the container away."""
        self.edit_rows(lambda stack, path, number: edit.unwrap(stack, path))

    def action_row_activation(self) -> None:
        """Take the activation away, or put one."""
        self.edit_rows(lambda stack, path, number: layer_edits.toggle_activation(stack, path))

    def action_row_cycle(self) -> None:
        """The next kind of activation."""
        self.edit_rows(lambda stack, path, number: layer_edits.cycle_activation(stack, path))

    def action_row_lock(self) -> None:
        """Keep the width, or let it go."""
        self.edit_rows(lambda stack, path, number: layer_edits.toggle_lock(stack, path))

    def action_row_bias(self) -> None:
        """With or without bias."""
        self.edit_rows(lambda stack, path, number: layer_edits.toggle_bias(stack, path))

    def action_row_mark(self) -> None:
        """Begin to mark, or forget the mark."""
        self.mark = self.stack_view.cursor if self.mark is None else None
        self.show_bench()

    def action_row_copy(self) -> None:
        """Remember the rows."""
        try:
            path, number = self.place()
            self.clipboard = edit.rows_at(self.shown.candidate.stack, path, number)
        except LabError as error:
            self.notify(str(error), timeout=3)
            return
        self.mark = None
        self.show_bench()
        self.notify(f"copied {format_stack(self.clipboard)}; p pastes it after a row", timeout=2)

    def action_row_paste(self) -> None:
        """Put what was remembered after the row."""
        if not self.clipboard:
            self.notify("nothing is copied yet; y copies a row", timeout=2)
            return
        layers = self.clipboard
        self.edit_rows(lambda stack, path, number: edit.insert_after(stack, path, layers), on_input=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """On a small screen the digits choose a pane instead of a number."""
        return False if action == "row_number" and self.small else super().check_action(action, parameters)

    @property
    def small(self) -> bool:
        """Whether there is room for one pane only."""
        return self.size.width < 70 or self.size.height < 20


def _inserted(text: str) -> Edit:
    layers = parse(text)
    return lambda stack, path, number: edit.insert_after(stack, path, layers) if layers else Edited(stack, path)


def _replaced(text: str) -> Edit:
    layers = parse(text)
    if not layers:
        return edit.delete
    return lambda stack, path, number: edit.substitute(stack, path, layers, number)


def _numbered(text: str) -> Edit:
    try:
        value = float(text.replace(",", "").replace("_", ""))
    except ValueError:
        raise LabError(f"{text!r} is not a number") from None
    return lambda stack, path, number: layer_edits.set_number(stack, path, value)
