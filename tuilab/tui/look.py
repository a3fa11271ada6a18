"""The look: themes, and characters for terminals that have only plain ones."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.theme import Theme

DARK, LIGHT = "lab-dark", "lab-light"


def themes() -> tuple["Theme", ...]:
    """The lab's dark and light themes; colours keep their contrast for colour-blind readers (Okabe and Ito 2008)."""
    from textual.theme import Theme

    dark = Theme(
        name=DARK,
        primary="#56b4e9",
        secondary="#56b4e9",
        accent="#e69f00",
        warning="#f0c24a",
        error="#ff6a4d",
        success="#2fbf94",
        foreground="#d8dee4",
        background="#0f1317",
        surface="#0f1317",
        panel="#1a222a",
        dark=True,
        variables={"border-dim": "#39434d", "cursor-focus": "#2c3c4c", "cursor-blur": "#20272e", "dim": "#77828d"},
    )
    light = Theme(
        name=LIGHT,
        primary="#0b6aa8",
        secondary="#0b6aa8",
        accent="#9a5b00",
        warning="#8a6100",
        error="#b83200",
        success="#00744f",
        foreground="#22292f",
        background="#fbfbf9",
        surface="#fbfbf9",
        panel="#e9ecee",
        dark=False,
        variables={"border-dim": "#b9c1c8", "cursor-focus": "#cfe3f2", "cursor-blur": "#e6eaed", "dim": "#5b6670"},
    )
    return dark, light
