"""More seeds: asks how many, and lets an experiment that has ended go on with them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tuilab.spec.errors import LabError
from tuilab.spec.seeds import MOST_SEEDS
from tuilab.tui.screens.question import Choice, QuestionScreen

if TYPE_CHECKING:
    from tuilab.store.records import ExperimentRecord
    from tuilab.tui.app import LabApp


def ask_more(lab: "LabApp", record: "ExperimentRecord", started: Callable[[], None]) -> None:
    """Ask how many seeds an experiment gets on top, and start it again.

    Args:
        lab: the application.
        record: of the experiment; one that has not ended is left alone, with a word on why.
        started: called once it has been started.

    """
    if not record.status.ended:
        lab.notify("seeds can be added once the experiment has ended", timeout=3)
        return

    def answer(choice: str | None) -> None:
        if choice is not None and choice.isdigit():
            _start(lab, record, int(choice), started)

    lab.push_screen(QuestionScreen(_question(record), seed_choices(record)), answer)


def seed_choices(record: "ExperimentRecord") -> tuple[Choice, ...]:
    """How many seeds there are to choose from: what would probably decide, as many again, or none."""
    had = record.comparison.protocol.final_seeds
    pairs = record.result.pairs if record.result is not None else ()
    deciding = max((pair.more_seeds or 0 for pair in pairs), default=0)
    choices = []
    if deciding and had + deciding <= MOST_SEEDS:
        choices.append(Choice(str(deciding), f"{deciding:,} more: about what would decide at this effect", "d"))
    if deciding != had and 2 * had <= MOST_SEEDS:
        choices.append(Choice(str(had), f"{had:,} more: as many again", "a"))
    return (*choices, Choice("cancel", "leave it as it is", "c"))


def _question(record: "ExperimentRecord") -> str:
    had = record.comparison.protocol.final_seeds
    return (
        f"Add final seeds to the {had:,} of this experiment? What it has trained stays; more follows at the same "
        "learning rates, and the verdict will say that seeds were added after a look."
    )


def _start(lab: "LabApp", record: "ExperimentRecord", seeds: int, started: Callable[[], None]) -> None:
    from tuilab.runner.client import more

    try:
        more(lab.home, record.id, seeds, standby=lab.standby)
    except LabError as error:
        lab.notify(str(error), severity="error", title="No seeds added", timeout=8)
        return
    started()
