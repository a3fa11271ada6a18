"""The screen as plain text, for goldens that a reviewer can read in a diff."""

import os
from pathlib import Path

from textual.app import App

GOLDENS = Path(__file__).parent / "goldens"


def screen_text(app: App[None]) -> str:
    """What the application shows: one line for each row, without spaces at the ends."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips).rstrip() + "\n"


def assert_golden(name: str, text: str) -> None:
    """Compare with ``goldens/NAME.txt``; UPDATE_GOLDENS=1 in the environment writes it instead."""
    path = GOLDENS / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDENS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
