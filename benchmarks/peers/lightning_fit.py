"""Lightning: a Trainer without logger, checkpoints and progress bar; the DataLoader fetches a batch at once."""

import logging
import warnings
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from benchmarks.peers.problem import Layer, Problem
from benchmarks.peers.serving import serve
from benchmarks.peers.torch_modules import examples_of, loss_of, mean_loss, module_of


class Module(lightning.LightningModule):  # type: ignore[misc]  # lightning is not where mypy runs
    """One network as Lightning wants it."""

    def __init__(self, problem: Problem, layers: tuple[Layer, ...]) -> None:
        super().__init__()
        self.network = module_of(layers)
        self._loss_of, self._problem = loss_of(problem), problem

    def training_step(self, batch: tuple[Tensor, Tensor], _index: int) -> Any:  # noqa: ANN401
        x, y = batch
        return self._loss_of(self.network(x), y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        parameters, lr = self.network.parameters(), self._problem.lr
        if self._problem.optimizer == "adam":
            return torch.optim.Adam(parameters, lr=lr)
        return torch.optim.SGD(parameters, lr=lr, momentum=0.9)


class Fit:
    """Every network as a module; each round fits them further, with a new Trainer."""

    def __init__(self, problem: Problem, replicas: int, threads: int) -> None:
        torch.set_num_threads(threads)
        warnings.simplefilter("ignore")
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        self._problem = problem
        self._modules = [Module(problem, layers) for layers in problem.networks]
        dataset = TensorDataset(*examples_of(problem))
        sampler = BatchSampler(RandomSampler(dataset), problem.batch, drop_last=False)
        self._loader: DataLoader[tuple[Tensor, ...]] = DataLoader(dataset, batch_size=None, sampler=sampler)

    def train(self, epochs: int) -> int:
        for module in self._modules:
            trainer = lightning.Trainer(
                accelerator="cpu",
                max_epochs=epochs,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
            trainer.fit(module, self._loader)
        return epochs * len(self._modules) * len(self._loader)

    def loss(self) -> float:
        return mean_loss(self._problem, [module.network for module in self._modules])


if __name__ == "__main__":
    serve(Fit)
