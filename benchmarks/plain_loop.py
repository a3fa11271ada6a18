"""The peer: how one would train a small network in PyTorch without the lab. Prints steps, seconds and CPU seconds."""

import sys
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.engine_tasks import TASKS, Measured
from tuilab.engine.data import make_splits
from tuilab.engine.losses import as_target
from tuilab.spec import layers as spec
from tuilab.spec.network import Network
from tuilab.spec.shapes import Shape, output_shape
from tuilab.spec.training import Adam, Loss


def module_of(stack: spec.Stack, shape: Shape) -> nn.Sequential:
    """The layers that the benchmarks use, as ``torch.nn`` has them."""
    modules: list[nn.Module] = []
    for layer in stack:
        match layer:
            case spec.Repeat(times, body):
                for _ in range(times):
                    modules.append(module_of(body, shape))
                    for inner in body:
                        shape = output_shape(inner, shape)
                continue
            case spec.Linear(width):
                modules.append(nn.Linear(shape[-1], width))
            case spec.Conv(channels, kernel):
                modules.append(nn.Conv2d(shape[0], channels, kernel))
            case spec.MaxPool(kernel):
                modules.append(nn.MaxPool2d(kernel))
            case spec.Flatten():
                modules.append(nn.Flatten())
            case spec.Activation(spec.ActivationKind.RELU):
                modules.append(nn.ReLU())
            case _:
                raise ValueError(f"the plain loop has no {layer}")
        shape = output_shape(layer, shape)
    return nn.Sequential(*modules)


def train(task: Measured, network: Network, steps: int) -> None:
    """The usual loop."""
    torch.manual_seed(0)
    part = make_splits(task.task, 0, [0])[0].train
    loss_kind = task.training.loss or Loss.CROSS_ENTROPY
    targets = as_target(loss_kind, torch.from_numpy(part.targets), torch.float32)
    batch = task.training.batch_size
    loader = DataLoader(
        TensorDataset(torch.from_numpy(part.inputs), targets), batch if isinstance(batch, int) else None, shuffle=True
    )
    module = module_of(network.layers, network.in_shape)
    if isinstance(task.training.optimizer, Adam):
        optimizer: torch.optim.Optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    else:
        optimizer = torch.optim.SGD(module.parameters(), lr=1e-3, momentum=0.9)
    loss_of = nn.CrossEntropyLoss() if loss_kind is Loss.CROSS_ENTROPY else nn.BCEWithLogitsLoss()
    done = 0
    while done < steps:
        for x, y in loader:
            optimizer.zero_grad()
            loss = loss_of(module(x), y)
            loss.backward()
            optimizer.step()
            done += 1
            if done == steps:
                break


def main() -> None:
    """Measure the task named on the command line, with as many threads as it says."""
    torch.set_num_threads(int(sys.argv[2]))
    task = next(task for task in TASKS if task.name == sys.argv[1])
    networks = task.networks()
    share = max(1, task.peer_steps // len(networks))
    for network in networks:
        train(task, network, max(1, share // 20))
    began, cpu = time.perf_counter(), time.process_time()
    for network in networks:
        train(task, network, share)
    print(share * len(networks), time.perf_counter() - began, time.process_time() - cpu)


if __name__ == "__main__":
    main()
