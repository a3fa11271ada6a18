"""The strip with the machine's resources: what it says in how much room, and that it is still where nothing trains."""

from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.tui.lab_store import opened, preset_file, record
from tests.tui.screen_text import screen_text
from tuilab.runner.resources import GIB, Gpu, Resources
from tuilab.store.reader import Reader
from tuilab.store.records import ExperimentRecord, Status
from tuilab.tui.app import LabApp
from tuilab.tui.lines import cell_width, plain
from tuilab.tui.machine_lines import machine_lines
from tuilab.tui.pace import Pace
from tuilab.tui.widgets.machine_strip import MachineStrip

GPU = Gpu(0, "H100", 0.93, 20 * GIB, 80 * GIB, 19 * GIB, 512.4, 61.0)
BARE = Resources(0.93, 16, 15.2, 20 * GIB, 24 * GIB, GIB)


def with_gpus(number: int) -> Resources:
    return replace(BARE, gpus=tuple(replace(GPU, index=index) for index in range(number)))


def shown(resources: Resources, width: int, height: int) -> list[str]:
    return [plain(line).rstrip() for line in machine_lines(resources, 12345.6, width, height)]


def test_a_narrow_strip_is_short_and_a_wide_one_written_out() -> None:
    assert shown(BARE, 78, 2) == ["12,346 steps/s    CPU  93% lab 15.2/16   mem 4.0/24.0G lab 1.0"]
    assert shown(BARE, 158, 4) == ["12,346 steps/s    CPU  93% lab 15.2 of 16 cores   memory 4.0/24.0 GiB lab 1.0"]
    assert shown(with_gpus(1), 78, 2)[1] == "GPU0  93% 20/80G lab 19 512W 61°C"
    assert shown(with_gpus(1), 158, 4)[0].endswith("GPU 0  93% 20.0/80.0 GiB lab 19.0 512 W 61 °C")


@pytest.mark.parametrize("number", range(9))
@pytest.mark.parametrize(("width", "height"), [(68, 2), (78, 2), (118, 4), (158, 4)])
def test_it_keeps_to_its_room_and_counts_the_gpus_it_leaves_out(number: int, width: int, height: int) -> None:
    lines = shown(with_gpus(number), width, height)
    assert len(lines) <= height
    assert all(cell_width(line) <= width for line in lines)
    text = "\n".join(lines)
    named = text.count("°C" if width < 110 else " °C")
    left_out = f"+{number - named} GPU"
    assert (left_out in text) == (named < number)
    assert number == 0 or named >= 1


def test_gpus_that_the_lab_uses_come_first() -> None:
    others = tuple(replace(GPU, index=index, own_memory=0) for index in range(7))
    lines = shown(replace(BARE, gpus=(*others, replace(GPU, index=7))), 78, 2)
    assert lines[1].startswith("GPU7")
    assert lines[1].endswith("GPU0  93% 20/80G lab 0 512W 61°C   +6 GPUs")


def test_what_is_nearly_full_or_hot_is_marked() -> None:
    def warned(resources: Resources) -> str:
        return "".join(s.text for line in machine_lines(resources, None, 158, 4) for s in line if s.role == "warn")

    assert warned(with_gpus(1)) == ""
    assert warned(replace(BARE, memory_available=GIB)) == " 23.0/24.0 GiB"
    assert warned(replace(BARE, gpus=(replace(GPU, temperature=90.0),))) == " 90 °C"


def test_what_a_driver_does_not_tell_is_left_out() -> None:
    silent = Gpu(1, "old", None, 0, GIB, None, None, None)
    assert shown(replace(BARE, gpus=(silent,)), 78, 2)[0].endswith("   GPU1 0/1G")


def running(home: Path, part: float = 0.5) -> ExperimentRecord:
    identity = record(home, Status.RUNNING, part=part)
    with Reader(home) as reader:
        return reader.find(identity)


def test_the_labs_pace_is_that_of_the_experiments_that_train(tmp_path: Path) -> None:
    one = running(tmp_path)
    other = replace(one, id="other", status=Status.QUEUED)
    begun = Pace().after((one, other), 100.0)
    assert begun.trains
    assert begun.steps_per_second is None
    later = begun.after((replace(one, done_steps=one.done_steps + 500), other), 102.0)
    assert later.steps_per_second == 250
    assert later.after((replace(one, status=Status.FINISHED),), 103.0) == Pace()


async def look_done(pilot: Pilot[None]) -> None:
    """The first look only starts the count of processor times; the second one shows."""
    await pilot.pause(0.6)
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def strip(app: LabApp) -> MachineStrip:
    return app.screen.query_one(MachineStrip)


def ticks(app: LabApp) -> bool:
    return strip(app)._clock._active.is_set()


@pytest.mark.parametrize("where", ["lab", "library"])
async def test_it_shows_while_something_trains_and_hides_at_a_key(tmp_path: Path, where: str) -> None:
    identity = record(tmp_path, Status.RUNNING, part=0.4)
    async with opened(tmp_path, attach=identity if where == "lab" else None) as (app, pilot):
        await look_done(pilot)
        assert "lab 0.0/" in screen_text(app)
        assert ticks(app)
        await pilot.press("percent_sign")
        await pilot.pause()
        assert "CPU" not in screen_text(app)
        assert not ticks(app)
        await pilot.press("percent_sign")
        await look_done(pilot)
        assert "CPU" in screen_text(app)
        assert ticks(app)


async def test_whether_it_shows_is_remembered(tmp_path: Path) -> None:
    identity = record(tmp_path, Status.RUNNING, part=0.4)
    async with opened(tmp_path, attach=identity) as (app, pilot):
        await look_done(pilot)
        await pilot.press("percent_sign")
        await pilot.pause()
    async with opened(tmp_path, attach=identity) as (app, pilot):
        await pilot.pause()
        assert "CPU" not in screen_text(app)
        assert not ticks(app)
        await pilot.press("percent_sign")
        await look_done(pilot)
        assert "CPU" in screen_text(app)


async def test_where_nothing_trains_it_is_hidden_and_still_and_a_key_shows_it_once(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await pilot.pause()
        assert "CPU" not in screen_text(app)
        assert strip(app).resources is None
        await pilot.press("percent_sign")
        await look_done(pilot)
        assert "at " in screen_text(app).splitlines()[-2]
        assert not ticks(app)
        await pilot.press("percent_sign")
        await pilot.pause()
        assert "CPU" not in screen_text(app)


async def test_a_small_screen_keeps_its_lines(tmp_path: Path) -> None:
    identity = record(tmp_path, Status.RUNNING, part=0.4)
    async with opened(tmp_path, size=(60, 18), attach=identity) as (app, pilot):
        strip(app).resources = BARE
        await pilot.pause()
        assert "CPU" not in screen_text(app)
        await pilot.resize_terminal(160, 45)
        await pilot.pause()
        assert "lab 15.2 of 16 cores" in screen_text(app)
