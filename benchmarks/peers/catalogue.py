"""The peers: what each needs to be installed, and the ways to spread it over the machine's cores that are tried."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

_NUMPY, _TORCH = "numpy==2.4.6", "torch==2.13.0"
_JAX = ("jax==0.10.2", "jaxlib==0.10.2", _NUMPY)
ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """So many processes, each with so many threads; ``packing`` is how replicas are trained, where that is a choice."""

    processes: int
    threads: int
    packing: str = ""

    def __str__(self) -> str:
        return f"{self.processes}×{self.threads}{' ' * bool(self.packing)}{self.packing}"


@dataclass(frozen=True, slots=True)
class Peer:
    """Something to compare with.

    Attributes:
        key: its name on the command line, and of its environment.
        title: its name in the table.
        module: the script in this folder.
        requirements: for pip; none where it runs in the lab's own environment, since the lab needs the same packages.
        variables: of its processes' environment.
        spread: 'one' process with all threads, a process a 'core', or the better of both.
        packings: ways to train replicas, all of which are tried.
        convolutions: whether it has them.

    """

    key: str
    title: str
    module: str
    requirements: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    spread: tuple[str, ...] = ("one", "core")
    packings: tuple[str, ...] = ("",)
    convolutions: bool = True

    def layouts(self, cores: int) -> tuple[Layout, ...]:
        """The ways to use the cores, each once."""
        ways = {"one": (1, cores), "core": (cores, 1)}
        found = [Layout(*ways[way], packing) for packing in self.packings for way in self.spread]
        return tuple(dict.fromkeys(found))

    @property
    def folder(self) -> Path:
        """Of its environment; only peers with requirements have one."""
        return Path(platformdirs.user_cache_dir("tuilab-benchmarks")) / self.key

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python") if self.requirements else sys.executable

    @property
    def installed(self) -> bool:
        """Whether its environment holds the versions that are wanted."""
        mark = self.folder / "requirements"
        return not self.requirements or (mark.is_file() and mark.read_text() == "\n".join(self.requirements))

    def install(self) -> None:
        """Make its environment anew. Raises ``CalledProcessError`` after pip has said why it could not."""
        shutil.rmtree(self.folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", self.folder], check=True)
        pip = [self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *self.requirements], check=True)
        (self.folder / "requirements").write_text("\n".join(self.requirements))

    def environment(self, layout: Layout, root: Path) -> dict[str, str]:
        """Variables for its processes, with this repository to import from."""
        threads = ONE_THREAD if layout.threads == 1 else {}
        return {**os.environ, "PYTHONPATH": str(root), **threads, **self.variables}


LOOP = Peer("loop", "PyTorch loop, DataLoader", "torch_loop", spread=("one",))
JAX = Peer("jax", "JAX, jit + scan + vmap", "jax_scan", _JAX, packings=("packed", "alone"))
LIMIT = Peer("limit", "matrix products alone", "products", packings=("packed", "alone"))
PEERS = (
    LOOP,
    Peer("loops", "the same, a process a core", "torch_loop", spread=("core",)),
    Peer("indexed", "PyTorch, indexed tensors, fused optimiser", "torch_indexed"),
    Peer("lightning", "Lightning", "lightning_fit", ("lightning==2.6.6", _TORCH, _NUMPY)),
    Peer("keras-torch", "Keras on PyTorch", "keras_fit", ("keras==3.15.1", _TORCH, _NUMPY), {"KERAS_BACKEND": "torch"}),
    Peer("keras-jax", "Keras on JAX", "keras_fit", ("keras==3.15.1", *_JAX), {"KERAS_BACKEND": "jax"}),
    Peer("scikit-learn", "scikit-learn", "sklearn_fit", convolutions=False),
    JAX,
    LIMIT,
)
