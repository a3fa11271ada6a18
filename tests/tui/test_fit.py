"""A comparison that will not fit into memory is warned of on the bench, before anybody runs it."""

from pathlib import Path

import pytest

from tests.tui.lab_store import TINY, lab_of, opened, preset_file, record
from tuilab.runner.fit import ENGINE_BYTES
from tuilab.runner.resources import GIB, Gpu, Resources
from tuilab.spec.training import Precision
from tuilab.store.records import Status
from tuilab.tui.app import LabApp
from tuilab.tui.lines import plain
from tuilab.tui.widgets.line_view import LineView


def found(app: LabApp, available: int) -> None:
    """As if a look had found so much memory."""
    lab = lab_of(app)
    lab._machine = Resources(0.0, 1, 0.0, available, 24 * GIB, 0)
    lab.show_bench()


def words(app: LabApp) -> str:
    """What the panes for warnings that are on screen say, as running text."""
    views = [app.screen.query_one(name, LineView) for name in ("#insight", "#warning")]
    shown = [view for view in views if view.display]
    rows = [view.rows.line(index, view.size.width) for view in shown for index in range(len(view.rows))]
    return " ".join(" ".join(map(plain, rows)).split())


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_the_bench_warns_when_memory_will_not_do_and_says_what_would(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with opened(tmp_path, size=size, path=preset_file(tmp_path)) as (app, pilot):
        assert "of memory for one run" not in words(app)
        found(app, ENGINE_BYTES + 20_000)
        await pilot.pause()
        assert "candidate wide needs about 400." in words(app)
        assert "not even" in words(app) or "fits" in words(app)
        found(app, GIB)
        await pilot.pause()
        assert "of memory for one run" not in words(app)


async def test_a_layer_that_is_too_wide_is_warned_of_as_soon_as_it_is_typed(tmp_path: Path) -> None:
    async with opened(tmp_path, size=(160, 45), path=preset_file(tmp_path)) as (app, pilot):
        found(app, GIB)
        await pilot.press("i")
        for character in " 30000 relu 30000 relu":
            await pilot.press("space" if character == " " else character)
        await pilot.pause()
        assert "candidate wide needs about 14.0 GiB" in words(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "of memory for one run" not in words(app)


async def test_a_precision_that_needs_a_gpu_is_warned_of_where_none_is_seen(tmp_path: Path) -> None:
    training = TINY.training.model_copy(update={"precision": Precision.TF32})
    path = preset_file(tmp_path, TINY.model_copy(update={"training": training}))
    async with opened(tmp_path, path=path) as (app, pilot):
        found(app, GIB)
        await pilot.pause()
        assert "asks for precision tf32, which needs a CUDA device, and none is seen here; use float32" in words(app)
        lab = lab_of(app)
        gpu = Gpu(0, "a card", 0.0, 0, 24 * GIB, None, None, None)
        lab._machine = Resources(0.0, 1, 0.0, GIB, 24 * GIB, 0, (gpu,))
        lab.show_bench()
        await pilot.pause()
        assert "tf32" not in words(app)


async def test_what_trains_already_is_not_warned_of(tmp_path: Path) -> None:
    async with opened(tmp_path, attach=record(tmp_path, Status.RUNNING, part=0.4)) as (app, pilot):
        found(app, 2**20)
        await pilot.pause()
        assert "of memory for one run" not in words(app)
