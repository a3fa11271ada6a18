"""What an engine says arrives whole and in order, however the pipe cuts it."""

import sys
import time

from tuilab.runner.engines import EnginePool
from tuilab.spec.protocol import EVENT, Event, GroupFinished, Points

SPEAK = """
import os, sys
said = open(sys.argv[1], "rb").read()
for start in range(0, len(said), 50_021):
    part = said[start : start + 50_021]
    while part:
        part = part[os.write(1, part) :]
"""


def points(group: int, steps: int) -> Points:
    rows = tuple((step / 7, None, 1e-3 * group) for step in range(steps))
    return Points(group=group, runs=(1, 2, 3), steps=tuple(range(steps)), train_loss=rows, eval_loss=rows, metric=rows)


def test_messages_larger_and_smaller_than_the_pipe_arrive_whole(tmp_path):
    said: list[Event] = [
        points(1, 9000),
        points(2, 1),
        GroupFinished(group=1, seconds=1.0, steps=3),
        points(3, 20_000),
        points(4, 2),
    ]
    lines = [EVENT.dump_json(event) for event in said]
    heard_from = tmp_path / "said"
    heard_from.write_bytes(b"\n".join([*lines[:2], b"no event", b"", *lines[2:]]) + b"\n")
    pool = EnginePool([sys.executable, "-c", SPEAK, str(heard_from)])
    pool.grow(1)
    heard, engine, deadline = [], pool.engines[0], time.monotonic() + 60
    while not engine.gone and time.monotonic() < deadline:
        heard += [event for _, event in pool.poll(1.0)]
    pool.close(5.0)
    assert heard == said
