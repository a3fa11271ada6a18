"""Which curves of an experiment a chart shows."""

from collections.abc import Callable

from tuilab.analysis.buckets import FEW, Band, HalvingBuckets
from tuilab.spec.protocol import total_steps
from tuilab.spec.task import Csv, TaskFacts, facts
from tuilab.spec.training import Loss
from tuilab.store.curves import Curves
from tuilab.store.records import Phase
from tuilab.tui.live import LiveState
from tuilab.tui.plot import NO_POINTS, ChartData, Series, SeriesKind

_LOSSES = {
    Loss.CROSS_ENTROPY: "cross-entropy",
    Loss.BCE: "binary cross-entropy",
    Loss.MSE: "squared error",
    Loss.L4: "fourth power",
}
_METRICS = {"error": "Eval error", "nmse": "Eval nMSE"}


def loss_chart(state: LiveState, *, log_y: bool = True, train: bool = True, band: Band = "interval") -> ChartData:
    """The eval loss of every candidate: mean over seeds with a band.

    While a candidate is tuned, the curve of its best learning rate so far stands for it, faint and with a small letter.

    Args:
        state: of the experiment.
        log_y: logarithmic y axis; the mean over seeds is then geometric.
        train: draw the train loss beside it, dotted.
        band: the 95 % interval of the mean, or from the lowest run to the highest; always the latter below four seeds.

    """
    band = _band(state, band)
    series = _series(state, _eval_loss, SeriesKind.EVAL, log_y, band)
    if train:
        series = _series(state, _train_loss, SeriesKind.TRAIN, log_y, band) + series
    return ChartData(
        title="Eval loss",
        series=series,
        x_max=_x_max(state),
        log_y=log_y,
        unit=_loss_name(state),
        note=_note(series, band, changed=_marks(state)),
        marks=_marks(state),
        empty=_empty(state),
    )


def metric_chart(state: LiveState, *, log_y: bool = False, band: Band = "interval") -> ChartData:
    """The metric on the validation part (lower is better) of every candidate, as in ``loss_chart``."""
    band = _band(state, band)
    series, marks = _series(state, _metric, SeriesKind.EVAL, log_y, band), _marks(state)
    return ChartData(
        title=_metric_name(state),
        series=series,
        x_max=_x_max(state),
        log_y=log_y,
        note=_note(series, band, changed=marks),
        marks=marks,
        empty=_empty(state),
    )


def _empty(state: LiveState) -> str:
    """What stands in the place of the curves: why there will be none, or that there are none yet."""
    experiment = state.experiment
    return experiment.message if experiment.status.ended and experiment.message else NO_POINTS


def _band(state: LiveState, wanted: Band) -> Band:
    """The band of all candidates, so that one note says what it is."""
    few = any(candidate.seeds_planned < FEW for candidate in state.candidates)
    return "range" if few else wanted


def _eval_loss(curves: Curves) -> HalvingBuckets:
    return curves.eval_loss


def _train_loss(curves: Curves) -> HalvingBuckets:
    return curves.train_loss


def _metric(curves: Curves) -> HalvingBuckets:
    return curves.metric


def _series(
    state: LiveState, pick: Callable[[Curves], HalvingBuckets], kind: SeriesKind, log_y: bool, band: Band
) -> tuple[Series, ...]:
    found = []
    for candidate in state.candidates:
        tuning = candidate.curves_phase is Phase.TUNING
        if tuning and kind is SeriesKind.TRAIN:
            continue
        curve = pick(candidate.curves).curve(log=log_y, band=band)
        if curve.steps:
            shown = SeriesKind.TUNING if tuning else kind
            found.append(Series(candidate.letter, candidate.name, candidate.index, shown, *curve))
    return tuple(found)


def _x_max(state: LiveState) -> float:
    longest = max((candidate.run_steps for candidate in state.candidates), default=1)
    return float(max([longest, *(total_steps(0, run.changes) for run in state.runs)]))


def _marks(state: LiveState) -> tuple[int, ...]:
    """The steps at which somebody changed runs by hand."""
    return tuple(sorted({change.step for run in state.runs for change in run.changes}))


def _loss_name(state: LiveState) -> str:
    """The name of the loss; empty where candidates differ or only a file could tell."""
    comparison = state.experiment.comparison
    losses = {comparison.training_of(candidate).loss for candidate in comparison.candidates}
    known = _facts(state)
    if known is not None:
        losses = {loss or known.default_loss for loss in losses}
    loss = losses.pop() if len(losses) == 1 else None
    return _LOSSES[loss] if loss else ""


def _metric_name(state: LiveState) -> str:
    result, known = state.experiment.result, _facts(state)
    name = result.metric if result else known.metric if known else "metric"
    return _METRICS.get(name, "Eval metric")


def _facts(state: LiveState) -> TaskFacts | None:
    """What the task asks; None for a CSV task, whose file may be gone and is not worth reading here."""
    task = state.experiment.comparison.task
    return None if isinstance(task, Csv) else facts(task)


def _note(series: tuple[Series, ...], band: Band, changed: tuple[int, ...]) -> str:
    kinds = {one.kind for one in series}
    words = []
    if SeriesKind.TUNING in kinds:
        words.append("small letter: tuning")
    if SeriesKind.TRAIN in kinds:
        words.append("dotted: train")
    if SeriesKind.EVAL in kinds:
        words.append("band: 95 %" if band == "interval" else "band: min to max")
    if changed:
        words.append("arrow: changed by hand")
    return " · ".join(words)
