"""Where the compiled kernel comes from: numba where it is installed, and a cache on disk, so that no run waits for it.

Compiling takes about half a minute, once for a machine and a version of this code, by
``python -m tuilab.engine --compile``, or by itself in the background when an engine starts without it. An engine
decides at its start whether it has the kernel and keeps to that, so that what it trains twice is the same twice.
"""

import fcntl
import hashlib
import importlib.util
import logging
import os
import shutil
import subprocess
import sys
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from platformdirs import user_cache_path

from tuilab.engine.data import make_splits
from tuilab.engine.layout import lay_out
from tuilab.engine.pack import Job, Member
from tuilab.spec.network import Network
from tuilab.spec.notation import parse
from tuilab.spec.task import Xor
from tuilab.spec.training import Loss, Training

if TYPE_CHECKING:
    from tuilab.engine.kernel_pack import KernelPack

_log = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def find_kernel() -> "type[KernelPack] | None":
    """The kernel's kind of pack, if it is compiled; the first call loads it and decides for the whole process.

    ``TUILAB_KERNEL=off`` in the environment does without.
    """
    folder = _folder()
    if folder is None or not (folder / "ready").exists():
        return None
    try:
        return _load(folder)
    except (ImportError, OSError, RuntimeError) as error:
        _log.warning("the compiled kernel cannot be loaded, dense stacks train without it: %s", error)
        return None


def compile_kernel() -> bool:
    """Compile the kernel unless that has been done, in a process of its own; whether it is there now.

    Code as it comes from the compiler rounds differently, here and there, from the same code out of the cache, so no
    process that compiles trains as well.
    """
    folder = _folder()
    if folder is None:
        return False
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "tuilab.engine", "--compile"], stdin=subprocess.DEVNULL, check=False)
    return (folder / "ready").exists()


def compile_here() -> bool:
    """Compile the kernel in this process, which should do nothing else. Only one process compiles at a time."""
    folder = _folder()
    if folder is None:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            _load(folder)
            (folder / "ready").touch()
            for outdated in set(folder.parent.glob("kernel-*")) - {folder}:
                shutil.rmtree(outdated, ignore_errors=True)
    return True


def compile_in_background() -> None:
    """Start a process that compiles the kernel for later engines, where that is needed; it belongs to no lab."""
    folder = _folder()
    if folder is None or (folder / "ready").exists() or _compiling(folder):
        return
    subprocess.Popen(
        [sys.executable, "-m", "tuilab.engine", "--compile"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={name: value for name, value in os.environ.items() if name != "TUILAB_HOME"},
        start_new_session=True,
    )


def _compiling(folder: Path) -> bool:
    """Whether another process is at it."""
    try:
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _folder() -> Path | None:
    """The cache of this version of the kernel on this machine; None where there can be no kernel.

    It stands beside Python's own cache of the code if that can be written, else in the user's cache.
    """
    if os.environ.get("TUILAB_KERNEL") == "off" or importlib.util.find_spec("numba") is None:
        return None
    digest = hashlib.sha256(version("numba").encode())
    digest.update(_processor())
    for source in sorted(Path(__file__).parent.glob("kernel*.py")):
        # numba knows sources by path and time: the same text installed anew would be compiled as an engine starts.
        digest.update(f"{source} {source.stat().st_mtime_ns}".encode())
        digest.update(source.read_bytes())
    beside = Path(__file__).parent / "__pycache__"
    parent = beside if os.access(beside if beside.exists() else beside.parent, os.W_OK) else user_cache_path("tuilab")
    return parent / f"kernel-{digest.hexdigest()[:16]}"


def _processor() -> bytes:
    """What the system tells about the processor's instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_bytes().splitlines()
    except OSError:
        return b""
    return next((line for line in lines if line.startswith((b"flags", b"Features"))), b"")


def _load(folder: Path) -> "type[KernelPack]":
    """Import the kernel and train a tiny network with it, which loads it from the cache or compiles it."""
    import numba

    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
    from tuilab.engine import kernel, kernel_pack

    split = make_splits(Xor(num_train=4, num_val=4, num_test=4), 0, [0])[0]
    job = Job(lay_out(Network(parse("1 relu"), (2,), 2)), Training(), Loss.CROSS_ENTROPY, 0, torch.device("cpu"))
    pack = kernel_pack.KernelPack(job, [Member(0, 0.1, split)])
    pack.run(0, 1)
    pack.evaluate("val")
    kernel.train.disable_compile()
    kernel.evaluate.disable_compile()
    return kernel_pack.KernelPack
