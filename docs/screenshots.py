"""Make the README's pictures: the library, the bench before a run, the lab after it, and its verdict.

python docs/screenshots.py        (two minutes at most; trains the spirals preset in a lab of its own)
"""

import asyncio
import os
import tempfile
from pathlib import Path

from textual.pilot import Pilot

from tuilab.runner import client
from tuilab.spec.preset_file import load
from tuilab.spec.presets import find_preset
from tuilab.tui.start import prepare

FOLDER = Path(__file__).parent
SIZE = (120, 36)


async def _settled(pilot: Pilot[None]) -> None:
    for _ in range(20):
        await pilot.pause(0.1)


async def _pictures(home: Path, identity: str) -> None:
    from tuilab.tui.app import LabApp

    library = LabApp(home, warm=False)
    async with library.run_test(size=SIZE) as pilot:
        await _settled(pilot)
        library.save_screenshot("library.svg", str(FOLDER))
        await pilot.press("enter")
        await _settled(pilot)
        library.save_screenshot("bench.svg", str(FOLDER))
    lab = LabApp(home, attach=identity, warm=False)
    async with lab.run_test(size=SIZE) as pilot:
        await _settled(pilot)
        await pilot.press("right_square_bracket")
        await _settled(pilot)
        lab.save_screenshot("lab.svg", str(FOLDER))
        await pilot.press("V")
        await _settled(pilot)
        lab.save_screenshot("verdict.svg", str(FOLDER))


def main() -> None:
    """Train, then draw."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ["COLORTERM"] = "truecolor"
        prepare(os.environ)
        comparison = load(find_preset("spirals-depth"))
        identity = client.create_and_launch(home, comparison, source="spirals-depth")
        for _ in client.follow(home, identity):
            pass
        asyncio.run(_pictures(home, identity))


if __name__ == "__main__":
    main()
