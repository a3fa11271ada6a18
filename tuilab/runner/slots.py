"""Device slots: each is trained on by one group at a time, whichever experiment it belongs to."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from errno import EDQUOT, ENOSPC
from pathlib import Path

from tuilab.runner.queue import Place
from tuilab.spec.errors import LabError
from tuilab.store.home import slot_lock
from tuilab.store.locks import FileLock

HOLD_SECONDS = 0.1
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def cores() -> int:
    """Cores that this process may use: its affinity, and no more than a container's quota; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text().split()
        return max(1, min(allowed, round(int(quota) / int(period))))
    except (OSError, ValueError):
        return allowed


def devices_for(wanted: str, cuda: Sequence[str], worth_a_gpu: bool) -> tuple[str, ...]:
    """The device of every slot that an experiment may use.

    Args:
        wanted: ``auto``, ``cpu``, ``cuda`` (all of them) or ``cuda:N``.
        cuda: names of the CUDA devices that the engine sees.
        worth_a_gpu: whether ``auto`` should choose CUDA where there is some.

    Raises:
        LabError: when the device is not there.

    """
    if wanted == "cpu" or (wanted == "auto" and not (cuda and worth_a_gpu)):
        return ("cpu",) * cores()
    if not cuda:
        raise LabError("there is no CUDA device on this machine; run it with --device cpu")
    if wanted in ("auto", "cuda"):
        return tuple(f"cuda:{index}" for index in range(len(cuda)))
    index = int(wanted.removeprefix("cuda:"))
    if index >= len(cuda):
        last = f"cuda:{len(cuda) - 1}"
        raise LabError(f"there is no device {wanted}; this machine has cuda:0 to {last}")
    return (wanted,)


def check_device(wanted: str) -> None:
    """Refuse what is not the name of a device.

    Raises:
        LabError: with the names there are.

    """
    number = wanted.removeprefix("cuda:")
    if wanted not in ("auto", "cpu", "cuda") and not (wanted != number and number.isdecimal() and len(number) < 4):
        raise LabError(f"device {wanted!r} is not known; use auto, cpu, cuda or cuda:0")


class Slot:
    """One device slot: a lock, and what it stands for."""

    def __init__(self, home: Path, name: str, device: str) -> None:
        self.name = name
        self.device = device
        self.lock = FileLock(slot_lock(home, name))
        self.busy = False
        """Whether a group of this experiment trains on it."""


class Slots:
    """The slots that an experiment may use, of which it holds some."""

    def __init__(self, home: Path, experiment: str, devices: Sequence[str]) -> None:
        """Slots for devices such as ``("cpu", "cpu")`` or ``("cuda:0",)``; none is held at first."""
        self._place = Place(home, experiment)
        self._slots = [
            Slot(home, f"cpu-{index}" if device == "cpu" else device.replace(":", "-"), device)
            for index, device in enumerate(devices)
        ]
        self._next_look = 0.0
        self.behind: tuple[str, ...] = ()
        """Experiments further ahead in the queue for these slots."""

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def held(self) -> int:
        """How many slots this experiment holds."""
        return sum(slot.lock.held for slot in self._slots)

    def hold(self, wants: Sequence[str | None]) -> None:
        """Hold a slot for each of some groups, as far as there are free ones; queue for the others.

        Slots held already are kept. Those that an experiment further ahead in the queue waits for are left to it. Looks
        at slots that others hold at most every ``HOLD_SECONDS``.

        Args:
            wants: for each group the device that it began on; None for one that has not begun, which takes any.

        """
        lacking = self._lacking(wants)
        if lacking:
            clock = time.monotonic()
            if clock < self._next_look:
                return
            before = self._place.before()
            theirs = frozenset[str]().union(*before.values())
            for slot in self._slots:
                if slot.name not in theirs and not lacking.isdisjoint({slot.device, None}):
                    self._try(slot)
                    lacking = self._lacking(wants)
            own = {slot.name for slot in self._slots if not lacking.isdisjoint({slot.device, None})}
            self.behind = tuple(name for name, slots in before.items() if slots & own)
        if lacking:
            self._next_look = clock + HOLD_SECONDS
            self._place.enter(sorted(own))
        else:
            self.leave_queue()

    def _lacking(self, wants: Sequence[str | None]) -> set[str | None]:
        """The devices of which a slot is lacking; None among them for any device."""
        there = Counter(slot.device for slot in self._slots)
        wanted = Counter(device for device in wants if device is not None) & there
        held = Counter(slot.device for slot in self._slots if slot.lock.held)
        lacking: set[str | None] = set(wanted - held)
        if (held - wanted).total() < min(wants.count(None), (there - wanted).total()):
            lacking.add(None)
        return lacking

    def _try(self, slot: Slot) -> None:
        """Hold a slot if it is free."""
        try:
            slot.lock.try_acquire()
        except OSError as error:
            # A full disk takes no new file: the slot is looked at again later.
            if error.errno not in (ENOSPC, EDQUOT):
                raise

    def leave_queue(self) -> None:
        """Wait for no further slots."""
        self._place.leave()
        self.behind = ()

    def take(self, device: str | None = None) -> Slot | None:
        """A held slot that is not busy, now marked busy; on a certain device if one is named."""
        for slot in self._slots:
            if slot.lock.held and not slot.busy and device in (None, slot.device):
                slot.busy = True
                return slot
        return None

    def release_idle(self) -> None:
        """Let other experiments have the slots that are not busy."""
        for slot in self._slots:
            if not slot.busy:
                slot.lock.release()

    def release_all(self) -> None:
        """Let other experiments have every slot."""
        self.leave_queue()
        for slot in self._slots:
            slot.busy = False
            slot.lock.release()
