"""A pack whose whole step runs on the device: batches, forward, backward, update and losses, without the host.

On a GPU the step is captured once as a CUDA graph and replayed; elsewhere, and where a capture fails, the same
operations are called one by one, which is how this path is tested; it has not run on a GPU yet. The host uploads the
order of some hundred batches and reads their losses at once. Numbers are float32 but for
the factors of products, which the training's precision may round.

Shapes: R replicas, N training examples, F features, B examples a batch.
"""

import logging
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from tuilab.engine.pack import Job, LossArray, Member
from tuilab.engine.schedules import factor
from tuilab.engine.torch_packs import PlanPack
from tuilab.spec.training import Momentum, Nesterov, Optimizer

_log = logging.getLogger(__name__)

Replay: TypeAlias = Callable[[], object]
"""Takes the step that was captured."""
Capture: TypeAlias = Callable[[Callable[[], None]], Replay]
"""Captures a step without taking it; raises RuntimeError, with no number on the device changed, when that fails."""

_AHEAD = 256
"""Steps whose batches are uploaded at once."""
_EAGER = 3
"""Steps before a capture, in which libraries make what they must not make during one."""


class GraphPack(PlanPack):
    """Replicas of a dense stack, trained by a plan that needs the host once in some hundred steps."""

    def __init__(self, job: Job, members: Sequence[Member], capture: Capture | None = None) -> None:
        """As every pack; ``capture`` replays steps if they are alike: without one a CUDA graph does, on CUDA only."""
        if capture is None and job.device.type == "cuda":
            capture = captured
        self._capture = capture if all_steps_alike(job.training.optimizer) else None
        super().__init__(job, members)

    def _rebuild(self) -> None:
        super()._rebuild()
        device, members = self._job.device, self._examples.members
        inputs, targets = self._examples.stacked("train", 0, len(members[0].split.train))
        self._inputs, self._targets = inputs.flatten(2), targets.unsqueeze(2) if targets.dim() == 2 else targets
        self._order = torch.zeros(len(members), _AHEAD, self._examples.batch_size, dtype=torch.int64, device=device)
        self._factors = torch.zeros(_AHEAD, dtype=self._job.dtype, device=device)
        self._losses = torch.zeros(_AHEAD, len(members), dtype=self._job.dtype, device=device)
        self._place = torch.zeros(1, dtype=torch.int64, device=device)
        self._step = torch.zeros((), dtype=torch.int64, device=device)
        self._replay: Replay | None = None
        self._eager = _EAGER

    def set_lr(self, row: int, lr: float) -> None:
        super().set_lr(row, lr)
        # Learning rates are part of what was captured.
        self._replay = None

    def run(self, first: int, last: int) -> LossArray:
        found = []
        for begin in range(first, last, _AHEAD):
            count = min(_AHEAD, last - begin)
            self._upload(begin, count)
            for _ in range(count):
                self._advance()
            found.append(self._losses[:count].clone())
        return torch.cat(found).double().cpu().numpy()

    def _upload(self, first: int, count: int) -> None:
        """Tell the device about the batches and learning rates of ``count`` steps."""
        training = self._job.training
        order = np.stack([order.take(count) for order in self._examples.orders])
        _send(torch.from_numpy(order), self._order[:, :count])
        factors = [factor(training.schedule, step, training.steps) for step in range(first, first + count)]
        _send(torch.tensor(factors, dtype=self._job.dtype), self._factors[:count])
        self._place.zero_()
        self._step.fill_(first)

    def _advance(self) -> None:
        """One step, replayed where it has been captured."""
        if self._capture is None:
            self._whole_step()
        elif self._eager:
            self._eager -= 1
            self._whole_step()
        else:
            self._replay = self._replay or self._captured(self._capture)
            self._replay()

    def _captured(self, capture: Capture) -> Replay:
        """The step to be replayed, or taken one operation after the other from now on where it cannot be captured."""
        try:
            return capture(self._whole_step)
        except RuntimeError as error:
            _log.warning("the step cannot be captured as a CUDA graph, training goes on without: %s", error)
            self._capture = None
            return self._whole_step

    def _whole_step(self) -> None:
        plan, own = self._training, self._own
        chosen = self._order.index_select(1, self._place).transpose(1, 2)
        _pick(self._inputs, chosen, plan.inputs.mT)
        _pick(self._targets, chosen, plan.targets.mT)
        plan.forward(self._step)
        plan.backward()
        self._update.step(own.values, own.gradients, self._factors.index_select(0, self._place).squeeze())
        self._losses.index_copy_(0, self._place, plan.loss.unsqueeze(0))
        self._place += 1
        self._step += 1


def captured(step: Callable[[], None]) -> Replay:
    """A step of the current CUDA device as a graph.

    Raises:
        RuntimeError: when it cannot be captured.

    """
    graph = torch.cuda.CUDAGraph()
    # A capture that fails as it ends leaves its own stream in place of the one before it.
    with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph):
        step()
    return graph.replay


def _send(source: Tensor, target: Tensor) -> None:
    """Copy to the device without waiting for the steps that it still has to take."""
    target.copy_(source.pin_memory() if target.is_cuda else source, non_blocking=True)


def all_steps_alike(optimizer: Optimizer) -> bool:
    """Whether no number that the host computes for a step differs from step to step; a rising momentum does."""
    return not (isinstance(optimizer, Momentum | Nesterov) and optimizer.momentum_schedule != "constant")


def _pick(source: Tensor, chosen: Tensor, target: Tensor) -> None:
    """Examples ``chosen`` (R, B, 1) of ``source`` (R, N, F) into ``target`` (R, B, F)."""
    target.copy_(source.gather(1, chosen.expand(-1, -1, source.shape[2])))
