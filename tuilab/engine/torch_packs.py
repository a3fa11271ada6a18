"""Packs on torch tensors: by autograd for any network, by a compiled plan for dense stacks.

Shapes: R replicas, B examples a batch.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from tuilab.engine.examples import Examples
from tuilab.engine.layout import parameter_slots
from tuilab.engine.losses import loss_per_example, metric_per_example
from tuilab.engine.optimizers import make_update
from tuilab.engine.pack import (
    Job,
    LossArray,
    Member,
    Memory,
    PartName,
    Scores,
    evaluation_chunk,
    initial_values,
    metric_scale,
    with_steps,
)
from tuilab.engine.packed import PackedNetwork, Parameters, Pass, fresh_stats
from tuilab.engine.plan import Plan, TrainingPlan
from tuilab.engine.random import dropout_keys
from tuilab.engine.schedules import factor


class TorchPack(ABC):
    """What both kinds share: examples, optimiser, evaluation. All parameters lie in one flat buffer."""

    def __init__(self, job: Job, members: Sequence[Member]) -> None:
        self._job = job
        self._examples = Examples(job, members)
        seeds = tuple(member.seed_index for member in members)
        values = initial_values(job, members)
        keys = dropout_keys(job.seed, seeds, job.layout.num_dropouts, job.device)
        self._own = Parameters(values, torch.zeros_like(values), keys, fresh_stats(job.layout, values))
        self._update = make_update(job.training.optimizer, values, [member.lr for member in members])
        self._rebuild()

    @abstractmethod
    def _rebuild(self) -> None:
        """Make what depends on the parameters' place in memory."""

    @abstractmethod
    def _differentiate(self, step: int, x: Tensor, y: Tensor) -> Tensor:
        """Write the gradients of one batch; its loss (R,)."""

    @abstractmethod
    def _output(self, x: Tensor) -> Tensor:
        """The outputs (R, B, out_features), without dropout."""

    @abstractmethod
    def _alive(self, x: Tensor) -> list[Tensor]:
        """Whether each ReLU unit (a feature, or a channel of an image) is above zero anywhere: (R, units) a layer."""

    def parameters(self) -> Tensor:
        """(R, num_params): the parameters in order, without gaps."""
        slots = parameter_slots(self._job.layout.program)
        return torch.cat([self._own.values[:, :0], *(self._own.view(slot).flatten(1) for slot in slots)], 1)

    def run(self, first: int, last: int) -> LossArray:
        own, training = self._own, self._job.training
        losses = own.values.new_empty(last - first, len(own.values))
        for step, (x, y) in zip(range(first, last), self._examples.batches(last - first), strict=True):
            losses[step - first] = self._differentiate(step, x, y)
            self._update.step(own.values, own.gradients, factor(training.schedule, step, training.steps))
        return losses.double().cpu().numpy()

    @torch.no_grad()
    def evaluate(self, part: PartName) -> Scores:
        job, examples = self._job, self._examples
        count, chunk = examples.count(part), evaluation_chunk(job.layout)
        loss = torch.zeros(len(examples.members), dtype=torch.float64, device=job.device)
        metric = torch.zeros_like(loss)
        for begin in range(0, count, chunk):
            x, y = examples.stacked(part, begin, min(count, begin + chunk))
            output = self._output(x)
            loss += loss_per_example(job.loss, output, y).sum(1, dtype=torch.float64)
            metric += metric_per_example(job.loss, output, y).sum(1, dtype=torch.float64)
        scale = metric_scale(job.loss, [member.split for member in examples.members], part, count)
        return Scores(loss.cpu().numpy() / count, metric.cpu().numpy() / count / scale)

    @torch.no_grad()
    def dead_fraction(self) -> LossArray | None:
        count, chunk = self._examples.count("val"), evaluation_chunk(self._job.layout)
        alive: list[Tensor] = []
        for begin in range(0, count, chunk):
            x, _ = self._examples.stacked("val", begin, min(count, begin + chunk))
            now = self._alive(x)
            alive = [a | b for a, b in zip(alive, now, strict=True)] if alive else now
        if not alive:
            return None
        return 1 - torch.cat(alive, 1).double().mean(1).cpu().numpy()

    def keep(self, rows: list[int]) -> None:
        old, replicas = self._own, len(self._examples.members)
        self._own = Parameters(
            old.values[rows],
            old.gradients[rows],
            old.dropout_keys[:, rows],
            [stats.keep(rows, replicas) for stats in old.stats],
        )
        self._update.keep(rows)
        self._examples.keep(rows)
        self._rebuild()

    def set_lr(self, row: int, lr: float) -> None:
        self._update.set_lr(row, lr)

    def set_steps(self, steps: int) -> None:
        self._job = with_steps(self._job, steps)

    def memories(self) -> list[Memory]:
        replicas = len(self._examples.members)
        whole = {"values": self._own.values, **self._update.moments()}
        for index, stats in enumerate(self._own.stats):
            whole[f"mean {index}"] = stats.mean.view(replicas, -1)
            whole[f"variance {index}"] = stats.variance.view(replicas, -1)
        orders = self._examples.orders
        return [
            Memory({name: tensor[row] for name, tensor in whole.items()}, order) for row, order in enumerate(orders)
        ]

    def skip_to(self, step: int) -> None:
        self._update.skip_to(step)


class AutogradPack(TorchPack):
    """Replicas differentiated by autograd; for any network."""

    _network: PackedNetwork

    def _rebuild(self) -> None:
        self._network = PackedNetwork(self._job.layout, self._own, self._job.products)

    def _differentiate(self, step: int, x: Tensor, y: Tensor) -> Tensor:
        loss = loss_per_example(self._job.loss, self._network(x, Pass(step)), y).mean(1)
        self._network.differentiate(loss)
        return loss.detach()

    def _output(self, x: Tensor) -> Tensor:
        return self._network(x, Pass())

    def _alive(self, x: Tensor) -> list[Tensor]:
        relu: list[Tensor] = []
        self._network(x, Pass(relu=relu))
        return [(y > 0).flatten(3).any(-1).any(1) if y.dim() > 3 else (y > 0).any(1) for y in relu]


class PlanPack(TorchPack):
    """Replicas of a dense stack, trained by a plan."""

    _training: TrainingPlan
    _evaluations: dict[int, Plan]

    def _rebuild(self) -> None:
        job, batch = self._job, self._examples.batch_size
        self._training = TrainingPlan(job.layout, self._own, batch, job.loss, job.products)
        self._evaluations = {}

    def _differentiate(self, step: int, x: Tensor, y: Tensor) -> Tensor:
        plan = self._training
        plan.inputs.copy_(x.flatten(2).mT)
        plan.targets.copy_(y.unsqueeze(1) if y.dim() == 2 else y.mT)
        plan.forward(step)
        plan.backward()
        return plan.loss

    def _output(self, x: Tensor) -> Tensor:
        return self._evaluated(x).output.mT

    def _alive(self, x: Tensor) -> list[Tensor]:
        return [y.amax(2) > 0 for y in self._evaluated(x).relu]

    def _evaluated(self, x: Tensor) -> Plan:
        batch = x.shape[1]
        if batch not in self._evaluations:
            job = self._job
            self._evaluations[batch] = Plan(job.layout, self._own, batch, job.products, training=False)
        plan = self._evaluations[batch]
        plan.inputs.copy_(x.flatten(2).mT)
        plan.forward()
        return plan
