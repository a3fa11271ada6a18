"""What an experiment remembers of where and with what it was trained, so that another person can tell."""

import platform
from collections.abc import Sequence

from tuilab import __version__
from tuilab.runner.setting import Setting
from tuilab.spec.protocol import Ready


def environment_of(setting: Setting, ready: Ready, device: str, slots: Sequence[str]) -> dict[str, str]:
    """Names and values, in the order in which reports show them.

    Args:
        setting: what is run.
        ready: what an engine said of itself.
        device: its name, for people.
        slots: the devices that train, one after the other.

    """
    return {
        "tuilab": __version__,
        "python": platform.python_version(),
        "torch": ready.torch,
        "system": platform.platform(),
        "device": device,
        "slots": ", ".join(slots),
        "kernel": "compiled" if ready.kernel and slots[0] == "cpu" else "none",
        "precision": ", ".join(sorted({one.precision.value for one in setting.trainings})),
        "seed": str(setting.comparison.protocol.seed),
    }
