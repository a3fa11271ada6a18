"""The budget: set it, match to it, keep to it; and families of candidates at one budget."""

from dataclasses import replace
from functools import partial

from tuilab.spec.errors import LabError
from tuilab.tui.bench import Bench
from tuilab.tui.bench_budget import (
    QUANTITY_NAMES,
    Scan,
    budget_text,
    held,
    matched,
    matched_all,
    scanned,
    target,
    with_budget,
)
from tuilab.tui.numbers import exact, signed_percent
from tuilab.tui.screens.lab_editing import LabEditing


class LabBudget(LabEditing):
    """The actions on the budget."""

    def action_match(self) -> None:
        """Bring the selected candidate's widths to the budget."""
        if self.change(matched):
            self._tell_residual()

    def action_match_all(self) -> None:
        """Bring every candidate's widths to the budget."""
        problems: tuple[str, ...] = ()

        def all_matched(bench: Bench) -> Bench:
            nonlocal problems
            made, problems = matched_all(bench)
            return made

        if self.change(all_matched):
            for problem in problems:
                self.notify(problem, severity="warning", timeout=5)
            if not problems:
                self.notify("every candidate is matched; the budget pane shows what is left over", timeout=3)

    def _tell_residual(self) -> None:
        bench = self.shown
        count, goal = bench.count(bench.candidate), target(bench)
        if not isinstance(count, LabError):
            amount: int = getattr(count, bench.goal.quantity)
            name = QUANTITY_NAMES[bench.goal.quantity]
            self.notify(f"{exact(amount)} {name}, {signed_percent((amount - goal) / goal)} off the budget", timeout=3)

    def action_budget(self) -> None:
        """Say what the budget is."""
        hint = f"now {budget_text(self.shown)} · write 10 000 · at most 1.2M · same as A · 5k macs · 9k outputs · none"
        self.ask("budget", "", hint, with_budget)

    def action_hold(self) -> None:
        """Keep to the budget: after every change of depth, widths follow."""
        if self.change(lambda bench: held(replace(bench, held=not bench.held))):
            kept = self.shown.held
            self.notify("widths now follow every change" if kept else "widths stay as they are written", timeout=3)

    def action_scan(self) -> None:
        """Turn the selected candidate into a family."""
        from tuilab.tui.screens.question import Choice, QuestionScreen

        def answer(choice: str | None) -> None:
            kinds: dict[str, Scan] = {"depths": "depths", "widths": "widths", "activation": "activation"}
            if choice in kinds:
                self.change(partial(scanned, kind=kinds[choice]))

        choices = (
            Choice("depths", "depths 1, 2, 4, 8, 16 at the same budget", "d"),
            Choice("widths", "widths ×0.5, ×1, ×2 at the same depth", "w"),
            Choice("activation", "with and without activation", "a"),
            Choice("cancel", "nothing", "c"),
        )
        name = self.shown.candidate.name
        self.app.push_screen(QuestionScreen(f"Turn “{name}” into a family of candidates:", choices), answer)
