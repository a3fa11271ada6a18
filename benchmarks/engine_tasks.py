"""The trainings that the engine is measured on, T1 to T6."""

from dataclasses import dataclass

from tuilab.spec.layers import Stack
from tuilab.spec.network import Network
from tuilab.spec.notation import parse
from tuilab.spec.task import Digits, Spirals, Task, facts
from tuilab.spec.training import Adam, Constant, Loss, Momentum, Training


@dataclass(frozen=True, slots=True)
class Measured:
    """One benchmark: some architectures on one task, each with some seeds.

    Attributes:
        name: T1 to T6.
        says: what it is, for the table.
        stacks: the architectures.
        task: where the examples come from.
        training: how the networks are trained; ``steps`` is what a round of the engine takes.
        seeds: of each architecture.
        peer_steps: steps of a round of the plain loop, over all architectures.
        threads: of one engine process; the processes share the machine's cores.

    """

    name: str
    says: str
    stacks: tuple[str, ...]
    task: Task
    training: Training
    seeds: int
    peer_steps: int
    threads: int = 1

    def networks(self) -> tuple[Network, ...]:
        known = facts(self.task)
        loss = self.training.loss or known.default_loss
        return tuple(Network(self._stack(text), known.in_shape, known.out_features(loss)) for text in self.stacks)

    @staticmethod
    def _stack(text: str) -> Stack:
        return parse(text)


def _training(steps: int, batch_size: int, loss: Loss | None = None, *, momentum: bool = False) -> Training:
    optimizer = Momentum() if momentum else Adam()
    return Training(optimizer=optimizer, lr=1e-3, schedule=Constant(), steps=steps, batch_size=batch_size, loss=loss)


_SPIRALS = Spirals(num_train=2048, num_val=512, num_test=512)
_IMAGES = Digits(image=True, shift=20)

TASKS = (
    Measured(
        "T1", "2-32-32-32-1 relu, batch 64, Adam", ("3*(32 relu)",), _SPIRALS, _training(10_000, 64, Loss.BCE), 10, 1500
    ),
    Measured(
        "T2", "64-128-128-10 digits, batch 128, Adam", ("2*(128 relu)",), Digits(), _training(1000, 128), 10, 1000
    ),
    Measured(
        "T3",
        "2-(16x10)-1, batch 64, momentum",
        ("16*(10 relu)",),
        _SPIRALS,
        _training(6000, 64, Loss.BCE, momentum=True),
        10,
        900,
    ),
    Measured("T4", "784-1024-1024-10, batch 256, Adam", ("flatten 2*(1024 relu)",), _IMAGES, _training(40, 256), 4, 40),
    Measured(
        "T5",
        "CNN 1x28x28, 2 conv + 2 linear, batch 128, Adam",
        ("conv(16, 3) relu maxpool(2) conv(32, 3) relu maxpool(2) flatten 64 relu",),
        _IMAGES,
        _training(200, 128),
        4,
        60,
    ),
    Measured(
        "T6",
        "six architectures of about 2,200 parameters, batch 64, Adam",
        ("440 relu", "2*(44 relu)", "3*(32 relu)", "4*(26 relu)", "6*(20 relu)", "8*(17 relu)"),
        _SPIRALS,
        _training(2500, 64),
        5,
        1200,
    ),
)
