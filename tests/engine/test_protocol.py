"""The engine as its runner sees it: a process, requests on stdin, events on stdout."""

import json
import os
import select
import signal
import subprocess
import sys

import pytest

from tuilab.spec.protocol import EVENT, GroupFailed, GroupFinished, GroupStarted, Points, Ready, RunFinished

LIMIT = 60


class Engine:
    """A running engine."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tuilab.engine"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdin
        assert self.process.stdout
        self.requests, self.events = self.process.stdin, self.process.stdout
        self._buffer = b""

    def send(self, *requests):
        for request in requests:
            text = request if isinstance(request, str) else json.dumps(request)
            self.requests.write(text.encode() + b"\n")
        self.requests.flush()

    def next(self, limit=LIMIT):
        """The next event, or None when none comes within ``limit`` seconds."""
        while b"\n" not in self._buffer:
            if not select.select([self.events], [], [], limit)[0]:
                return None
            data = os.read(self.events.fileno(), 65536)
            assert data, "the engine closed its output"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return EVENT.validate_json(line)

    def until(self, kind):
        """All events up to the first of ``kind``."""
        events = [self.next()]
        while not isinstance(events[-1], kind):
            assert events[-1] is not None, f"no {kind.__name__}"
            events.append(self.next())
        return events

    def close(self):
        self.requests.close()
        self.events.close()
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def engine():
    """One warm engine for all tests that leave it alive and idle."""
    yield from started()


@pytest.fixture
def mortal():
    """An engine to be ended."""
    yield from started()


def started():
    running = Engine()
    assert isinstance(running.next(), Ready)
    yield running
    running.close()


def request(group=1, steps=50, **changes):
    task = {"kind": "spirals", "num_train": 100, "num_val": 50, "num_test": 50}
    replicas = [{"run": 10 * group + i, "seed_index": i, "lr": 0.01} for i in range(2)]
    base = {"kind": "train", "group": group, "stack": "6 relu", "task": task, "seed": 0, "replicas": replicas}
    return {**base, "training": {"steps": steps}, **changes}


def test_groups_are_trained_one_after_the_other_and_shutdown_waits_for_them(mortal):
    mortal.send(request(1), request(2), {"kind": "shutdown"})
    first, second = mortal.until(GroupFinished), mortal.until(GroupFinished)
    assert isinstance(first[0], GroupStarted)
    assert [event.run for event in first if isinstance(event, RunFinished)] == [10, 11]
    assert {event.group for event in second} == {2}
    assert mortal.process.wait(LIMIT) == 0


def test_a_stop_ends_a_group_early_and_the_next_is_served(engine):
    engine.send(request(1, steps=10_000_000), request(2, steps=10_000_000), request(3))
    engine.until(Points)
    engine.send({"kind": "stop", "group": 2}, {"kind": "stop", "group": 1}, {"kind": "stop", "group": 99})
    events = engine.until(GroupFinished) + engine.until(GroupFinished)
    finished = {event.group: event for event in events if isinstance(event, GroupFinished)}
    assert finished[1].stopped
    assert finished[2].stopped
    assert finished[1].steps > 0 == finished[2].steps
    assert not engine.until(GroupFinished)[-1].stopped


def test_a_paused_group_is_silent_and_goes_on_where_it_was(engine):
    engine.send({"kind": "pause", "group": 1, "paused": True}, request(1, steps=300))
    events = engine.until(Points)
    assert engine.next(limit=0.3) is None or engine.next(limit=0.3) is None
    engine.send({"kind": "pause", "group": 1, "paused": False})
    events += engine.until(GroupFinished)
    assert events[-1].steps == 600
    steps = [step for event in events if isinstance(event, Points) for step in event.steps]
    assert steps == sorted(set(steps))
    engine.send(request(2, steps=300))
    again = [event for event in engine.until(GroupFinished) if isinstance(event, RunFinished)]
    told = [event for event in events if isinstance(event, RunFinished)]
    assert [event.test_loss for event in told] == [event.test_loss for event in again]


def test_a_paused_group_can_be_stopped(engine):
    engine.send({"kind": "pause", "group": 1, "paused": True}, request(1, steps=300))
    engine.until(Points)
    engine.send({"kind": "stop", "group": 1})
    assert engine.until(GroupFinished)[-1].stopped


def test_garbage_is_logged_and_survived(engine):
    engine.send("no json at all", "{}", '{"kind": "dance"}', "", request(1, stack="8 rleu"), request(2))
    failed = engine.next()
    assert isinstance(failed, GroupFailed)
    assert failed.group == 1
    assert "rleu" in failed.reason
    assert engine.until(GroupFinished)[-1].group == 2


def test_what_cannot_be_trained_fails_in_a_sentence_and_the_engine_lives(engine):
    engine.send(
        request(1, stack="conv(3, 3)"),
        request(2, device="cuda:99"),
        request(3, task={"kind": "csv", "path": "/nowhere.csv", "target": "y"}),
        request(4),
    )
    for group in (1, 2, 3):
        failed = engine.next()
        assert isinstance(failed, GroupFailed)
        assert failed.group == group
        assert "\n" not in failed.reason
    assert engine.until(GroupFinished)[-1].group == 4


def test_the_end_of_its_input_ends_the_engine_even_while_it_trains(mortal):
    mortal.send(request(1, steps=10_000_000))
    mortal.until(Points)
    mortal.requests.close()
    assert mortal.process.wait(LIMIT) == 0


def test_keyboard_and_hangup_signals_do_not_reach_it(engine):
    engine.process.send_signal(signal.SIGINT)
    engine.process.send_signal(signal.SIGHUP)
    engine.send(request(1))
    assert engine.until(GroupFinished)[-1].steps == 100
