"""What the runner and an engine say to each other: one JSON line each, requests down, events up."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from tuilab.spec.fields import StackField, Value
from tuilab.spec.probes import Probes
from tuilab.spec.task import Task
from tuilab.spec.training import Training


class Change(Value):
    """What a person has changed of a run while it trained; from then on it is no run as it was planned."""

    step: int
    """Optimiser steps that the run had taken."""
    lr: float | None = None
    """Its learning rate from then on, which the schedule still multiplies; None where that stayed."""
    steps: int | None = None
    """How many steps it takes in all from then on; None where that stayed."""


def total_steps(planned: int, changes: Sequence[Change]) -> int:
    """How many steps a run takes in all that was planned with so many."""
    return next((change.steps for change in reversed(changes) if change.steps is not None), planned)


class Replica(Value):
    """One run inside a group."""

    run: int
    """The store's id of the run."""
    seed_index: int
    """Which seed: data and initialisation derive from (experiment seed, seed index, purpose)."""
    lr: float
    changes: tuple[Change, ...] = ()
    """What was changed before its last engine died: it is changed again at the same steps."""


class TrainGroup(Value):
    """Request: train one network, ``len(replicas)`` times, as one batch of replicas."""

    kind: Literal["train"] = "train"
    group: int
    stack: StackField
    task: Task
    training: Training
    seed: int
    """The experiment seed."""
    replicas: tuple[Replica, ...]
    device: str = "cpu"
    threads: int = 1
    checkpoints: str = ""
    """Folder of the experiment's checkpoints; empty for none. What is found there is gone on from."""
    checkpoint_seconds: float = 30.0
    """Time between two checkpoints."""
    probes: bool = False
    """Whether RunFinished carries ``probes``."""


class StopGroup(Value):
    """Request: end a group now; its replicas are reported as they stand by GroupFinished with ``stopped``."""

    kind: Literal["stop"] = "stop"
    group: int


class PauseGroup(Value):
    """Request: hold a group (or go on with it) between two steps."""

    kind: Literal["pause"] = "pause"
    group: int
    paused: bool


class ChangeRuns(Value):
    """Request: change some runs of the group that trains, between two steps; RunsChanged or RunStopped answer.

    What would change nothing is not answered, so that the request may be sent twice.
    """

    kind: Literal["change"] = "change"
    group: int
    runs: tuple[int, ...]
    lr: float | None = None
    """Their learning rate from now on; None leaves it."""
    steps: int | None = None
    """How many steps they take in all, more than now; None leaves it. Holds for the whole group."""
    stop: bool = False
    """Whether they end now."""


class Shutdown(Value):
    """Request: end the process once idle."""

    kind: Literal["shutdown"] = "shutdown"


class Ready(Value):
    """Event: the engine has imported torch and takes requests."""

    kind: Literal["ready"] = "ready"
    torch: str
    device_name: str
    cuda: tuple[str, ...] = ()
    """Names of the CUDA devices seen."""
    kernel: bool = False
    """Whether the CPU trains dense stacks with the compiled kernel; without it the same numbers round otherwise."""


class GroupStarted(Value):
    """Event: data and modules are made, the first step follows."""

    kind: Literal["started"] = "started"
    group: int
    num_params: int
    """Parameters of one replica, counted on the built tensors."""


class Points(Value):
    """Event: reported losses of some runs at some steps; None where a run has left or a value is not finite."""

    kind: Literal["points"] = "points"
    group: int
    runs: tuple[int, ...]
    steps: tuple[int, ...]
    train_loss: tuple[tuple[float | None, ...], ...]
    """(steps, runs): mean over the steps since the last report."""
    eval_loss: tuple[tuple[float | None, ...], ...]
    """(steps, runs): on the validation part."""
    metric: tuple[tuple[float | None, ...], ...]
    """(steps, runs): on the validation part."""

    @model_validator(mode="after")
    def _shaped(self) -> Self:
        for rows in (self.train_loss, self.eval_loss, self.metric):
            if len(rows) != len(self.steps) or not {len(self.runs)}.issuperset(map(len, rows)):
                raise ValueError(f"there must be {len(self.steps)} rows of {len(self.runs)} values")
        return self


class RunFinished(Value):
    """Event: one run took all its steps."""

    kind: Literal["run_finished"] = "run_finished"
    group: int
    run: int
    train_loss: float | None
    """On the whole training part (at most its first 4,096 examples) after the last step."""
    train_metric: float | None
    val_loss: float | None
    val_metric: float | None
    test_loss: float | None
    test_metric: float | None
    dead_fraction: float | None = None
    """Share of ReLU units that are zero on every validation example; None without ReLU."""
    probes: Probes | None = None
    """Where they were asked for and the network can be probed."""


class RunFailed(Value):
    """Event: one run diverged; its neighbours go on."""

    kind: Literal["run_failed"] = "run_failed"
    group: int
    run: int
    step: int
    reason: str


class RunsChanged(Value):
    """Event: some runs have been changed on request."""

    kind: Literal["changed"] = "changed"
    group: int
    runs: tuple[int, ...]
    change: Change


class RunStopped(Value):
    """Event: one run has been ended on request; its neighbours go on."""

    kind: Literal["run_stopped"] = "run_stopped"
    group: int
    run: int
    step: int


class GroupFinished(Value):
    """Event: every replica of the group has finished, failed or been stopped."""

    kind: Literal["finished"] = "finished"
    group: int
    seconds: float
    """Wall time of training and evaluation, without building."""
    steps: int
    """Optimiser steps taken, summed over replicas."""
    stopped: bool = False


class GroupFailed(Value):
    """Event: the group could not be trained at all."""

    kind: Literal["failed"] = "failed"
    group: int
    reason: str
    out_of_memory: bool = False
    """Whether a smaller group might be trained."""


Request = Annotated[TrainGroup | StopGroup | PauseGroup | ChangeRuns | Shutdown, Field(discriminator="kind")]
Event = Annotated[
    Ready | GroupStarted | Points | RunFinished | RunFailed | RunsChanged | RunStopped | GroupFinished | GroupFailed,
    Field(discriminator="kind"),
]
REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
