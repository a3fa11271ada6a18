"""Commands on one network: no task, no store, no torch."""

import argparse

from tuilab.analysis.counting import NetworkCount
from tuilab.analysis.counting import count as count_network
from tuilab.cli.output import Json, print_json, say
from tuilab.spec.network import Network
from tuilab.spec.notation import parse
from tuilab.spec.shapes import format_shape, parse_shape


def network_of(notation: str, arguments: argparse.Namespace) -> Network:
    """The network that ``notation`` with ``--in`` and ``--out`` says.

    Raises:
        LabError: when it is not notation or its shapes do not fit.
    """
    network = Network(parse(notation), parse_shape(arguments.in_shape), arguments.out_features)
    network.check()
    return network


def count(arguments: argparse.Namespace) -> int:
    """``tuilab count``: parameters, MACs, activations and degrees of freedom, layer by layer."""
    counted = count_network(network_of(arguments.notation, arguments))
    if arguments.json:
        print_json(_document(counted))
        return 0
    rows = [("layer", "output", "params", "MACs")]
    rows += [
        ("  " * row.nesting + row.label, format_shape(row.out_shape), f"{row.num_params:,}", f"{row.macs:,}")
        for row in counted.layers
    ]
    rows.append(("total", "", f"{counted.num_params:,}", f"{counted.macs:,}"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for label, *numbers in rows:
        cells = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        say("  ".join([label.ljust(widths[0]), *cells]).rstrip())
    say(f"activations {counted.activations:,} · degrees of freedom {counted.degrees_of_freedom:,}")
    return 0


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
