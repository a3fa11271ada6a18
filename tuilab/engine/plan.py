"""A compiled plan: forward and backward pass of packed dense stacks as a list of operations on buffers made once.

No autograd, no graph, no allocation per step. Shapes: R replicas, F features, B examples; feature-major, (R, F, B).
"""

from functools import partial
from typing import assert_never

import torch
from torch import Tensor

from tuilab.engine import plan_operations as operations
from tuilab.engine.layout import (
    ActivationNode,
    BatchNormNode,
    ConvNode,
    DropoutNode,
    FlattenNode,
    LayerNormNode,
    Layout,
    LinearNode,
    Node,
    PoolNode,
    Program,
    ResidualNode,
    SumNode,
    nodes,
)
from tuilab.engine.packed import Parameters
from tuilab.engine.plan_losses import add_loss
from tuilab.engine.plan_operations import Affine, Back, Counter, Gradient, Tape, Value
from tuilab.spec.layers import ActivationKind
from tuilab.spec.training import Loss


def plans_know(layout: Layout) -> bool:
    """Whether the network is a dense stack: no image passes through it, except into a flatten that comes first."""
    flat = len(layout.in_shape) == 1 or (layout.program[:1] == (FlattenNode(),))
    return flat and not any(isinstance(node, ConvNode | PoolNode) for node in nodes(layout.program))


class Plan:
    """The passes of one network for batches of one size.

    Attributes:
        inputs: (R, F, B), filled before each pass; example by example in memory, as batches are gathered.
        output: (R, out_features, B).
        relu: outputs of every ReLU in order.

    """

    def __init__(
        self, layout: Layout, parameters: Parameters, batch: int, products: torch.dtype, *, training: bool
    ) -> None:
        """Operations on ``parameters`` for ``batch`` examples; ``products`` is what factors are rounded to."""
        self._parameters = parameters
        self._tape = Tape(training, products)
        self._counter = Counter()
        features = 1
        for size in layout.in_shape:
            features *= size
        values = parameters.values
        self.inputs = values.new_zeros(len(values), batch, features).mT
        self.relu: list[Tensor] = []
        self._needs_gradient = False
        """Whether anything so far has parameters: nothing before the first needs a gradient."""
        value, self._back = self._program(layout.program, Value(self.inputs, disposable=False))
        self.output = value.data

    def forward(self, step: int | Tensor = 0) -> None:
        """From the inputs to the output; ``step`` draws the dropout masks."""
        self._counter.step = step
        for action in self._tape.forward:
            action()

    def _program(self, program: Program, x: Value) -> tuple[Value, Back]:
        backs: list[Back] = []
        for node in program:
            x, back = self._node(node, x)
            if self._needs_gradient:
                backs.append(back)

        def back_all(dy: Gradient) -> Gradient:
            for back in reversed(backs):
                dy = back(dy)
            return dy

        return x, back_all

    def _node(self, node: Node, x: Value) -> tuple[Value, Back]:
        tape, own = self._tape, self._parameters
        match node:
            case LinearNode(weight, bias):
                first, self._needs_gradient = not self._needs_gradient, True
                grads = (own.gradient(weight), own.gradient(bias) if bias else None)
                return operations.linear(
                    tape, x, own.view(weight), own.view(bias) if bias else None, grads, first=first
                )
            case ActivationNode(kind, slope):
                value, back = operations.activation(tape, x, kind, slope)
                if kind is ActivationKind.RELU:
                    self.relu.append(value.data)
                return value, back
            case DropoutNode(p, index):
                return operations.dropout(tape, x, p, own.dropout_keys[index], self._counter)
            case LayerNormNode():
                self._needs_gradient = True
                return operations.layernorm(tape, x, self._affine(node))
            case BatchNormNode(_, _, index):
                self._needs_gradient = True
                stats = own.stats[index]
                return operations.batchnorm(tape, x, self._affine(node), (stats.mean, stats.variance))
            case FlattenNode():
                return x, lambda dy: dy
            case ResidualNode(body):
                return self._sum((body,), x, skip=True)
            case SumNode(branches):
                return self._sum(branches, x, skip=False)
            case ConvNode() | PoolNode():
                raise AssertionError("plans know dense stacks only")
            case _:
                assert_never(node)

    def _affine(self, node: LayerNormNode | BatchNormNode) -> Affine:
        own = self._parameters
        return Affine(own.view(node.weight), own.view(node.bias), own.gradient(node.weight), own.gradient(node.bias))

    def _sum(self, branches: tuple[Program, ...], x: Value, *, skip: bool) -> tuple[Value, Back]:
        """Branches that start from one value and are added, with the value itself where ``skip``."""
        shared = Value(x.data, disposable=False)
        before, after = self._needs_gradient, self._needs_gradient
        ends: list[tuple[Value, Back]] = []
        for branch in branches:
            self._needs_gradient = before
            ends.append(self._program(branch, shared))
            after = after or self._needs_gradient
        self._needs_gradient = after
        values = [value.data for value, _ in ends] + ([x.data] if skip else [])
        total = values[0]
        if len(values) > 1:
            total = torch.empty_like(values[0])
            self._tape.forward.append(partial(torch.add, values[0], values[1], out=total))
            self._tape.forward += [partial(total.add_, value) for value in values[2:]]

        def back(dy: Gradient) -> Gradient:
            backward, d = self._tape.backward, dy.data
            parts: list[Tensor] = [d] if skip else []
            for _, branch_back in ends:
                copy = torch.empty_like(d)
                backward.append(partial(copy.copy_, d))
                parts.append(branch_back(Gradient(copy)).data)
            if before:
                backward += [partial(parts[0].add_, part) for part in parts[1:]]
            return Gradient(parts[0])

        return Value(total, disposable=len(values) > 1), back


class TrainingPlan(Plan):
    """A plan with a loss and a backward pass.

    Attributes:
        targets: (R, 1, B) int64 classes for cross-entropy, else (R, out_features, B); filled before each pass.
        loss: (R,), the mean loss of each replica's batch.

    """

    def __init__(self, layout: Layout, parameters: Parameters, batch: int, loss: Loss, products: torch.dtype) -> None:
        super().__init__(layout, parameters, batch, products, training=True)
        values = parameters.values
        classes = loss is Loss.CROSS_ENTROPY
        shape = (len(values), 1 if classes else layout.out_features, batch)
        self.targets = torch.zeros(shape, dtype=torch.int64 if classes else values.dtype, device=values.device)
        self.loss = values.new_empty(len(values))
        self._back(add_loss(self._tape, loss, self.output, self.targets, self.loss))

    def backward(self) -> None:
        """Write the gradients of all parameters."""
        for action in self._tape.backward:
            action()
