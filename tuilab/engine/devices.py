"""Where tensors live: names of devices and what this machine offers."""

import ctypes
import platform
from pathlib import Path

import torch

from tuilab.spec.errors import LabError


def find_device(name: str) -> torch.device:
    """``cpu``, ``cuda`` or ``cuda:1`` as a device that exists.

    Raises:
        LabError: when there is no such device.

    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise LabError(f"device {name!r} is unknown; use cpu, cuda or cuda:0") from None
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type != "cuda":
        raise LabError(f"device {name!r} is not supported; use cpu, cuda or cuda:0")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if (device.index or 0) >= count:
        found = f"it has {count}" if count else "torch finds none"
        raise LabError(f"device {name!r}: this machine has no such CUDA device ({found}); use cpu")
    return device


def cuda_names() -> tuple[str, ...]:
    """Names of the CUDA devices, by index."""
    if not torch.cuda.is_available():
        return ()
    return tuple(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))


def cpu_name() -> str:
    """The processor's model name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def keep_freed_memory() -> None:
    """Let the C library (glibc) hold on to freed memory: what every step allocates need not be mapped every time."""
    trim_threshold, mmap_threshold = -1, -3
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(mmap_threshold, 32 << 20)
    mallopt(trim_threshold, 256 << 20)
