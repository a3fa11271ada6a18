"""What the machine has left, what of it is the lab's, and whether a comparison fits."""

import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.runner.lab import comparison, until
from tuilab.runner import client
from tuilab.runner.fit import ENGINE_BYTES, demands_of, misfit, shortage, unsupported
from tuilab.runner.resources import GIB, Gpu, Monitor, Resources, strip
from tuilab.runner.setting import setting_of
from tuilab.spec.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL = Resources(0.5, 2, 1.5, 3 * GIB, 4 * GIB, GIB // 2)


def test_the_machine_is_looked_at_and_the_labs_share_is_the_labs(lab):
    monitor = Monitor(lab.home)
    before = monitor.look()
    assert 0 < before.memory_available < before.memory_total
    assert before.cores >= 1
    assert (before.own_memory, before.own_cores) == (0, 0.0)
    identity = lab.start("--hold")
    until(lambda: lab.reader.points(identity), "the first point")
    runner, *engines = lab.processes(identity)
    during = monitor.look()
    assert during.own_memory >= runner.memory_info().rss
    assert engines
    assert Monitor(lab.home / "elsewhere").look().own_memory == 0
    client.stop(lab.home, identity)
    lab.finish(identity)
    assert monitor.look().own_memory == 0


def test_a_line_says_what_matters_most_first():
    gpu = Gpu(0, "H200", 0.93, 20 * GIB, 139 * GIB, 19 * GIB, 512.4, 61.0)
    assert strip(SMALL) == ("CPU 50% (lab 1.5 of 2 cores)", "memory 1.0/4.0 GiB (lab 0.5)")
    busy = Resources(0.5, 2, 1.5, 3 * GIB, 4 * GIB, GIB // 2, (gpu,))
    assert strip(busy, 12345.6)[:2] == ("12,346 steps/s", "GPU 0 93% 20.0/139.0 GiB (lab 19.0) 512 W 61 °C")
    silent = Gpu(1, "old", None, 0, GIB, None, None, None)
    assert strip(Resources(0, 1, 0, 0, GIB, 0, (silent,)))[0] == "GPU 1 0.0/1.0 GiB"


class FakeNvml:
    """The driver's library with two GPUs, of which one tells little."""

    NVML_TEMPERATURE_GPU = 0

    class NVMLError(Exception):
        pass

    def __init__(self, fails=False):
        self.fails = fails

    def nvmlInit(self):  # noqa: N802
        if self.fails:
            raise self.NVMLError

    def __getattr__(self, name):
        answers: dict[str, Callable[..., object]] = {
            "nvmlDeviceGetCount": lambda: 2,
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlDeviceGetUUID": lambda index: f"GPU-{index}f{index}",
            "nvmlDeviceGetName": lambda index: b"old" if index else "H200",
            "nvmlDeviceGetMemoryInfo": lambda index: SimpleNamespace(used=GIB, total=4 * GIB),
            "nvmlDeviceGetUtilizationRates": lambda index: SimpleNamespace(gpu=93),
            "nvmlDeviceGetPowerUsage": lambda index: 512_400,
            "nvmlDeviceGetTemperature": lambda index, sensor: 61,
            "nvmlDeviceGetComputeRunningProcesses": lambda index: [SimpleNamespace(pid=1, usedGpuMemory=None)],
        }

        def answer(*arguments):
            if arguments[:1] == (1,) and not name.endswith(("Index", "Name", "UUID", "MemoryInfo")):
                raise self.NVMLError
            return answers[name](*arguments)

        return answer


def test_gpus_tell_what_their_driver_knows(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    assert Monitor(tmp_path).look().gpus == (
        Gpu(0, "H200", 0.93, GIB, 4 * GIB, 0, 512.4, 61.0),
        Gpu(1, "old", None, GIB, 4 * GIB, None, None, None),
    )


@pytest.mark.parametrize(
    ("visible", "names"),
    [("1", ["old"]), ("1,0", ["old", "H200"]), ("GPU-1f", ["old"]), ("0,7,1", ["H200"]), ("", []), ("GPU-", [])],
)
def test_gpus_that_cuda_hides_from_this_process_are_not_there(tmp_path, monkeypatch, visible, names):
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    gpus = Monitor(tmp_path).look().gpus
    assert [gpu.name for gpu in gpus] == names
    assert [gpu.index for gpu in gpus] == list(range(len(names)))


@pytest.mark.parametrize("library", [None, FakeNvml(fails=True)])
def test_without_a_package_or_a_driver_there_are_no_gpus(tmp_path, monkeypatch, library):
    monkeypatch.setitem(sys.modules, "pynvml", library)
    assert Monitor(tmp_path).look().gpus == ()


def setting(stack="100 relu", **training):
    return setting_of(comparison(candidates=[{"name": "only", "stack": stack}], training={"steps": 1, **training}))


def test_a_run_needs_parameters_four_times_and_activations_twice():
    one = setting("10 relu", batch_size=16)
    need = demands_of(one)[0].need
    assert need.parameters == 4 * 4 * (2 * 10 + 10 + 10 * 2 + 2)
    assert need.activations == 4 * 2 * one.counts[0].activations * 16
    assert need.data == 4 * 2 * 64
    assert misfit(demands_of(one), need.total, "free") is None
    assert misfit(demands_of(one), need.total - 1, "free") is not None


def test_a_batch_that_would_fit_is_named_and_does():
    large = setting("1000 relu", batch_size=64)
    need = demands_of(large)[0].need
    available = need.total - need.activations // 2
    said = misfit(demands_of(large), available, "free")
    assert said is not None
    assert "candidate only needs about" in said
    assert said.endswith("; a batch_size of at most 32 fits")
    assert misfit(demands_of(setting("1000 relu", batch_size=32)), available, "free") is None
    assert misfit(demands_of(setting("1000 relu", batch_size=34)), available, "free") is not None


def test_a_network_that_would_fit_is_named():
    large = setting("3000 relu 3000 relu", batch_size=1)
    said = misfit(demands_of(large), ENGINE_BYTES + 2**20, "in this machine")
    assert said is not None
    assert "in this machine; a network of about 65,000 parameters fits (it has 9,018,002)" in said
    assert str(misfit(demands_of(large), ENGINE_BYTES // 2, "free")).endswith(
        "not even the smallest network fits there"
    )


def test_where_auto_takes_a_gpu_its_memory_counts():
    large = demands_of(setting("3000 relu 3000 relu"))
    full = Gpu(0, "full", None, 79 * GIB, 80 * GIB, None, None, None)
    free = Gpu(1, "free", None, 2**20, GIB // 4, None, None, None)
    now = Resources(0, 1, 0, 2**40, 2**40, 0, (full, free))
    assert shortage(large, now, "auto", worth_a_gpu=False) is None
    assert shortage(large, now, "auto", worth_a_gpu=True) is None
    assert "free on cuda:1" in str(shortage(large, now, "cuda:1", worth_a_gpu=True))
    assert "free on cuda:0" in str(
        shortage(large, replace(now, gpus=(replace(full, memory_used=80 * GIB),)), "auto", worth_a_gpu=True)
    )
    assert shortage(large, replace(now, gpus=()), "auto", worth_a_gpu=True) is None


def test_what_no_machine_holds_is_refused_before_anything_is_written(lab):
    huge = comparison(candidates=[{"name": "gpt-3", "stack": "14583333331*(3 relu)"}])
    with pytest.raises(
        LabError, match=r"candidate gpt-3 needs about .* TiB of memory for one run .* in this machine; a"
    ):
        client.create_experiment(lab.home, huge)
    assert lab.reader.experiments() == []


def test_what_may_not_fit_now_is_said(lab, monkeypatch):
    assert client.shortage(lab.home, comparison()) is None
    monkeypatch.setattr(Monitor, "look", lambda self: Resources(0, 1, 0, 2**20, GIB, 0))
    assert "free" in str(client.shortage(lab.home, comparison()))
    assert client.shortage(lab.home, comparison(), "cuda") is None
    full = Gpu(0, "full", None, GIB, GIB, None, None, None)
    monkeypatch.setattr(Monitor, "look", lambda self: Resources(0, 1, 0, 2**40, 2**40, 0, (full,)))
    assert "free on cuda:0" in str(client.shortage(lab.home, comparison(), "cuda:0"))


def test_tf32_is_refused_on_a_processor_and_takes_a_gpu_where_one_is():
    small = comparison(training={"steps": 30, "precision": "tf32"})
    with pytest.raises(LabError, match=r"precision tf32, which needs a CUDA device; use float32 or bf16"):
        client.check(small, "cpu")
    client.check(small, "auto")
    assert setting_of(small).worth_a_gpu
    assert not setting_of(comparison()).worth_a_gpu
    assert unsupported(small, "auto", gpu=True) is None
    assert "none is seen here" in (unsupported(small, "auto", gpu=False) or "")
    assert unsupported(comparison(), "cpu", gpu=False) is None
