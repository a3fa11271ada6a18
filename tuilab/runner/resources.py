"""What the machine has left: processors, memory and GPUs, and the lab's own share of them."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from tuilab.runner.slots import cores

if TYPE_CHECKING:
    import psutil

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU at one moment; None where the driver does not tell.

    Attributes:
        index: as in ``cuda:INDEX`` where ``CUDA_VISIBLE_DEVICES`` does not say otherwise.
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
    """Looks at the machine; the first look has nothing to compare processor times with and tells 0."""

    def __init__(self, home: Path) -> None:
        """Nothing is looked at yet; ``home`` tells which processes are the lab's own."""
        self._home = str(home)
        self._known: dict[int, psutil.Process] = {}
        self._nvml = _nvml()

    def look(self) -> Resources:
        """The machine now."""
        import psutil

        memory = psutil.virtual_memory()
        own = [one for runner in self._runners() for one in (runner, *_children(runner))]
        self._known = {process.pid: self._known.get(process.pid, process) for process in own}
        own_cores, own_memory = 0.0, 0
        for process in self._known.values():
            with suppress(psutil.Error):
                own_cores += process.cpu_percent() / 100
                own_memory += process.memory_info().rss
        return Resources(
            cpu=psutil.cpu_percent() / 100,
            cores=cores(),
            own_cores=own_cores,
            memory_available=memory.available,
            memory_total=memory.total,
            own_memory=own_memory,
            gpus=tuple(_gpus(self._nvml, frozenset(self._known))),
        )

    def _runners(self) -> "Iterator[psutil.Process]":
        import psutil

        user = os.getuid()
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.uids().real == user:
                    arguments = process.cmdline()
                    if "tuilab.runner" in arguments and self._home in arguments:
                        yield process


def _children(process: "psutil.Process") -> "list[psutil.Process]":
    import psutil

    try:
        return process.children()
    except psutil.Error:
        return []


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
        for index in range(nvml.nvmlDeviceGetCount()):
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
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
            text = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
            yield Gpu(index, text, utilisation, memory.used, memory.total, own_memory, power, temperature)


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
