"""A disk that runs full while an experiment runs: training goes on, everybody is told, and every point is kept."""

import contextlib
import resource
import shutil
import subprocess

import psutil
import pytest

from tests.runner.lab import Lab, until
from tuilab.runner import client
from tuilab.spec.training import report_steps
from tuilab.store.records import Status

ONE = ({"name": "only", "stack": "4 relu", "training": {"lr": 0.01}},)
LONG = {"candidates": ONE, "training": {"steps": 3000}, "protocol": {"final_seeds": 40}}


@contextlib.contextmanager
def largest_file(num_bytes):
    """Processes started meanwhile cannot let a file grow beyond this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def small_disk(tmp_path):
    """A lab on a file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a file system can only be mounted by root")
    made = Lab(folder / "lab")
    yield made
    made.close()
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def every_point(lab, identity):
    steps = [(point.run, point.step) for point in lab.reader.points(identity)]
    assert len(steps) == len(set(steps)) == 40 * len(report_steps(3000))


def test_while_nothing_can_be_written_training_goes_on_and_every_point_is_there_afterwards(lab):
    identity = lab.create(**LONG)
    with largest_file(150_000):
        client.launch(lab.home, identity, lab.engine("--pace", 0.01))
    until(lambda: "points wait in memory" in lab.reader.find(identity).message, "the experiment says so")
    held = len(lab.reader.points(identity))
    assert lab.reader.find(identity).status in (Status.QUEUED, Status.RUNNING)
    until(lambda: waiting(lab, identity) > 2000, "training goes on")
    assert len(lab.reader.points(identity)) == held
    unlimited = (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY)
    lab.processes(identity)[0].rlimit(psutil.RLIMIT_FSIZE, unlimited)
    record = lab.finish(identity)
    assert (record.status, record.message) == (Status.FINISHED, "")
    every_point(lab, identity)


def test_a_full_disk_is_said_and_every_point_is_there_once_there_is_room(small_disk):
    lab = small_disk
    identity = lab.start("--pace", 0.01, **LONG)
    until(lambda: lab.reader.points(identity), "the first point")
    ballast = lab.home / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
    until(lambda: "the disk is full" in lab.reader.find(identity).message, "the experiment says so")
    assert shutil.disk_usage(lab.home).free == 0
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=20m", str(lab.home.parent)], check=True)
    record = lab.finish(identity)
    assert (record.status, record.message) == (Status.FINISHED, "")
    every_point(lab, identity)


def test_a_runner_that_is_ended_while_nothing_can_be_written_leaves_its_last_word_and_can_go_on(lab):
    identity = lab.create(**LONG)
    with largest_file(150_000):
        client.launch(lab.home, identity, lab.engine("--pace", 0.01))
    until(lambda: waiting(lab, identity) > 1000, "training goes on")
    lab.processes(identity)[0].terminate()
    until(lambda: not lab.processes(identity), "the runner is gone")
    record = lab.reader.find(identity)
    assert record.status in (Status.STOPPED, Status.FAILED)
    assert record.message == "stopped by a signal to its runner"
    lab.resume(identity)
    assert lab.finish(identity).status is Status.FINISHED
    every_point(lab, identity)


def waiting(lab, identity):
    """Points that wait in memory, as the experiment's message says."""
    _, found, rest = lab.reader.find(identity).message.rpartition("(")
    return int(rest.split()[0].replace(",", "")) if found else 0
