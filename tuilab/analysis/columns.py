"""The columns of the efficiency table: what each is called, how it sorts, how it reads."""

from collections.abc import Callable
from dataclasses import dataclass

from tuilab.analysis.efficiency import EfficiencyRow
from tuilab.analysis.scaling import Reach
from tuilab.analysis.wording import metric_text, number, percent

MISSING = "–"


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        key: stable name, for remembering a choice of columns.
        title: heading, with its unit.
        about: one sentence for help.
        value: what it sorts by; None sorts last.
        text: the cell.

    """

    key: str
    title: str
    about: str
    value: Callable[[EfficiencyRow], float | None]
    text: Callable[[EfficiencyRow], str]


def _whole(value: float | None) -> str:
    return MISSING if value is None else f"{round(value):,}"


def _short(value: float | None) -> str:
    return MISSING if value is None else number(value)


def _share(value: float | None) -> str:
    return MISSING if value is None else percent(value)


def _equivalence_value(row: EfficiencyRow) -> float | None:
    return row.equivalence.value if row.equivalence else None


def _equivalence(row: EfficiencyRow) -> str:
    if row.equivalence is None or row.equivalence.value is None:
        return MISSING
    mark = {Reach.NOT_REACHED: ">", Reach.AT_MOST: "≤"}.get(row.equivalence.reach, "")
    return f"{mark}{number(row.equivalence.value, 2)}×"


def _reached(row: EfficiencyRow) -> str:
    hits, runs = row.reached
    return f"{hits}/{runs}" if runs else MISSING


def columns(metric: str, target: float | None = None) -> tuple[Column, ...]:
    """Every column, in their usual order, for a task with this metric (``error`` or ``nmse``) and a target to reach."""
    goal = "the target" if target is None else (_share if metric == "error" else _short)(target)

    def shown(row: EfficiencyRow) -> str:
        return MISSING if row.metric is None else metric_text(metric, row.metric, row.half_width)

    def front(row: EfficiencyRow) -> str:
        return MISSING if row.on_front is None else "★" if row.on_front else ""

    return (
        Column("name", "candidate", "The candidate.", lambda row: None, lambda row: row.name),
        Column(
            "params",
            "params",
            "Weights and biases, frozen ones included.",
            lambda row: row.num_params,
            lambda row: _whole(row.num_params),
        ),
        Column(
            "dof",
            "freedom",
            "Degrees of freedom: parameters left after collapse.",
            lambda row: row.degrees_of_freedom,
            lambda row: _whole(row.degrees_of_freedom),
        ),
        Column("macs", "MACs", "Weight multiplies a sample.", lambda row: row.macs, lambda row: _whole(row.macs)),
        Column(
            "activations",
            "activations",
            "Numbers that the layers put out, a sample.",
            lambda row: row.activations,
            lambda row: _whole(row.activations),
        ),
        Column(
            "metric",
            f"{metric}, mean ± 95 %",
            "Test metric of the finished final runs with its t interval; lower is better.",
            lambda row: row.metric,
            shown,
        ),
        Column("front", "Pareto", "★: none with as few parameters is clearly better.", _front_order, front),
        Column(
            "gap",
            "test − train",
            "Test metric minus train metric.",
            lambda row: row.gap,
            lambda row: (_share if metric == "error" else _short)(row.gap),
        ),
        Column(
            "failures",
            "failed",
            "Share of the ended runs that diverged.",
            lambda row: row.failure_rate,
            lambda row: _share(row.failure_rate),
        ),
        Column(
            "flops",
            "FLOPs to date",
            "Training FLOPs of all final runs: 6 a multiply and example.",
            lambda row: row.flops,
            lambda row: _whole(row.flops),
        ),
        Column("seconds", "s/run", "Seconds of one run.", lambda row: row.seconds, lambda row: _short(row.seconds)),
        Column(
            "steps_to_target",
            "steps to target",
            f"Median steps to a validation {metric} of {goal}; needs half of the runs to get there.",
            lambda row: row.steps_to_target,
            lambda row: _whole(row.steps_to_target),
        ),
        Column(
            "seconds_to_target",
            "s to target",
            f"Median seconds to a validation {metric} of {goal}.",
            lambda row: row.seconds_to_target,
            lambda row: _short(row.seconds_to_target),
        ),
        Column("reached", "reached", f"Runs that got to {goal}.", lambda row: row.reached[0], _reached),
        Column(
            "loss_per_param",
            "loss/kparam",
            "Test loss over thousands of parameters; it falls with size alone.",
            lambda row: row.loss_per_param,
            lambda row: _short(row.loss_per_param),
        ),
        Column(
            "equivalence",
            "equivalence",
            "How many times its parameters the shallowest family needs for its score.",
            _equivalence_value,
            _equivalence,
        ),
        Column(
            "dead",
            "dead units",
            "Share of ReLU units that are zero on every validation example.",
            lambda row: row.dead_fraction,
            lambda row: _share(row.dead_fraction),
        ),
        Column(
            "regions",
            "regions",
            "Linear regions on a 2-D slice of the inputs, trained.",
            lambda row: row.regions,
            lambda row: _whole(row.regions),
        ),
        Column(
            "regions_at_start",
            "regions at start",
            "Linear regions on the same slice at initialisation.",
            lambda row: row.regions_at_start,
            lambda row: _whole(row.regions_at_start),
        ),
        Column(
            "line_regions",
            "line regions",
            "Linear regions on a line through the inputs, trained.",
            lambda row: row.line_regions,
            lambda row: _whole(row.line_regions),
        ),
        Column(
            "line_regions_at_start",
            "line at start",
            "Linear regions on the same line at initialisation.",
            lambda row: row.line_regions_at_start,
            lambda row: _whole(row.line_regions_at_start),
        ),
        Column(
            "rank",
            "eff. rank",
            "Effective rank of the last hidden layer's outputs.",
            lambda row: row.effective_rank,
            lambda row: _short(row.effective_rank),
        ),
        Column(
            "readouts",
            f"readout {metric} by layer",
            "Test metric of a linear readout of the inputs, then of each hidden layer.",
            lambda row: row.readouts[-1] if row.readouts else None,
            lambda row: " ".join(map(_share if metric == "error" else _short, row.readouts)) or MISSING,
        ),
    )


def _front_order(row: EfficiencyRow) -> float | None:
    return None if row.on_front is None else float(not row.on_front)


def filled(rows: tuple[EfficiencyRow, ...], metric: str) -> tuple[Column, ...]:
    """The columns in which at least one row has something to show."""
    target = rows[0].target if rows else None
    every = columns(metric, target)
    return tuple(column for column in every if any(column.text(row) not in (MISSING, "") for row in rows))
