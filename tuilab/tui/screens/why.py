"""The theory behind warnings, with this network's numbers; below it, plain facts about the network."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from tuilab.analysis.insight import Insight
from tuilab.store.rates import Measured
from tuilab.tui.bench import Bench
from tuilab.tui.facts_lines import all_facts
from tuilab.tui.lines import Line, Span, Text, letter, wrap
from tuilab.tui.widgets.line_view import LineView


class WhyScreen(ModalScreen[None]):
    """A panel to read."""

    DEFAULT_CSS = """
    WhyScreen {
        align: center middle; background: $background 60%;
        & > Vertical { width: 84; max-width: 96%; height: 90%; border: round $primary; background: $background;
                       border-title-color: $primary; border-title-style: bold; border-subtitle-color: $dim; }
        & LineView { height: 1fr; padding: 0 1; }
        &.-ascii > Vertical { border: ascii $primary; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,w,enter", "close", "Close", id="why.close", tooltip="Go back"),
    ]

    def __init__(self, bench: Bench, insights: Sequence[Insight], rates: Sequence[Measured] = ()) -> None:
        """Make the panel.

        Args:
            bench: whose selected candidate it is about.
            insights: the warnings.
            rates: how fast this lab has trained before.

        """
        super().__init__()
        self._rates = rates
        self._bench = bench
        self._insights = insights

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = f"Why · {letter(self._bench.selected)}"
            box.border_subtitle = "esc closes · ↑↓ scroll"
            yield LineView(cursor_on=False)

    def on_mount(self) -> None:
        self.set_class(getattr(self.app, "glyphs", "") == "ascii", "-ascii")

    def on_resize(self) -> None:
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        view = self.query_one(LineView)
        view.rows = Text(tuple(why_lines(self._bench, self._insights, max(20, view.size.width), self._rates)))

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()


def why_lines(bench: Bench, insights: Sequence[Insight], width: int, rates: Sequence[Measured] = ()) -> Iterator[Line]:
    """Every warning with its theory and its remedies, then the facts."""
    for insight in insights:
        yield from wrap(f"! {insight.sentence}", width, "warn")
        yield ()
        yield (Span(insight.why.title, "strong"),)
        yield from wrap(insight.why.text, width)
        if insight.why.reference:
            yield from wrap(insight.why.reference, width, "dim")
        for fix in insight.fixes:
            yield (Span("f ", "key"), Span(fix.label))
        yield ()
    yield (Span("Facts", "strong"),)
    yield from all_facts(bench, width, rates)
