"""Commands reach a runner within a moment, whoever sends them, and may be sent twice."""

import time
from statistics import median

from tests.runner.lab import until
from tuilab.runner import client
from tuilab.store.records import Command, Order, Status
from tuilab.store.writer import Writer

ACKNOWLEDGED_SECONDS = 0.3


def test_a_command_is_acknowledged_within_300_milliseconds(lab):
    identity = lab.start("--pace", 0.01, training={"steps": 100_000}, protocol={"final_seeds": 8})
    until(lambda: lab.reader.points(identity), "the first point")
    taken = []
    with Writer(lab.home) as writer:
        asked = (
            (Command.PAUSE, Order()),
            (Command.RESUME, Order()),
            (Command.LR, Order(value=0.02)),
            (Command.STEPS, Order(value=200_000)),
            (Command.STOP_RUN, Order(run=1)),
        )
        for command, order in asked * 4:
            sent, began = writer.send(identity, command, order), time.monotonic()
            until(lambda sent=sent: lab.reader.acknowledged(sent), f"{command}")  # type: ignore[misc]
            taken.append(time.monotonic() - began)
    client.stop(lab.home, identity)
    lab.finish(identity)
    assert median(taken) <= ACKNOWLEDGED_SECONDS, taken


def test_every_command_may_be_sent_twice_and_at_the_wrong_time(lab):
    identity = lab.start("--pace", 0.01)
    tells = (client.resume, client.pause, client.pause, client.resume, client.resume)
    until(lambda: lab.reader.points(identity), "the first point")
    for tell in tells:
        tell(lab.home, identity)
    record = lab.finish(identity)
    assert record.status is Status.FINISHED
    for tell in (client.stop, client.pause, client.resume, client.stop):
        tell(lab.home, identity)
    assert lab.reader.find(identity) == record
    assert lab.processes(identity) == []


def test_a_pause_just_before_a_stop_is_a_stop_and_one_after_it_changes_nothing(lab):
    identity = lab.start("--hold")
    until(lambda: lab.reader.points(identity), "the first point")
    with Writer(lab.home) as writer:
        for command in (Command.PAUSE, Command.STOP, Command.STOP, Command.PAUSE, Command.RESUME):
            writer.send(identity, command)
    assert lab.finish(identity).status is Status.STOPPED


def test_commands_from_several_at_once_are_all_acknowledged(lab):
    identity = lab.start("--pace", 0.01)
    until(lambda: lab.reader.points(identity), "the first point")
    sent = []
    for _ in range(8):
        with Writer(lab.home) as writer:
            sent += [writer.send(identity, command) for command in (Command.PAUSE, Command.RESUME)]
    assert lab.finish(identity).status is Status.FINISHED
    assert all(lab.reader.acknowledged(one) for one in sent)
