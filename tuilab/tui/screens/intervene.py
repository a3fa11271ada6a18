"""Interfering with what trains: another learning rate, more steps, or the end of one run."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from tuilab.spec.errors import LabError
from tuilab.spec.protocol import total_steps
from tuilab.store.records import Status
from tuilab.tui.screens.question import Choice, QuestionScreen

if TYPE_CHECKING:
    from tuilab.store.records import RunRecord
    from tuilab.tui.app import LabApp
    from tuilab.tui.live import LiveState

_MOST_RUNS = 12
"""Runs that are listed to choose one from."""
_LETTERS = "abdefghijklm"
"""Keys of the listed runs; c is for cancelling."""
_CANCEL = Choice("cancel", "leave everything as it is", "c")


def ask_change(lab: "LabApp", live: "LiveState", index: int) -> None:
    """Ask what to change of the runs of a candidate that train now, and have it changed.

    Args:
        lab: the application.
        live: the experiment that is watched.
        index: the candidate; where none of its runs trains, a word says so.

    """
    runs = [run for run in live.runs if run.candidate == index and run.status in (Status.RUNNING, Status.PAUSED)]
    name = live.experiment.comparison.candidates[index].name
    if not runs:
        lab.notify(f"no run of {name} trains now; [ and ] select another candidate", timeout=4)
        return

    def answer(choice: str | None) -> None:
        asks = {"lr": _ask_lr, "steps": _ask_steps, "run": _ask_run}
        if choice in asks:
            asks[choice](lab, live, runs)

    choices = (
        Choice("lr", "train on with another learning rate", "l"),
        Choice("steps", "take more steps", "s"),
        Choice("run", "stop one run; the others go on", "r"),
        _CANCEL,
    )
    question = (
        f"{len(runs):,} runs of “{name}” train now. What should they do? Runs that you change or stop are marked and "
        "left out of the verdict; those that are changed are trained again as planned."
    )
    lab.push_screen(QuestionScreen(question, choices), answer)


def _ask_lr(lab: "LabApp", live: "LiveState", runs: "list[RunRecord]") -> None:
    from tuilab.runner.client import set_lr

    now = _lr_of(runs[0])
    rates = [float(f"{now * factor:.3g}") for factor in (0.1, 0.3, 3, 10)]
    choices = tuple(Choice(f"{rate:g}", f"{rate:g}", key) for rate, key in zip(rates, "1234", strict=True))
    question = f"The learning rate is {now:g}, times what the schedule says. Go on with (tuilab lr takes any):"

    def answer(choice: str | None) -> None:
        if choice is not None and choice != "cancel":
            change = partial(set_lr, lab.home, live.experiment.id, float(choice), runs[0].candidate)
            _send(lab, change, f"going on with learning rate {choice}")

    lab.push_screen(QuestionScreen(question, (*choices, _CANCEL)), answer)


def _ask_steps(lab: "LabApp", live: "LiveState", runs: "list[RunRecord]") -> None:
    from tuilab.runner.client import set_steps

    comparison = live.experiment.comparison
    planned = comparison.training_of(comparison.candidates[runs[0].candidate]).steps
    now = max(total_steps(planned, run.changes) for run in runs)
    choices = tuple(
        Choice(str(round(now * factor)), f"{round(now * factor):,}", key)
        for factor, key in ((1.5, "1"), (2, "2"), (5, "3"), (10, "4"))
    )

    def answer(choice: str | None) -> None:
        if choice is not None and choice != "cancel":
            change = partial(set_steps, lab.home, live.experiment.id, int(choice), runs[0].candidate)
            _send(lab, change, f"going on to step {int(choice):,}")

    question = f"They take {now:,} steps. Take how many in all (tuilab steps takes any)?"
    lab.push_screen(QuestionScreen(question, (*choices, _CANCEL)), answer)


def _ask_run(lab: "LabApp", live: "LiveState", runs: "list[RunRecord]") -> None:
    from tuilab.runner.client import stop_run

    listed = list(zip(runs, _LETTERS, strict=False))[:_MOST_RUNS]
    choices = tuple(
        Choice(str(run.id), f"run {run.id}: seed {run.seed_index}, lr {_lr_of(run):g}, step {run.step:,}", key)
        for run, key in listed
    )
    more = f" of {len(runs):,} (tuilab stop --run takes any)" if len(runs) > len(listed) else ""

    def answer(choice: str | None) -> None:
        if choice is not None and choice != "cancel":
            _send(lab, partial(stop_run, lab.home, live.experiment.id, int(choice)), "stopping it; the others go on")

    lab.push_screen(QuestionScreen(f"Stop which run{more}?", (*choices, _CANCEL)), answer)


def _lr_of(run: "RunRecord") -> float:
    return next((change.lr for change in reversed(run.changes) if change.lr is not None), run.lr)


def _send(lab: "LabApp", change: Callable[[], None], said: str) -> None:
    try:
        change()
    except LabError as error:
        lab.notify(str(error), severity="error", timeout=6)
    else:
        lab.notify(said, timeout=3)
