"""Processes killed, halted and doubled, stores locked and damaged: nothing is lost, nothing hangs, states are right.

A moment or two of each; the environment variable ``TUILAB_FAULTS`` says how many. ``benchmarks/faults.py`` does fifty
of each and prints a table.
"""

import contextlib
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end import faults
from tests.end_to_end.faults import HANG_SECONDS, Outcome, wait
from tests.runner.lab import Lab
from tuilab.cli import main
from tuilab.runner import client
from tuilab.store.home import store_file
from tuilab.store.records import Status
from tuilab.store.schema import connect

_RANDOM = random.Random(7)
MOMENTS = [_RANDOM.uniform(0.2, 2.5) for _ in range(int(os.environ.get("TUILAB_FAULTS", "2")))]


@pytest.fixture
def lab(home: Path) -> Iterator[Lab]:
    made = Lab(home)
    yield made
    made.close()


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(
    "fault",
    [
        faults.kill_runner,
        faults.kill_engine,
        faults.halt_runner,
        faults.halt_engine,
        faults.start_twice,
        faults.lock_store,
        faults.kill_interface,
        faults.close_terminal,
        faults.jump_clock,
        faults.fill_disk,
    ],
)
def test_after_a_fault_every_point_is_there(lab: Lab, fault: Callable[[Lab, float], Outcome], moment: float) -> None:
    try:
        outcome = fault(lab, moment)
    except PermissionError:
        pytest.skip("a file system can only be mounted by root")
    assert outcome.good, outcome


def test_a_store_that_stays_locked_is_said_and_waited_for(lab: Lab) -> None:
    identity = lab.start("--pace", faults.PACE)
    wait(lambda: lab.reader.points(identity))
    with contextlib.closing(connect(store_file(lab.home))) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        assert wait(lambda: "locked by another process" in lab.reader.find(identity).message) < HANG_SECONDS
        assert "points wait in memory" in lab.reader.find(identity).message
        blocker.execute("ROLLBACK")
    outcome = faults.concluded(lab, identity, [])
    assert (outcome.missing, outcome.twice, outcome.status) == (0, 0, Status.FINISHED)


def test_whatever_is_wrong_with_a_store_no_command_breaks(
    lab: Lab, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = lab.start()
    assert lab.finish(identity).status is Status.FINISHED
    lab.reader.close()
    content = store_file(home).read_bytes()
    generator = random.Random(3)
    codes = set()
    for trial in range(40):
        other = home.parent / f"damaged {trial}"
        other.mkdir()
        changed = bytearray(content)
        if trial % 4:
            for _ in range(2 ** (trial % 7)):
                changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)
        else:
            del changed[generator.randrange(len(changed)) :]
        store_file(other).write_bytes(changed)
        monkeypatch.setenv("TUILAB_HOME", str(other))
        for arguments in (["ls"], ["show", "last", "--json"], ["export", "last"], ["report", "last"], ["stop", "last"]):
            code = main(arguments)
            said = capsys.readouterr().err
            assert code in (0, 2), (trial, arguments, said)
            assert said.count("\n") == (code == 2)
            codes.add(code)
    assert codes == {0, 2}


def test_two_people_do_not_hinder_each_other(lab: Lab, tmp_path: Path) -> None:
    other = Lab(tmp_path / "other")
    try:
        held = lab.start("--hold")
        wait(lambda: lab.reader.points(held))
        assert other.finish(other.start()).status is Status.FINISHED
        client.stop(lab.home, held)
        assert lab.finish(held).status is Status.STOPPED
    finally:
        other.close()
