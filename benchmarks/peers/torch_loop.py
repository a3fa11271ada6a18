"""The loop that one writes first: PyTorch, a shuffling DataLoader, one network after the other."""

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.peers.problem import Problem
from benchmarks.peers.serving import serve
from benchmarks.peers.torch_modules import examples_of, loss_of, mean_loss, module_of, optimizer_of


class Loop:
    """Every network with its optimiser."""

    def __init__(self, problem: Problem, replicas: int, threads: int) -> None:
        torch.set_num_threads(threads)
        self._problem, self._loss_of = problem, loss_of(problem)
        self._modules = [module_of(layers) for layers in problem.networks]
        self._optimizers = [optimizer_of(problem, module) for module in self._modules]
        self._loader: DataLoader[tuple[Tensor, ...]] = DataLoader(
            TensorDataset(*examples_of(problem)), problem.batch, shuffle=True
        )

    def train(self, epochs: int) -> int:
        done = 0
        for module, optimizer in zip(self._modules, self._optimizers, strict=True):
            for _ in range(epochs):
                for x, y in self._loader:
                    optimizer.zero_grad()
                    loss = self._loss_of(module(x), y)
                    loss.backward()
                    optimizer.step()
                    done += 1
        return done

    def loss(self) -> float:
        return mean_loss(self._problem, self._modules)


if __name__ == "__main__":
    serve(Loop)
