"""The lab's tasks as plain problems for peers."""

from benchmarks.engine_tasks import Measured
from benchmarks.peers.problem import Conv, Flatten, Layer, Linear, MaxPool, Problem, Relu
from tuilab.engine.data import make_splits
from tuilab.spec import layers as spec
from tuilab.spec.network import Network
from tuilab.spec.shapes import Shape, output_shape
from tuilab.spec.training import Adam, Loss


def exported(task: Measured) -> Problem:
    """The training examples of seed 0, as many as fill whole batches, and every architecture."""
    train = make_splits(task.task, 0, [0])[0].train
    batch = task.training.batch_size
    assert isinstance(batch, int)
    whole = len(train) // batch * batch
    return Problem(
        networks=tuple(layers_of(network) for network in task.networks()),
        x=train.inputs[:whole],
        y=train.targets[:whole].astype("int64"),
        loss="bce" if task.training.loss is Loss.BCE else "cross_entropy",
        optimizer="adam" if isinstance(task.training.optimizer, Adam) else "momentum",
        batch=batch,
        lr=1e-3,
    )


def layers_of(network: Network) -> tuple[Layer, ...]:
    """The layers that the benchmarks use, with their sizes."""
    return tuple(_flat(network.layers, network.in_shape))


def _flat(stack: spec.Stack, shape: Shape) -> list[Layer]:
    flat: list[Layer] = []
    for layer in stack:
        match layer:
            case spec.Repeat(times, body):
                for _ in range(times):
                    flat += _flat(body, shape)
                    for inner in body:
                        shape = output_shape(inner, shape)
                continue
            case spec.Linear(width):
                flat.append(Linear(shape[-1], width))
            case spec.Conv(channels, kernel):
                flat.append(Conv(shape[0], channels, kernel))
            case spec.MaxPool(kernel):
                flat.append(MaxPool(kernel))
            case spec.Flatten():
                flat.append(Flatten())
            case spec.Activation(spec.ActivationKind.RELU):
                flat.append(Relu())
            case _:
                raise ValueError(f"the peers have no {layer}")
        shape = output_shape(layer, shape)
    return flat
