"""Problems as ``torch.nn`` has them, for the peers that are built on PyTorch."""

import torch
from torch import Tensor, nn

from benchmarks.peers.problem import Conv, Flatten, Layer, Linear, MaxPool, Problem, Relu, first_weights


def module_of(layers: tuple[Layer, ...]) -> nn.Sequential:
    """The network with its first weights."""
    module = nn.Sequential(*map(_module, layers))
    weighted = [part for part in module if isinstance(part, nn.Linear | nn.Conv2d)]
    with torch.no_grad():
        for part, (weight, bias) in zip(weighted, first_weights(layers), strict=True):
            part.weight.copy_(torch.from_numpy(weight))
            assert part.bias is not None
            part.bias.copy_(torch.from_numpy(bias))
    return module


def _module(layer: Layer) -> nn.Module:
    match layer:
        case Linear(inputs, outputs):
            return nn.Linear(inputs, outputs)
        case Conv(inputs, outputs, kernel):
            return nn.Conv2d(inputs, outputs, kernel)
        case MaxPool(kernel):
            return nn.MaxPool2d(kernel)
        case Flatten():
            return nn.Flatten()
        case Relu():
            return nn.ReLU()


def examples_of(problem: Problem) -> tuple[Tensor, Tensor]:
    """Inputs and targets, the latter as the loss wants them: class numbers, or (examples, 1) zeros and ones."""
    y = torch.from_numpy(problem.y)
    return torch.from_numpy(problem.x), y.float()[:, None] if problem.loss == "bce" else y


def loss_of(problem: Problem) -> nn.Module:
    """The mean over a batch."""
    return nn.BCEWithLogitsLoss() if problem.loss == "bce" else nn.CrossEntropyLoss()


def optimizer_of(problem: Problem, module: nn.Module, *, fused: bool | None = None) -> torch.optim.Optimizer:
    """The problem's optimiser for one network; ``fused`` is torch's, which chooses for itself where it is None."""
    if problem.optimizer == "adam":
        return torch.optim.Adam(module.parameters(), lr=problem.lr, fused=fused)
    return torch.optim.SGD(module.parameters(), lr=problem.lr, momentum=0.9, fused=fused)


def mean_loss(problem: Problem, modules: list[nn.Sequential]) -> float:
    """Over all training examples and networks."""
    x, y = examples_of(problem)
    with torch.no_grad():
        return sum(float(loss_of(problem)(module(x), y)) for module in modules) / len(modules)
