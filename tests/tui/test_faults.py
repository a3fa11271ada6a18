"""A fault of tuilab's own: one sentence for the person, the traceback in the log."""

from pathlib import Path

import pytest

from tuilab.store.home import log_folder
from tuilab.tui.app import LabApp


class Broken(LabApp):
    """An app with a defect behind a key."""

    BINDINGS = [("f9", "break", "Break")]

    def action_break(self) -> None:
        raise ZeroDivisionError("on purpose")


async def test_a_fault_leaves_a_sentence_and_a_traceback_in_the_log(tmp_path: Path) -> None:
    app = Broken(tmp_path, warm=False)

    async def break_it() -> None:
        async with app.run_test() as pilot:
            await pilot.press("f9")

    with pytest.raises(ZeroDivisionError):
        await break_it()
    log = (log_folder(tmp_path) / "tuilab.log").read_text()
    assert "action_break" in log
    assert "ZeroDivisionError: on purpose" in log
    assert app.return_code == 1
