"""Interfering with what trains, from the keyboard."""

import dataclasses
from pathlib import Path

from tests.tui.lab_store import lab_of, notices, opened, record
from tests.tui.live_values import STEPS
from tests.tui.screen_text import screen_text
from tuilab.spec.protocol import Change
from tuilab.store.reader import Reader
from tuilab.store.records import Command, Order, Status
from tuilab.store.writer import Writer


async def test_a_learning_rate_more_steps_and_the_end_of_a_run_are_three_keys_each(tmp_path: Path) -> None:
    identity = record(tmp_path, Status.RUNNING, part=0.4)
    async with opened(tmp_path, attach=identity) as (app, pilot):
        for keys in (("X", "l", "3"), ("X", "s", "2"), ("X", "r", "b"), ("X", "c"), ("X", "l", "escape")):
            for key in keys:
                await pilot.press(key)
                await pilot.pause()
            assert lab_of(app)
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        sent = [(one.command, one.order) for one in writer.waiting_commands(identity)]
        second = reader.runs(identity)[1].id
    assert sent == [
        (Command.LR, Order(candidate=0, value=0.03)),
        (Command.STEPS, Order(candidate=0, value=2 * STEPS)),
        (Command.STOP_RUN, Order(run=second)),
    ]


async def test_without_anything_that_trains_there_is_nothing_to_change(tmp_path: Path) -> None:
    async with opened(tmp_path, attach=record(tmp_path)) as (app, pilot):
        await pilot.press("X")
        assert "nothing is running" in notices(app)


async def test_a_change_is_marked_on_the_curves(tmp_path: Path) -> None:
    identity = record(tmp_path, Status.RUNNING, part=0.4)
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        change = Change(step=STEPS // 4, lr=0.1)
        writer.write(identity, runs=[dataclasses.replace(run, changes=(change,)) for run in reader.runs(identity)[:3]])
    async with opened(tmp_path, size=(160, 45), attach=identity) as (app, pilot):
        await pilot.pause()
        text = screen_text(app)
    assert text.count("▲") == 2
    assert "arrow: changed by hand" in text
