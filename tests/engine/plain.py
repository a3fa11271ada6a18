"""The plain way to train one network: nn.Module and torch.optim, one tensor at a time. The oracle of these tests."""

import itertools

import torch
from torch import Tensor, nn

from tuilab.engine.layout import Layout, parameter_slots
from tuilab.engine.losses import as_target
from tuilab.engine.pack import Job, Member
from tuilab.engine.random import dropout_keys, keep_mask
from tuilab.engine.schedules import factor
from tuilab.spec import layers as spec
from tuilab.spec.layers import ActivationKind, Stack
from tuilab.spec.network import Network
from tuilab.spec.shapes import output_shape
from tuilab.spec.training import Adam, AdamW, LeastSquares, Loss, Momentum, Nesterov, Optimizer, RmsProp, Sgd

_ACTIVATIONS = {
    ActivationKind.RELU: nn.ReLU,
    ActivationKind.TANH: nn.Tanh,
    ActivationKind.SIGMOID: nn.Sigmoid,
    ActivationKind.GELU: nn.GELU,
    ActivationKind.SILU: nn.SiLU,
    ActivationKind.IDENTITY: nn.Identity,
}


class SeededDropout(nn.Module):
    """nn.Dropout, with the engine's mask."""

    def __init__(self, p: float, key: Tensor) -> None:
        super().__init__()
        self.p, self.key, self.step = p, key, 0

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        positions = torch.arange(x.numel()).view(x.shape)
        return x * keep_mask(self.key.view(1), self.step, positions, self.p)[0] / (1 - self.p)


class Residual(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x):
        return x + self.body(x)


class Sum(nn.Module):
    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return sum(branch(x) for branch in self.branches)


def build(stack: Stack, shape, dropouts) -> nn.Sequential:
    """nn.Module of a stack whose ``out`` is resolved; ``dropouts`` yields the masks' keys."""
    modules: list[nn.Module] = []
    for layer in stack:
        if isinstance(layer, spec.Repeat):
            for _ in range(layer.times):
                modules.append(build(layer.body, shape, dropouts))
                for inner in layer.body:
                    shape = output_shape(inner, shape)
            continue
        modules.append(_module(layer, shape, dropouts))
        shape = output_shape(layer, shape)
    return nn.Sequential(*modules)


def _module(layer, shape, dropouts):
    match layer:
        case spec.Linear(width, bias):
            return nn.Linear(shape[-1], width, bias)
        case spec.Conv(channels, kernel, stride, padding, bias):
            return nn.Conv2d(shape[0], channels, kernel, stride, padding, bias=bias)
        case spec.Activation(ActivationKind.LEAKY_RELU, slope):
            return nn.LeakyReLU(slope)
        case spec.Activation(ActivationKind.SOFTMAX):
            return nn.Softmax(dim=-1)
        case spec.Activation(kind):
            return _ACTIVATIONS[kind]()
        case spec.Dropout(p):
            return SeededDropout(p, next(dropouts))
        case spec.LayerNorm():
            return nn.LayerNorm(shape if len(shape) == 3 else shape[-1])
        case spec.BatchNorm():
            return (nn.BatchNorm1d if len(shape) == 1 else nn.BatchNorm2d)(shape[0])
        case spec.MaxPool(kernel, stride, padding):
            return nn.MaxPool2d(kernel, stride, padding)
        case spec.AvgPool(kernel, stride, padding):
            return nn.AvgPool2d(kernel, stride, padding)
        case spec.Flatten():
            return nn.Flatten()
        case spec.Residual(body):
            return Residual(build(body, shape, dropouts))
        case spec.Sum(branches):
            return Sum([build(branch, shape, dropouts) for branch in branches])
        case _:
            raise AssertionError(layer)


def make_module(network: Network, layout: Layout, row: Tensor, seed: int, seed_index: int) -> nn.Sequential:
    """The network as nn.Module in float64 with the parameters of ``row``."""
    keys = iter(dropout_keys(seed, (seed_index,), layout.num_dropouts, torch.device("cpu"))[:, 0])
    module = build(network.layers, network.in_shape, keys).double()
    slots = parameter_slots(layout.program)
    compact = torch.cat([row[:0], *(row[slot.offset : slot.end] for slot in slots)])
    nn.utils.vector_to_parameters(compact.double(), module.parameters())
    return module


def make_optimizer(optimizer: Optimizer, params, lr: float) -> torch.optim.Optimizer:
    match optimizer:
        case Sgd(momentum=momentum, nesterov=nesterov, weight_decay=decay):
            return torch.optim.SGD(params, lr, momentum=momentum, nesterov=nesterov, weight_decay=decay)
        case Momentum(momentum=momentum, weight_decay=decay):
            return torch.optim.SGD(params, lr, momentum=momentum, weight_decay=decay)
        case Nesterov(momentum=momentum, weight_decay=decay):
            return torch.optim.SGD(params, lr, momentum=momentum, nesterov=True, weight_decay=decay)
        case Adam(beta1=b1, beta2=b2, eps=eps, weight_decay=decay):
            return torch.optim.Adam(params, lr, (b1, b2), eps, decay)
        case AdamW(beta1=b1, beta2=b2, eps=eps, weight_decay=decay):
            return torch.optim.AdamW(params, lr, (b1, b2), eps, decay)
        case RmsProp(alpha=alpha, eps=eps, momentum=momentum, weight_decay=decay):
            return torch.optim.RMSprop(params, lr, alpha, eps, decay, momentum)
        case LeastSquares():
            raise AssertionError("least squares takes no steps")


def loss_of(loss: Loss, output: Tensor, target: Tensor) -> Tensor:
    match loss:
        case Loss.CROSS_ENTROPY:
            return nn.functional.cross_entropy(output, target)
        case Loss.BCE:
            return nn.functional.binary_cross_entropy_with_logits(output, target)
        case Loss.MSE:
            return nn.functional.mse_loss(output, target)
        case Loss.L4:
            return (output - target).pow(4).mean()


def train_plainly(network: Network, job: Job, member: Member, row: Tensor, batches) -> tuple[list[float], nn.Module]:
    """Losses of each step's batch before its update, and the trained module, for batches (steps, batch)."""
    module = make_module(network, job.layout, row, job.seed, member.seed_index)
    optimizer = make_optimizer(job.training.optimizer, module.parameters(), member.lr)
    inputs = torch.from_numpy(member.split.train.inputs).double()
    targets = as_target(job.loss, torch.from_numpy(member.split.train.targets), torch.float64)
    losses = []
    for step, chosen in zip(itertools.count(), batches, strict=False):
        for module_ in module.modules():
            if isinstance(module_, SeededDropout):
                module_.step = step
        for group in optimizer.param_groups:
            group["lr"] = member.lr * factor(job.training.schedule, step, job.training.steps)
        optimizer.zero_grad()
        loss = loss_of(job.loss, module(inputs[chosen]), targets[chosen])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, module
