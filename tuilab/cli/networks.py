"""Commands on one network: no task, no store, no torch."""

import argparse
import keyword
import textwrap
from dataclasses import asdict

from tuilab.analysis.codegen import torch_code
from tuilab.analysis.collapse import fold
from tuilab.analysis.counting import NetworkCount, label
from tuilab.analysis.counting import count as count_network
from tuilab.analysis.insight import Insight
from tuilab.analysis.matching import Quantity, Rule
from tuilab.analysis.matching import match as match_network
from tuilab.analysis.memory import needs
from tuilab.analysis.regions import Bound, RegionBounds, region_bounds
from tuilab.analysis.warnings import warnings
from tuilab.cli.output import Json, print_json, say
from tuilab.spec.errors import LabError, NotationError, ShapeError
from tuilab.spec.layers import Init, Stack
from tuilab.spec.network import Network, rows
from tuilab.spec.notation import column_of, format_stack, parse
from tuilab.spec.shapes import format_shape, parse_shape
from tuilab.spec.training import Loss, Training

_RULES: dict[str, Rule] = {"nearest": "nearest", "at-most": "at_most", "at-least": "at_least"}
_WIDTH = 100
"""Columns of printed prose."""
_LISTED = 8
"""Layers of a warning that are printed."""


def network_of(notation: str, arguments: argparse.Namespace) -> Network:
    """The network that ``notation`` with ``--in`` and ``--out`` says.

    Raises:
        LabError: when it is not notation or its shapes do not fit.
    """
    network = Network(parse(notation), parse_shape(arguments.in_shape), arguments.out_features)
    try:
        network.check()
    except ShapeError as error:
        column = column_of(notation, error.path)
        raise error if column is None else NotationError(notation, column, error.problem) from None
    return network


def count(arguments: argparse.Namespace) -> int:
    """``tuilab count``: parameters, MACs, activations and degrees of freedom, layer by layer."""
    counted = count_network(network_of(arguments.notation, arguments))
    if arguments.json:
        print_json(_document(counted))
        return 0
    table = [("layer", "output", "params", "MACs")]
    table += [
        ("  " * row.nesting + row.label, format_shape(row.out_shape), f"{row.num_params:,}", f"{row.macs:,}")
        for row in counted.layers
    ]
    table.append(("total", "", f"{counted.num_params:,}", f"{counted.macs:,}"))
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    for name, *numbers in table:
        cells = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        say("  ".join([name.ljust(widths[0]), *cells]).rstrip())
    say(f"activations {counted.activations:,} · degrees of freedom {counted.degrees_of_freedom:,}")
    return 0


def match(arguments: argparse.Namespace) -> int:
    """``tuilab match``: the widths that bring one or several networks to a budget."""
    quantity, target = _budget(arguments)
    rule: Rule = _RULES[arguments.rule]
    found = [match_network(network_of(notation, arguments), target, quantity, rule) for notation in arguments.notation]
    if arguments.json:
        documents: list[Json] = [
            {
                "notation": format_stack(one.stack),
                quantity: one.value,
                "num_params": count_network(_with_stack(one.stack, arguments)).num_params,
                "budget_error": one.budget_error,
                "widths": list(one.widths),
            }
            for one in found
        ]
        print_json(documents[0] if len(documents) == 1 else documents)
        return 0
    for one in found:
        say(f"{format_stack(one.stack)}  {one.value:,}  {one.budget_error:+.2%}")
    return 0


def explain(arguments: argparse.Namespace) -> int:
    """``tuilab explain``: what a network's structure implies before anything is trained."""
    network = network_of(arguments.notation, arguments)
    counted = count_network(network)
    training = Training(batch_size=arguments.batch, init=Init(arguments.init), loss=_loss(arguments, network))
    found = warnings(network, training, training.loss, arguments.train, counted.degrees_of_freedom)
    folded = fold(network)
    bounds = region_bounds(network)
    memory = needs(counted, arguments.batch)
    if arguments.json:
        print_json(
            {
                "warnings": [
                    {
                        "kind": one.kind.value,
                        "where": one.where,
                        "layers": [{"number": number, "layer": label} for number, label in _named(network, one)],
                        "sentence": one.sentence,
                        "why": one.why.text,
                        "reference": one.why.reference,
                    }
                    for one in found
                ],
                "num_params": counted.num_params,
                "degrees_of_freedom": counted.degrees_of_freedom,
                "folded": format_stack(folded.stack),
                "region_bounds": _bounds(bounds),
                "memory": {**asdict(memory), "batch_size": arguments.batch},
            }
        )
        return 0
    say(f"{counted.num_params:,} parameters, at most {counted.degrees_of_freedom:,} degrees of freedom")
    if folded != network:
        say(f"the same function as {format_stack(folded.stack) or 'one affine layer'}")
    for one in found:
        say(f"\n{one.kind.value}: {one.sentence}")
        for line in _listed(_named(network, one)):
            say(line)
        say(_indented(one.why.text))
        say(_indented(one.why.reference))
    if bounds is not None:
        said = [f"{name} {value}" for name, value in _bounds(bounds).items() if value is not None]
        say("\nlinear regions: " + ", ".join(said))
    say(f"\nmemory: weights {memory.weights_fp32:,} bytes in fp32, {memory.weights_bf16:,} in bf16")
    say(f"training with Adam at batch {arguments.batch}: {memory.training_memory:,} bytes")
    say(f"{memory.flops_per_step:,} FLOPs a step")
    return 0


def code(arguments: argparse.Namespace) -> int:
    """``tuilab code``: the network as a PyTorch module that imports nothing but torch."""
    if not arguments.name.isidentifier() or keyword.iskeyword(arguments.name):
        raise LabError(f"--name is a Python class name, which {arguments.name!r} is not")
    say(torch_code(network_of(arguments.notation, arguments), arguments.name).rstrip())
    return 0


def _loss(arguments: argparse.Namespace, network: Network) -> Loss | None:
    """The loss that is asked for; a network with one output is taken to predict a number."""
    if arguments.loss is not None:
        return Loss(arguments.loss)
    return Loss.MSE if network.check()[-1] == 1 else None


def _indented(text: str) -> str:
    return textwrap.fill(text, width=_WIDTH, initial_indent="  ", subsequent_indent="  ")


def _with_stack(stack: Stack, arguments: argparse.Namespace) -> Network:
    return Network(stack, parse_shape(arguments.in_shape), arguments.out_features)


def _budget(arguments: argparse.Namespace) -> tuple[Quantity, int]:
    if arguments.params:
        return "num_params", arguments.params
    if arguments.macs:
        return "macs", arguments.macs
    return "activations", arguments.activations


def _named(network: Network, insight: Insight) -> list[tuple[int, str]]:
    """The layers that a warning is about: the number of each on the bench, and the layer."""
    wanted = set(insight.paths)
    return [(number, label(layer)) for number, (path, layer) in enumerate(rows(network.layers), 1) if path in wanted]


def _listed(named: list[tuple[int, str]]) -> list[str]:
    """A layer a line, the ones in the middle left out where there are many."""
    lines = [f"{number:>6}  {layer}" for number, layer in named]
    return lines if len(lines) <= _LISTED else [*lines[: _LISTED - 2], "   ...", lines[-1]]


def _bounds(bounds: RegionBounds | None) -> dict[str, Json]:
    """Exact integers where they have at most 300 digits, else as a power of ten; None where a bound does not hold."""
    names = ("zaslavsky", "montufar", "serra_lower", "upper")
    if bounds is None:
        return dict.fromkeys(names)
    shown: dict[str, Json] = {}
    for name in names:
        bound: Bound | None = getattr(bounds, name)
        shown[name] = None if bound is None else bound.exact if bound.exact is not None else f"10^{bound.log10:.6g}"
    return shown


def _document(counted: NetworkCount) -> Json:
    return {
        "num_params": counted.num_params,
        "num_trainable": counted.num_trainable,
        "macs": counted.macs,
        "activations": counted.activations,
        "degrees_of_freedom": counted.degrees_of_freedom,
        "layers": [
            {
                "layer": row.label,
                "in_shape": list(row.in_shape),
                "out_shape": list(row.out_shape),
                "num_params": row.num_params,
                "macs": row.macs,
            }
            for row in counted.layers
        ],
    }
