"""Task, training and protocol, field by field, with a picture of the data; every change shows at once on the bench."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen

from tuilab.spec.comparison import Comparison
from tuilab.spec.errors import LabError
from tuilab.spec.task import Task, facts
from tuilab.tui.lines import Line, Span, Text, clip, left, wrap
from tuilab.tui.picture import picture
from tuilab.tui.settings import Setting, settings, stepped, with_setting
from tuilab.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from tuilab.tui.canvas import Glyphs
    from tuilab.tui.widgets.prompt import Prompt

_KEYS = "←→ change · ⏎ write · ? help · esc back"
_PLAIN_KEYS = "left/right change - enter write - ? help - esc back"

Change = Callable[[Comparison], bool]
"""Takes a changed comparison to the bench; False where that says no."""


class SettingsScreen(ModalScreen[None]):
    """A list of fields: left and right step through values, enter types one."""

    DEFAULT_CSS = """
    SettingsScreen {
        align: center middle; background: $background 60%;
        & #settings-box { width: 110; max-width: 98%; height: 92%; border: round $primary; background: $background;
            border-title-color: $primary; border-title-style: bold; border-subtitle-color: $dim; }
        & #settings { width: 1fr; height: 1fr; }
        & #picture { width: 46; height: 1fr; padding: 0 1; }
        & #about { height: 2; padding: 0 1; }
        &.-compact #picture { width: 34; }
        &.-narrow #picture, &.-sliver #picture { display: none; }
        &.-ascii #settings-box { border: ascii $primary; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space,plus", "step(1)", "More", id="settings.next", tooltip="The next value"),
        Binding("left,minus", "step(-1)", "Less", id="settings.previous", tooltip="The value before"),
        Binding("enter,i", "edit", "Write", id="settings.edit", tooltip="Write the value"),
        Binding("question_mark,f1", "app.keys", "Help", id="settings.help", tooltip="Show these keys"),
        Binding("escape,q,T", "close", "Close", id="settings.close", tooltip="Back to the bench"),
    ]

    def __init__(self, comparison: Comparison, change: Change) -> None:
        """Make the screen.

        Args:
            comparison: what is shown.
            change: takes every change to the bench.

        """
        super().__init__()
        self._comparison = comparison
        self._change = change
        self._written = settings(comparison)[0].where

    def compose(self) -> ComposeResult:
        with Vertical(id="settings-box") as box:
            box.border_title = "Task and training"
            with Horizontal():
                yield LineView(id="settings")
                yield LineView(id="picture", cursor_on=False)
            yield LineView(id="about", cursor_on=False)

    def on_mount(self) -> None:
        self.query_one("#picture").can_focus = False
        self.query_one("#about").can_focus = False
        self.set_class(self._plain, "-ascii")

    @property
    def _plain(self) -> bool:
        return getattr(self.app, "glyphs", "") == "ascii"

    def on_resize(self) -> None:
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        view = self.query_one("#settings", LineView)
        view.rows = Text([_line(setting, max(20, view.size.width)) for setting in settings(self._comparison)])
        self._tell()
        self._draw()

    def _draw(self, task: Task | None = None) -> None:
        """Draw the task's data, or those of the task that is being typed."""
        view = self.query_one("#picture", LineView)
        width, height = view.size
        if width > 4 and height > 4:
            glyphs: Glyphs = getattr(self.app, "glyphs", "braille")
            view.rows = Text(picture(task or self._comparison.task, width, height, glyphs))

    def _tell(self) -> None:
        about = self.query_one("#about", LineView)
        setting = self._setting
        width = max(20, about.size.width)
        lines = wrap(setting.about, width, "dim")[:1]
        if setting.choices:
            lines.append((Span(clip(" · ".join(setting.choices), width), "accent"),))
        about.rows = Text(lines)
        place = f"{self._place + 1} of {len(settings(self._comparison))}"
        keys = _PLAIN_KEYS if self._plain else _KEYS
        self.query_one("#settings-box").border_subtitle = f"{place} {'-' if self._plain else '·'} {keys}"

    @property
    def _place(self) -> int:
        """Index of the selected field; a change of task may have left the cursor beyond the last."""
        return min(self.query_one("#settings", LineView).cursor, len(settings(self._comparison)) - 1)

    @property
    def _setting(self) -> Setting:
        return settings(self._comparison)[self._place]

    def on_line_view_moved(self) -> None:
        self._tell()

    def action_step(self, step: int) -> None:
        """The next value or the one before."""
        try:
            self._take(with_setting(self._comparison, self._setting.where, stepped(self._setting, step)))
        except LabError as error:
            self.notify(str(error), severity="warning", timeout=4)

    def action_edit(self) -> None:
        """Write the value."""
        from tuilab.tui.widgets.prompt import Prompt

        if not self.query(Prompt):
            setting = self._setting
            self._written = setting.where
            value = "" if setting.value == "-" else setting.value
            self.mount(Prompt(setting.where[-1], value, hint=setting.about))

    def on_prompt_changed(self, message: "Prompt.Changed") -> None:
        message.stop()
        try:
            task = with_setting(self._comparison, self._written, message.value).task
            facts(task)
            self._draw(task)
            message.prompt.say("enter accepts")
        except LabError as error:
            message.prompt.complain(str(error))

    async def on_prompt_accepted(self, message: "Prompt.Accepted") -> None:
        message.stop()
        try:
            self._take(with_setting(self._comparison, self._written, message.value))
        except LabError as error:
            message.prompt.complain(str(error))
            return
        await message.prompt.remove()
        self.set_focus(self.query_one("#settings"))

    async def on_prompt_cancelled(self, message: "Prompt.Cancelled") -> None:
        message.stop()
        await message.prompt.remove()
        self.set_focus(self.query_one("#settings"))
        self._draw()

    def _take(self, comparison: Comparison) -> None:
        if self._change(comparison):
            self._comparison = comparison
            self._fill()

    def action_close(self) -> None:
        """Back to the bench."""
        self.dismiss()


def _line(setting: Setting, width: int) -> Line:
    first = setting.where[-1] == "kind" and setting.where[0] == "task"
    section = setting.where[0] if first or setting.where[1:] in (("optimizer", "kind"), ("lr_grid",)) else ""
    name = 10 + 17
    return (
        Span(left(f" {section}", 10), "strong accent"),
        Span(left(setting.name, 17), "dim"),
        Span(clip(setting.value, max(6, width - name)), "" if setting.value != "-" else "dim"),
    )
