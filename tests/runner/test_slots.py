"""Device slots are shared by experiments, one group at a time on each."""

import errno
import os

import pytest

from tuilab.runner import slots as slots_module
from tuilab.runner.queue import put_first, waiting
from tuilab.runner.slots import Slots, check_device, cores, devices_for
from tuilab.spec.errors import LabError
from tuilab.store.home import make_home, queue_folder


@pytest.fixture
def home(tmp_path):
    make_home(tmp_path)
    return tmp_path


def slots(home, number=2, experiment="0000001"):
    return Slots(home, experiment, ("cpu",) * number)


def test_two_experiments_never_hold_the_same_slot(home):
    first, second = slots(home), slots(home, experiment="0000002")
    first.hold([None] * 1)
    second.hold([None] * 5)
    assert (first.held, second.held) == (1, 1)
    taken = first.take()
    assert taken
    assert first.take() is None
    assert second.take()
    taken.busy = False
    first.release_idle()
    third = slots(home)
    third.hold([None] * 2)
    assert third.held == 1


def test_who_was_created_first_is_served_first(home, monkeypatch):
    monkeypatch.setattr(slots_module, "HOLD_SECONDS", 0.0)
    running, early, late = (slots(home, 1, experiment) for experiment in ("0000001", "0000002", "0000003"))
    running.hold([None] * 1)
    late.hold([None] * 1)
    assert late.behind == ()
    early.hold([None] * 1)
    assert waiting(home) == ("0000002", "0000003")
    running.release_all()
    late.hold([None] * 1)
    assert (late.held, late.behind) == (0, ("0000002",))
    early.hold([None] * 1)
    assert early.held == 1
    early.release_all()
    late.hold([None] * 1)
    assert late.held == 1
    assert waiting(home) == ()


def test_who_is_put_first_is_served_first_and_only_once(home, monkeypatch):
    monkeypatch.setattr(slots_module, "HOLD_SECONDS", 0.0)
    running, *others = (slots(home, 1, f"000000{number}") for number in range(1, 5))
    running.hold([None] * 1)
    assert not put_first(home, "0000003")
    for other in others:
        other.hold([None] * 1)
    for number, mtime in (("0000003", 100), ("0000004", 200)):
        assert put_first(home, number)
        os.utime(queue_folder(home) / f"{number}.first", (mtime, mtime))
    assert waiting(home) == ("0000004", "0000003", "0000002")
    running.release_all()
    for other in others:
        other.hold([None] * 1)
    assert [other.held for other in others] == [0, 0, 1]
    running.hold([None] * 1)
    assert waiting(home) == ("0000003", "0000001", "0000002")
    assert [path.name for path in queue_folder(home).glob("*.first")] == ["0000003.first"]


def test_who_waits_for_other_slots_is_in_nobodys_way(home, monkeypatch):
    monkeypatch.setattr(slots_module, "HOLD_SECONDS", 0.0)
    running, early = (Slots(home, experiment, ("cuda:0",)) for experiment in ("0000001", "0000002"))
    running.hold([None] * 1)
    early.hold([None] * 1)
    late = slots(home, 1, "0000003")
    late.hold([None] * 1)
    assert (late.held, late.behind) == (1, ())


def test_who_waits_but_gives_no_sign_of_life_is_passed(home, monkeypatch):
    monkeypatch.setattr(slots_module, "HOLD_SECONDS", 0.0)
    running, halted, late = (slots(home, 1, experiment) for experiment in ("0000001", "0000002", "0000003"))
    running.hold([None] * 1)
    halted.hold([None] * 1)
    os.utime(queue_folder(home) / "0000002", (0, 0))
    running.release_all()
    late.hold([None] * 1)
    assert late.held == 1


def test_who_was_first_and_killed_while_it_waited_is_not_first_again(home, monkeypatch):
    monkeypatch.setattr(slots_module, "HOLD_SECONDS", 0.0)
    running, early, late = (slots(home, 1, experiment) for experiment in ("0000001", "0000002", "0000003"))
    running.hold([None])
    (queue_folder(home) / "0000003.first").touch()
    early.hold([None])
    late.hold([None])
    assert waiting(home) == ("0000002", "0000003")


def test_a_busy_slot_is_not_released_while_its_group_trains(home):
    mine = slots(home)
    mine.hold([None] * 2)
    assert mine.take()
    mine.release_idle()
    assert mine.held == 1
    mine.release_all()
    assert mine.held == 0


def test_a_group_goes_on_where_it_began(home):
    gpus = Slots(home, "0000001", ("cuda:0", "cuda:1"))
    gpus.hold([None] * 2)
    found = gpus.take("cuda:1")
    assert found
    assert found.device == "cuda:1"
    assert gpus.take("cuda:1") is None


def test_a_disk_too_full_for_a_lock_is_waited_for(home, monkeypatch):
    monkeypatch.setattr(slots_module, "HOLD_SECONDS", 0.0)
    own = slots(home)

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("tuilab.store.locks.os.open", full)
        own.hold([None] * 2)
        assert own.held == 0
    own.hold([None] * 2)
    assert own.held == 2


def test_a_gpu_and_a_core_are_different_slots(home):
    gpus, cpus = Slots(home, "0000001", ("cuda:0",)), slots(home, 1)
    gpus.hold([None] * 1)
    cpus.hold([None] * 1)
    assert (gpus.held, cpus.held) == (1, 1)


@pytest.mark.parametrize(
    ("wanted", "cuda", "worth", "devices"),
    [
        ("cpu", ("A",), True, ("cpu",) * cores()),
        ("auto", (), True, ("cpu",) * cores()),
        ("auto", ("A",), False, ("cpu",) * cores()),
        ("auto", ("A", "B"), True, ("cuda:0", "cuda:1")),
        ("cuda", ("A", "B"), False, ("cuda:0", "cuda:1")),
        ("cuda:1", ("A", "B"), False, ("cuda:1",)),
    ],
)
def test_the_device_that_was_asked_for_gives_the_slots(wanted, cuda, worth, devices):
    assert devices_for(wanted, cuda, worth) == devices


def test_a_device_that_is_not_there_is_a_sentence():
    with pytest.raises(LabError, match="no CUDA device on this machine; run it with --device cpu"):
        devices_for("cuda", (), worth_a_gpu=True)
    with pytest.raises(LabError, match="there is no device cuda:7; this machine has cuda:0 to cuda:1"):
        devices_for("cuda:7", ("A", "B"), worth_a_gpu=True)


@pytest.mark.parametrize("wanted", ["gpu", "cuda:", "cuda:x", "cuda:-1", "7", "", "CPU", "cuda:99999"])
def test_what_is_no_device_is_refused(wanted):
    with pytest.raises(LabError, match="use auto, cpu, cuda or cuda:0"):
        check_device(wanted)


@pytest.mark.parametrize("wanted", ["auto", "cpu", "cuda", "cuda:0", "cuda:12"])
def test_the_names_of_devices_are_known(wanted):
    check_device(wanted)
