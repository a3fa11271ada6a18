"""Jobs go on slots, and what was held goes on where it began."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from tuilab.runner import slots as slots_module
from tuilab.runner.crew import Crew, Job
from tuilab.runner.queue import put_first, waiting
from tuilab.runner.slots import Slots
from tuilab.spec.protocol import Replica, TrainGroup
from tuilab.store.home import make_home

if TYPE_CHECKING:
    from tuilab.runner.engines import EnginePool


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(slots_module, "HOLD_SECONDS", 0.0)
    make_home(tmp_path)
    return tmp_path


def crew_of(home, devices, jobs, experiment="0000001"):
    """A crew with so many jobs on engines that do nothing."""
    engines = [
        SimpleNamespace(send=lambda _request: None, ready=True, gone=False, name=f"engine {number}")
        for number in range(len(devices))
    ]
    pool = cast("EnginePool", SimpleNamespace(engines=engines, grow=lambda _number: None))
    crew = Crew(home, experiment, pool, lambda _group, _job, device: cast("TrainGroup", device))
    crew.use(devices)
    crew.add([Job(0, (Replica(run=run, seed_index=run, lr=0.1),), 1.0) for run in range(jobs)])
    return crew


@pytest.mark.parametrize("ended", [0, 1])
def test_a_group_goes_on_on_its_own_device_though_another_is_free(home, ended):
    crew = crew_of(home, ("cuda:0", "cuda:1"), 2)
    assert [task.device for task in crew.dispatch()] == ["cuda:0", "cuda:1"]
    crew.end(crew.tasks[ended])
    (left,) = crew.tasks
    crew.pause()
    assert crew.held == 0
    crew.resume()
    assert crew.dispatch() == [left]
    assert left.slot is not None
    assert left.slot.device == left.device
    assert crew.held == 1


def test_a_group_that_waits_to_go_on_has_its_place_in_the_queue(home):
    crew = crew_of(home, ("cpu",), 1)
    assert len(crew.dispatch()) == 1
    crew.pause()
    other, younger = (Slots(home, experiment, ("cpu",)) for experiment in ("0000000", "0000003"))
    other.hold([None])
    younger.hold([None])
    crew.resume()
    for _ in range(3):
        assert crew.dispatch() == []
        assert waiting(home) == ("0000001", "0000003")
    assert put_first(home, "0000001")
    other.release_all()
    younger.hold([None])
    assert younger.held == 0
    assert len(crew.dispatch()) == 1
    assert waiting(home) == ("0000003",)


def test_what_is_not_needed_is_left_to_others_while_a_group_waits(home):
    crew = crew_of(home, ("cuda:0", "cuda:1"), 2)
    crew.dispatch()
    crew.end(crew.tasks[0])
    crew.pause()
    other = Slots(home, "0000002", ("cuda:1",))
    other.hold([None])
    crew.resume()
    assert crew.dispatch() == []
    assert crew.held == 0
    assert Slots(home, "0000003", ("cuda:0",)).behind == ()
    third = Slots(home, "0000003", ("cuda:0",))
    third.hold([None])
    assert third.held == 1
