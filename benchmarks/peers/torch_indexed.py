"""Eager PyTorch at its best: examples as tensors picked by index, fused optimisers, convolutions channels-last."""

import torch

from benchmarks.peers.problem import Conv, Problem
from benchmarks.peers.serving import serve
from benchmarks.peers.torch_modules import examples_of, loss_of, mean_loss, module_of, optimizer_of


class Indexed:
    """Every network with its optimiser."""

    def __init__(self, problem: Problem, replicas: int, threads: int) -> None:
        torch.set_num_threads(threads)
        self._problem, self._loss_of = problem, loss_of(problem)
        self._x, self._y = examples_of(problem)
        self._modules = [module_of(layers) for layers in problem.networks]
        if any(isinstance(layer, Conv) for layers in problem.networks for layer in layers):
            self._x = self._x.to(memory_format=torch.channels_last)
            for parameter in [parameter for module in self._modules for parameter in module.parameters()]:
                if parameter.ndim == 4:
                    parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self._optimizers = [optimizer_of(problem, module, fused=True) for module in self._modules]

    def train(self, epochs: int) -> int:
        done = 0
        x, y, loss_of_batch = self._x, self._y, self._loss_of
        for module, optimizer in zip(self._modules, self._optimizers, strict=True):
            for _ in range(epochs):
                for index in torch.randperm(len(x)).view(-1, self._problem.batch):
                    optimizer.zero_grad()
                    loss_of_batch(module(x[index]), y[index]).backward()
                    optimizer.step()
                    done += 1
        return done

    def loss(self) -> float:
        return mean_loss(self._problem, self._modules)


if __name__ == "__main__":
    serve(Indexed)
