"""More seeds: an experiment goes on where it stopped, at the learning rates that it chose; nothing is rewritten."""

import pytest

from tests.runner.lab import comparison, until
from tuilab.runner import client
from tuilab.spec.errors import LabError
from tuilab.store.records import Phase, Status
from tuilab.store.writer import Writer


def more(lab, identity, seeds, *options):
    client.more(lab.home, identity, seeds, lab.engine(*options))


def test_a_finished_experiment_goes_on_with_the_seeds_after_its_last(lab):
    identity = lab.start()
    first = lab.finish(identity)
    runs, points = lab.reader.runs(identity), lab.reader.points(identity)
    more(lab, identity, 2)
    record = lab.finish(identity)
    assert (record.status, record.message) == (Status.FINISHED, ""), lab.log(identity)
    assert lab.reader.runs(identity)[: len(runs)] == runs
    assert lab.reader.points(identity)[: len(points)] == points
    added = lab.reader.runs(identity)[len(runs) :]
    assert sorted((run.candidate, run.seed_index) for run in added) == [(0, 3), (0, 4), (1, 3), (1, 4)]
    assert {run.phase for run in added} == {Phase.FINAL}
    for candidate in (0, 1):
        assert len({run.lr for run in lab.runs(identity, Phase.FINAL, candidate)}) == 1
    assert record.comparison.protocol.final_seeds == first.comparison.protocol.final_seeds + 2
    assert record.comparison == comparison(
        protocol={"lr_grid": [0.001, 0.01, 0.1], "tuning_seeds": 2, "final_seeds": 5}
    )
    assert (record.created, record.added_seeds) == (first.created, 2)
    assert record.planned_steps == record.done_steps == first.done_steps + 4 * 30


def test_the_result_covers_all_seeds_and_tells_of_those_that_were_added(lab):
    identity = lab.start()
    lab.finish(identity)
    more(lab, identity, 2)
    more_result = lab.finish(identity).result
    planned = lab.start(protocol={"lr_grid": [0.001, 0.01, 0.1], "tuning_seeds": 2, "final_seeds": 5})
    result = lab.finish(planned).result
    assert result is not None
    assert more_result is not None
    assert [one.values for one in more_result.candidates] == [one.values for one in result.candidates]
    assert more_result.complete
    assert [one for one in more_result.caveats if one not in result.caveats] == [
        one for one in more_result.caveats if one.startswith("2 of the 5 final seeds were added")
    ]


def test_while_added_seeds_train_the_verdict_is_interim(lab):
    identity = lab.start()
    assert lab.finish(identity).result.complete
    more(lab, identity, 2, "--hold")
    until(lambda: not lab.reader.find(identity).result.complete, "an interim result")
    assert "so far (3 of 5 seeds)" in lab.reader.find(identity).result.verdict
    client.stop(lab.home, identity)
    lab.finish(identity)


def test_seeds_are_added_again_and_again(lab):
    identity = lab.start()
    for _ in range(2):
        lab.finish(identity)
        more(lab, identity, 1)
    record = lab.finish(identity)
    assert [run.seed_index for run in lab.runs(identity, Phase.FINAL)] == [0, 1, 2, 3, 4]
    assert record.added_seeds == 2


def test_a_lost_experiment_gets_its_seeds_and_the_rest_of_its_own(lab):
    identity = lab.start("--pace", 0.005)
    until(lambda: lab.runs(identity, Phase.FINAL, candidate=1), "final runs")
    lab.processes(identity)[0].kill()
    lab.reaches(identity, Status.LOST)
    more(lab, identity, 1)
    assert lab.finish(identity).status is Status.FINISHED
    for candidate in (0, 1):
        assert [run.seed_index for run in lab.runs(identity, Phase.FINAL, candidate)] == [0, 1, 2, 3]


def test_seeds_that_are_added_before_any_result_were_not_added_after_a_look(lab):
    identity = client.create_experiment(lab.home, comparison(), device="cpu")
    client.stop(lab.home, identity)
    more(lab, identity, 1)
    record = lab.finish(identity)
    assert (record.status, record.added_seeds) == (Status.FINISHED, 0)


def test_a_running_experiment_is_left_alone(lab):
    identity = lab.start("--hold")
    until(lambda: lab.reader.points(identity), "the first point")
    with pytest.raises(LabError, match="is running; seeds can be added once it has ended"):
        more(lab, identity, 1)
    with Writer(lab.home) as writer:
        assert not writer.add_seeds(identity, 1)
    assert lab.reader.find(identity).comparison == comparison()
    client.stop(lab.home, identity)
    lab.finish(identity)


def test_an_experiment_that_was_continued_a_moment_ago_is_not_continued_twice(lab):
    identity = client.create_experiment(lab.home, comparison(), device="cpu")
    client.stop(lab.home, identity)
    with Writer(lab.home) as writer:
        assert writer.add_seeds(identity, 1)
        assert not writer.add_seeds(identity, 1)
    assert lab.reader.find(identity).comparison.protocol.final_seeds == 4


@pytest.mark.parametrize("seeds", [0, -1, 9_998])
def test_no_seeds_and_too_many_are_refused(lab, seeds):
    identity = client.create_experiment(lab.home, comparison(), device="cpu")
    client.stop(lab.home, identity)
    before = lab.reader.find(identity)
    with pytest.raises(LabError, match="cannot add"):
        more(lab, identity, seeds)
    assert lab.reader.find(identity) == before


def test_what_is_not_there_gets_no_seeds(lab):
    with pytest.raises(LabError, match="there is no experiment nothing"):
        more(lab, "nothing", 1)
