"""Probes on their way from a run to the efficiency table, and runs with nothing to descend."""

from dataclasses import replace

import pytest

from tests.unit.store_values import COMPARISON
from tuilab.analysis.columns import filled
from tuilab.analysis.efficiency import CandidateFacts, RunFacts, efficiency_table
from tuilab.analysis.plan_cost import planned_tuning_runs
from tuilab.runner.plan import fixed_lr, next_runs, planned_steps
from tuilab.spec.comparison import Comparison, Protocol
from tuilab.spec.probes import Probes
from tuilab.spec.protocol import EVENT, RunFinished
from tuilab.spec.training import Training
from tuilab.store.evidence import run_facts
from tuilab.store.reader import Reader
from tuilab.store.records import NewRun, Phase, Status
from tuilab.store.writer import Writer

PROBES = Probes(
    regions=577,
    regions_at_start=762,
    line_regions=31,
    line_regions_at_start=35,
    effective_rank=5.25,
    readouts=(0.34, 0.2, 0.002),
)


@pytest.mark.parametrize("probes", [None, Probes(), PROBES])
def test_probes_are_stored_with_their_run(tmp_path, probes):
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        identity = writer.create_experiment(COMPARISON)
        [run] = writer.add_runs(identity, [NewRun(0, Phase.FINAL, 0, 0.1)])
        ended = replace(run, status=Status.FINISHED, step=50, test_metric=0.1, probes=probes)
        writer.write(identity, runs=[ended])
        assert reader.runs(identity) == [ended]


@pytest.mark.parametrize("probes", [None, PROBES])
def test_probes_travel_with_the_event(probes):
    blank = dict.fromkeys(("train_loss", "train_metric", "val_loss", "val_metric", "test_loss", "test_metric"))
    event = RunFinished(group=1, run=2, probes=probes, **blank)
    assert EVENT.validate_json(event.model_dump_json()) == event


def test_a_run_s_probes_become_facts_on_the_line_and_on_the_slice(tmp_path):
    with Writer(tmp_path) as writer:
        identity = writer.create_experiment(COMPARISON)
        runs = writer.add_runs(identity, [NewRun(0, Phase.FINAL, seed, 0.1) for seed in range(3)])
        line = Probes(line_regions=8, line_regions_at_start=9)
        ended = [replace(run, status=Status.FINISHED) for run in runs]
        found = run_facts([replace(ended[0], probes=PROBES), replace(ended[1], probes=line), ended[2]], [])
    assert [(one.regions, one.regions_at_start) for one in found] == [(577, 762), (None, None), (None, None)]
    on_line = [(one.line_regions, one.line_regions_at_start) for one in found]
    assert on_line == [(PROBES.line_regions, 35), (8, 9), (None, None)]
    assert [one.readouts for one in found] == [PROBES.readouts, (), ()]
    assert found[0].effective_rank == 5.25


def test_the_table_shows_the_mean_readout_of_every_layer():
    facts = [CandidateFacts("deep", 477, 400, 400, 40, 10), CandidateFacts("bare", 6, 6, 4, 2, 10)]
    runs = [
        RunFacts(0, 0, 10, test_metric=0.1, readouts=(0.4, 0.1)),
        RunFacts(0, 1, 10, test_metric=0.1, readouts=(0.2, 0.0)),
        RunFacts(1, 0, 10, test_metric=0.1),
    ]
    rows = efficiency_table(facts, runs)
    assert rows[0].readouts == pytest.approx((0.3, 0.05))
    assert rows[1].readouts == ()
    [column] = [column for column in filled(rows, "error") if column.key == "readouts"]
    assert (column.text(rows[0]), column.text(rows[1])) == ("30 % 5 %", "–")
    assert column.value(rows[0]) == pytest.approx(0.05)


@pytest.mark.parametrize("training", [Training(steps=0), Training(optimizer="least_squares", steps=1)])
def test_what_descends_nowhere_is_not_tuned(training):
    protocol = Protocol(final_seeds=3)
    assert not training.needs_lr
    assert fixed_lr(training, protocol) == protocol.lr_grid[0]
    runs = next_runs(0, training, protocol, (), 0.5)
    assert [(run.phase, run.seed_index) for run in runs] == [(Phase.FINAL, seed) for seed in range(3)]
    assert planned_steps(training, protocol, ()) == 3 * training.steps
    assert fixed_lr(training.model_copy(update={"lr": 0.5}), protocol) == 0.5


def test_the_planned_cost_counts_no_tuning_where_nothing_descends():
    candidates = [
        {"name": "built", "stack": "8 relu", "training": {"steps": 0}},
        {"name": "trained", "stack": "8 relu"},
    ]
    comparison = Comparison.model_validate({"title": "T", "task": "wave", "candidates": candidates})
    assert [planned_tuning_runs(comparison, candidate) for candidate in comparison.candidates] == [0, 24]
