"""What the machine has left: processors, memory and GPUs, and the lab's own share of them."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from tuilab.runner.allowance import memory_allowance
from tuilab.runner.slots import cores

if TYPE_CHECKING:
    import psutil

GIB = 2**30
_CLOSE_LOOKS = 2
"""At a process: at the first it may not have become what it was started for."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU at one moment; None where the driver does not tell.

    Attributes:
        index: as in ``cuda:INDEX``; ``CUDA_VISIBLE_DEVICES`` is heeded.
        name: of the device.
        utilisation: part of the last moments in which it computed, 0 to 1.
        memory_used: bytes.
        memory_total: bytes.
        own_memory: bytes that the lab's processes hold.
        power: watts.
        temperature: degrees Celsius.

    """

    index: int
    name: str
    utilisation: float | None
    memory_used: int
    memory_total: int
    own_memory: int | None
    power: float | None
    temperature: float | None


@dataclass(frozen=True, slots=True)
class Resources:
    """The machine at one moment.

    Attributes:
        cpu: part of all processors in use since the last look, 0 to 1.
        cores: that this process may use.
        own_cores: cores that the lab's runners and engines kept busy since the last look.
        memory_available: bytes that can be had without swapping.
        memory_total: bytes.
        own_memory: bytes of the lab's runners and engines.
        gpus: in the driver's order; empty without any, or without the package that asks for them.

    """

    cpu: float
    cores: int
    own_cores: float
    memory_available: int
    memory_total: int
    own_memory: int
    gpus: tuple[Gpu, ...] = ()


class Monitor:
    """Looks at the machine; the first look has nothing to compare processor times with and tells 0.

    May be used from several threads, one at a time.
    """

    def __init__(self, home: Path) -> None:
        """Nothing is looked at yet; ``home`` tells which processes are the lab's own."""
        self._home = str(home)
        self._times = (0.0, 0.0)
        self._looks: dict[int, int] = {}
        """How often each process of this machine has been looked at closely."""
        self._runners: dict[int, psutil.Process] = {}
        self._own: dict[int, psutil.Process] = {}
        self._nvml = _nvml()

    def look(self) -> Resources:
        """The machine now."""
        import psutil

        memory = psutil.virtual_memory()
        total, available = memory_allowance(memory.total, memory.available)
        self._find_own()
        own_cores, own_memory = 0.0, 0
        for process in self._own.values():
            with suppress(psutil.Error):
                own_cores += process.cpu_percent() / 100
                own_memory += process.memory_info().rss
        return Resources(
            cpu=self._busy(),
            cores=cores(),
            own_cores=own_cores,
            memory_available=available,
            memory_total=total,
            own_memory=own_memory,
            gpus=tuple(_gpus(self._nvml, frozenset(self._own))),
        )

    def _busy(self) -> float:
        """Part of all processors in use since the last look, whichever thread looked."""
        import psutil

        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        whole = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        before, self._times = self._times, (idle, whole)
        passed = whole - before[1]
        return min(1.0, max(0.0, 1 - (idle - before[0]) / passed)) if before[1] and passed > 0 else 0.0

    def _find_own(self) -> None:
        """Find the lab's runners and what they started; only processes that are new are looked at closely."""
        import psutil

        there = frozenset(psutil.pids())
        for known in (self._looks, self._runners, self._own):
            for pid in known.keys() - there:
                del known[pid]
        parents: dict[int, int] = {}
        for pid in there:
            if self._looks.get(pid, 0) >= _CLOSE_LOOKS:
                continue
            self._looks[pid] = self._looks.get(pid, 0) + 1
            with suppress(psutil.Error):
                process = psutil.Process(pid)
                parents[pid] = process.ppid()
                if pid not in self._runners and self._is_runner(process):
                    self._runners[pid] = self._own[pid] = process
        for pid, parent in parents.items():
            if parent in self._runners and pid not in self._own:
                with suppress(psutil.Error):
                    self._own[pid] = psutil.Process(pid)

    def _is_runner(self, process: "psutil.Process") -> bool:
        if process.uids().real != os.getuid():
            return False
        arguments = process.cmdline()
        return "tuilab.runner" in arguments and self._home in arguments


def _nvml() -> ModuleType | None:
    """NVIDIA's management library; None without its package, its driver, or a GPU."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    module: ModuleType = pynvml
    return module


def _gpus(nvml: ModuleType | None, own: frozenset[int]) -> Iterator[Gpu]:
    if nvml is None:
        return
    with suppress(nvml.NVMLError):
        for index, handle in enumerate(_visible(nvml, os.environ.get("CUDA_VISIBLE_DEVICES"))):
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            name = nvml.nvmlDeviceGetName(handle)
            utilisation = power = temperature = own_memory = None
            with suppress(nvml.NVMLError):
                utilisation = nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
            with suppress(nvml.NVMLError):
                power = nvml.nvmlDeviceGetPowerUsage(handle) / 1000
            with suppress(nvml.NVMLError):
                temperature = float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
            with suppress(nvml.NVMLError):
                processes = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
                own_memory = sum(one.usedGpuMemory or 0 for one in processes if one.pid in own)
            yield Gpu(index, _text(name), utilisation, memory.used, memory.total, own_memory, power, temperature)


def _visible(nvml: ModuleType, wanted: str | None) -> list[object]:
    """Handles of the GPUs that CUDA shows to this process, in its order.

    Args:
        nvml: the library.
        wanted: indices or beginnings of UUIDs with commas between; None for all. As for CUDA, what follows an entry
            that is no GPU is not there.

    """
    handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    if wanted is None:
        return handles
    found: list[object] = []
    for entry in map(str.strip, wanted.split(",")):
        named = [handle for handle in handles if entry.startswith("GPU-") and _uuid(nvml, handle).startswith(entry)]
        if entry.isdecimal() and int(entry) < len(handles):
            named = [handles[int(entry)]]
        if len(named) != 1:
            break
        found += named
    return found


def _uuid(nvml: ModuleType, handle: object) -> str:
    return _text(nvml.nvmlDeviceGetUUID(handle))


def _text(answer: object) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else str(answer)


def strip(resources: Resources, steps_per_second: float | None = None) -> tuple[str, ...]:
    """What a line of the interface says, in parts; the first matter most when the line is short."""
    parts = []
    if steps_per_second:
        parts.append(f"{steps_per_second:,.0f} steps/s")
    parts += [_gpu_part(gpu) for gpu in resources.gpus]
    parts.append(f"CPU {resources.cpu:.0%} (lab {resources.own_cores:.1f} of {resources.cores} cores)")
    used = resources.memory_total - resources.memory_available
    share = f"{used / GIB:.1f}/{resources.memory_total / GIB:.1f} GiB"
    parts.append(f"memory {share} (lab {resources.own_memory / GIB:.1f})")
    return tuple(parts)


def _gpu_part(gpu: Gpu) -> str:
    said = [f"GPU {gpu.index}"]
    if gpu.utilisation is not None:
        said.append(f"{gpu.utilisation:.0%}")
    said.append(f"{gpu.memory_used / GIB:.1f}/{gpu.memory_total / GIB:.1f} GiB")
    if gpu.own_memory is not None:
        said.append(f"(lab {gpu.own_memory / GIB:.1f})")
    if gpu.power is not None:
        said.append(f"{gpu.power:.0f} W")
    if gpu.temperature is not None:
        said.append(f"{gpu.temperature:.0f} °C")
    return " ".join(said)
