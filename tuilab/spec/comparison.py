"""A comparison: a task, its candidates, a question and a protocol. On disk it is a preset file."""

from enum import Enum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from tuilab.spec.errors import LabError
from tuilab.spec.fields import LearningRate, PositiveInt, StackField, Value
from tuilab.spec.network import Network
from tuilab.spec.task import Task, TaskFacts, facts
from tuilab.spec.training import Training

_PRINTABLE = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$"
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")
]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=400, pattern=_PRINTABLE)]
Prose = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20_000, pattern=_PRINTABLE)]

LR_GRID = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
"""Half decades that hold the best learning rate of nearly every network here."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""A candidate's letter on screen is that of its position."""


class Candidate(Value):
    """One network with its training."""

    name: Name
    """What it is called on screen; short, and its own."""
    stack: Annotated[StackField, Field(json_schema_extra={"default": ""})] = ()
    training: Training | None = None
    """Where it differs from the comparison's training; in a file only the differing fields are written."""


class BudgetRule(Enum):
    """What must hold between the candidates' parameter counts before a run."""

    NONE = "none"
    AT_MOST = "at_most"
    """No candidate exceeds the reference (for claims that the others win)."""
    AT_LEAST = "at_least"
    """No candidate is below the reference."""
    NEAREST = "nearest"
    """Every candidate is within the tolerance of the reference."""


class Budget(Value):
    """Equal parameters: who is the reference and how far the others may be from it."""

    rule: BudgetRule = BudgetRule.NONE
    reference: Name | PositiveInt | None = None
    """A candidate's name or a number of parameters; None is the first candidate."""
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.15
    """Largest |(actual - reference) / reference|."""


class Protocol(Value):
    """How candidates are tuned and judged. Every default is the lab's protocol of fair comparison."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """The experiment seed, from which every random number derives."""
    lr_grid: Annotated[tuple[LearningRate, ...], Field(min_length=1, max_length=30)] = LR_GRID
    """Learning rates that every candidate is tuned over; unused where the training fixes one."""
    extend_grid: bool = True
    """Try further learning rates when the best sits at an edge of the grid."""
    tuning_seeds: Annotated[int, Field(ge=1, le=1000)] = 4
    retune_seeds: Annotated[int, Field(ge=0, le=1000)] = 8
    """Further tuning seeds at the three best learning rates of a candidate of which some runs fail there."""
    final_seeds: Annotated[int, Field(ge=1, le=10_000)] = 10
    test: Literal["welch_log", "welch", "mann_whitney", "paired", "nadeau_bengio"] = "welch_log"
    """The test between candidates; nadeau_bengio is for repeated splits of one table."""
    margin: Annotated[float, Field(gt=0)] | None = None
    """Largest difference of the metric that counts as equivalent (TOST); None: equivalence is not tested."""
    target: Annotated[float, Field(gt=0)] | None = None
    """Metric for which steps, seconds and parameters are told; without it, one that every candidate reaches."""
    budget: Budget = Budget()
    probes: bool = False
    """Measure each final run's network at its end: linear regions, effective rank, a linear readout of every layer."""


class VerdictKind(Enum):
    """What a test says of one candidate against another; lower metrics are better."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    CANNOT_TELL = "cannot tell"


class Expectation(Value):
    """What the preset's author found; ``tuilab verify`` checks it."""

    candidate: Name
    against: Name
    """The candidate that it is compared with."""
    verdict: VerdictKind
    sign: Literal["lower", "higher", "either"] = "either"
    """Whether the candidate's mean metric lies below the other's."""


class Patch(Value):
    """A profile: the fields of a comparison that it changes, written as in the file."""

    task: dict[str, JsonValue] = {}
    training: dict[str, JsonValue] = {}
    protocol: dict[str, JsonValue] = {}


class Comparison(Value):
    """A question with everything needed to answer it."""

    title: Line
    """A few words; the library and headings show them."""
    question: Line = ""
    """What running it answers, as a person would ask."""
    hypothesis: Line = ""
    """The answer that its author expects."""
    about: Prose = ""
    """What a curious reader wants: the claim, the theory with its reference, what the result does not show."""
    task: Task
    """What is learnt: a kind alone (``digits``), or a kind with its settings."""
    training: Training = Training()
    protocol: Protocol = Protocol()
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1, max_length=len(LETTERS))]
    """The networks that are compared, in the order of their letters."""
    expect: tuple[Expectation, ...] = ()
    """What the author found."""
    profiles: dict[Literal["quick", "gpu"], Patch] = {}
    """``quick`` for a first look, ``gpu`` for more seeds; without one the comparison is run as it stands."""

    @model_validator(mode="before")
    @classmethod
    def _complete_candidates(cls, data: object) -> object:
        """Candidates write only the training fields in which they differ; fill in the rest."""
        if not isinstance(data, dict) or not isinstance(data.get("candidates"), list | tuple):
            return data
        shared = data.get("training", {})
        shared = shared.model_dump(mode="json") if isinstance(shared, Training) else shared
        candidates = [_complete(candidate, shared) for candidate in data["candidates"]]
        return {**data, "candidates": candidates}

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [candidate.name for candidate in self.candidates]
        for index, name in enumerate(names):
            if name in names[:index]:
                problem = f"two candidates are called {name!r}; give each its own name"
                raise _misplaced(problem, "candidates", index, "name")
        for index, expected in enumerate(self.expect):
            _require(expected.candidate, names, "expect", index, "candidate")
            _require(expected.against, names, "expect", index, "against")
        if isinstance(self.protocol.budget.reference, str):
            _require(self.protocol.budget.reference, names, "protocol", "budget", "reference")
        return self

    def training_of(self, candidate: Candidate) -> Training:
        """The candidate's own training, or the comparison's."""
        return candidate.training or self.training

    def network_of(self, candidate: Candidate, task_facts: TaskFacts | None = None) -> Network:
        """The candidate's network for this task.

        Raises:
            LabError: when the loss does not fit the task, or a CSV file cannot be used.

        """
        known = task_facts or facts(self.task)
        return Network(candidate.stack, known.in_shape, known.out_features(self.training_of(candidate).loss))

    def with_profile(self, name: str) -> "Comparison":
        """This comparison with the profile's fields changed; ``full`` is the comparison itself.

        Raises:
            LabError: when there is no such profile.

        """
        if name == "full":
            return self
        patch = next((p for key, p in self.profiles.items() if key == name), None)
        if patch is None:
            raise LabError(f"this preset has no profile {name!r}; it has {', '.join(['full', *self.profiles])}")
        data = dump(self)
        for room in ("task", "training", "protocol"):
            data[room] = merge(data.get(room, {}), getattr(patch, room))
        return Comparison.model_validate(data)


def _require(name: str, names: list[str], *place: str | int) -> None:
    if name not in names:
        raise _misplaced(f"there is no candidate {name!r} (there are {', '.join(names)})", *place)


def _misplaced(problem: str, *place: str | int) -> PydanticCustomError:
    """A problem between fields, to be shown at one of them: the keys and indices of ``place``."""
    return PydanticCustomError("misplaced", "{problem}", {"problem": problem, "place": place})


def merge(base: object, patch: object) -> object:
    """``base`` with the keys of ``patch``, mappings merged key by key; a new ``kind`` replaces the whole mapping."""
    if not isinstance(base, dict) or not isinstance(patch, dict):
        return patch
    if "kind" in patch and patch["kind"] != base.get("kind"):
        return patch
    return {**base, **{key: merge(base.get(key), value) for key, value in patch.items()}}


def _complete(candidate: object, shared: object) -> object:
    if not isinstance(candidate, dict) or not isinstance(candidate.get("training"), dict):
        return candidate
    return {**candidate, "training": merge(shared, candidate["training"])}


def dump(comparison: Comparison) -> dict[str, Any]:
    """The comparison as JSON-like data without fields at their defaults; ``Comparison.model_validate`` reads it back.

    A candidate's training is written as its difference from the comparison's.
    """
    data: dict[str, Any] = comparison.model_dump(mode="json", exclude_defaults=True)
    data["task"] = {"kind": comparison.task.kind, **data.get("task", {})}
    _name_kinds(data.get("training", {}), comparison.training)
    shared = comparison.training.model_dump(mode="json")
    for written, candidate in zip(data["candidates"], comparison.candidates, strict=True):
        written.setdefault("stack", "")
        if candidate.training is not None:
            own = candidate.training.model_dump(mode="json")
            written["training"] = {key: value for key, value in own.items() if value != shared[key]}
    return data


def _name_kinds(written: dict[str, Any], training: Training) -> None:
    """``exclude_defaults`` drops the discriminator of a union; put it back."""
    for key in ("optimizer", "schedule"):
        if key in written:
            written[key] = {"kind": getattr(training, key).kind, **written[key]}
