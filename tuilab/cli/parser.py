"""The commands, their options and their help."""

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import NoReturn, TypeAlias

from tuilab import __version__
from tuilab.spec.errors import LabError

Command: TypeAlias = Callable[[argparse.Namespace], int]

_DESCRIPTION = """A laboratory for neural-network architecture that lives in a terminal.

Without a command, tuilab opens its interface: the library, or the preset, file or share line given."""
_EPILOG = "ID is an experiment's id, a unique beginning of it, or `last`. $TUILAB_HOME moves the lab."


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence instead of printing the usage."""

    def error(self, message: str) -> NoReturn:
        raise LabError(f"{message} (see {self.prog} --help)")


def _late(module: str, name: str) -> Command:
    """The command ``name`` of a module that is imported only when it runs, so that starting stays fast."""

    def run(arguments: argparse.Namespace) -> int:
        command: Command = getattr(import_module(f"tuilab.cli.{module}"), name)
        return command(arguments)

    return run


def _network_arguments(parser: argparse.ArgumentParser, many: bool = False) -> None:
    parser.add_argument("notation", nargs="+" if many else None, help='stack notation, such as "4*(14 relu)"')
    parser.add_argument("--in", dest="in_shape", required=True, metavar="SHAPE", help="input: 64 or 1x28x28")
    parser.add_argument("--out", dest="out_features", type=_count, metavar="N", help="output size of the projection")


_ROUNDING = 1e-12
"""By how much of itself ``1.1k`` may miss a whole number through the binary fraction of 1.1."""


def _count(text: str) -> int:
    """A whole number above zero, also as 10_000, "10 000", 10k, 1.2M or 175B."""
    scale = {"k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9}.get(text[-1:].lower(), 1)
    digits = (text[:-1] if scale > 1 else text).replace("_", "").replace(",", "").replace(" ", "")
    try:
        value = float(digits) * scale
        number = round(value)
    except (ValueError, OverflowError):
        value, number = 0.0, 0
    if not 1 <= number <= 10**15 or abs(value - number) > _ROUNDING * number:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 10^15")
    return number


def _rate(text: str) -> float:
    """A learning rate; whether it is in range is for the runner to say."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, such as 0.01") from None


_LOSSES = ("cross_entropy", "bce", "mse", "l4")
_INITS = ("torch", "he_normal", "he_uniform", "xavier_normal", "xavier_uniform", "orthogonal", "sparse", "identity")


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command; ``parse_args(..).command`` is the function to call."""
    parser = _Parser(
        prog="tuilab", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"tuilab {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, module: str, function: str, text: str, json: bool = False) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(command=_late(module, function))
        if json:
            command.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
        return command

    def add_id(command: argparse.ArgumentParser) -> None:
        command.add_argument("id", metavar="ID", help="experiment id, a unique beginning of it, or last")

    _network_arguments(add("count", "networks", "count", "count parameters, MACs and shapes of a network", json=True))
    _add_match(add("match", "networks", "match", "find the widths that bring networks to a budget", json=True))
    explain = add("explain", "networks", "explain", "warnings, collapse, bounds and memory of a network", json=True)
    _network_arguments(explain)
    explain.add_argument("--batch", type=_count, default=128, metavar="N", help="batch size (default %(default)s)")
    explain.add_argument("--train", type=_count, metavar="N", help="training examples, for what the data carry")
    explain.add_argument("--loss", choices=_LOSSES, help="loss in force (default cross_entropy, mse for one output)")
    explain.add_argument(
        "--init", choices=_INITS, default="he_normal", metavar="INIT", help="initialisation: %(choices)s"
    )
    code = add("code", "networks", "code", "print a network as a standalone PyTorch module")
    _network_arguments(code)
    code.add_argument("--name", default="Network", help="name of the class (default %(default)s)")
    presets = add("presets", "presets", "presets", "list the presets by question", json=True)
    presets.add_argument("name", nargs="?", help="show this preset in full")
    add("schema", "presets", "schema", "print the JSON schema of preset files, for editors")
    _add_run(add("run", "run", "run", "run a preset or a preset file and print its table", json=True))
    text = "run a preset and exit 0 when its verdicts are those expected, 1 when not, 3 when it cannot tell"
    _add_run(add("verify", "evidence", "verify", text, json=True), changes=False)
    further = add("more", "run", "more", "go on with an experiment that has ended, with more final seeds", json=True)
    add_id(further)
    further.add_argument("--seeds", type=_count, metavar="N", required=True, help="how many more")
    further.add_argument("--detach", action="store_true", help="print the experiment's id and return")
    add("ls", "experiments", "ls", "list the experiments", json=True)
    show = add("show", "experiments", "show", "show an experiment: curves, table and verdict", json=True)
    add_id(show)
    report = add(
        "report", "evidence", "report", "print an experiment's report: all that is needed to judge and rerun it"
    )
    add_id(report)
    report.add_argument("--to", choices=("md", "html", "json"), help="format (default md, or as the file's name says)")
    report.add_argument("-o", "--output", metavar="FILE", help="write it to this file")
    add_id(add("attach", "interface", "attach", "open the interface at an experiment"))
    stop = add("stop", "experiments", "stop", "stop an experiment, or one run of it; what it measured so far is kept")
    add_id(stop)
    stop.add_argument("--run", type=_count, metavar="N", help="only this run, as export --what runs numbers them")
    lr = add("lr", "experiments", "lr", "train what trains now with another learning rate; such runs are no evidence")
    add_id(lr)
    lr.add_argument("lr", type=_rate, metavar="LR", help="the learning rate, which the schedule still multiplies")
    lr.add_argument("--run", type=_count, metavar="N", help="only this run, as export --what runs numbers them")
    steps = add("steps", "experiments", "steps", "let what trains now take more steps; such runs are no evidence")
    add_id(steps)
    steps.add_argument("steps", type=_count, metavar="N", help="of each run in all, those that it has taken included")
    for command in (lr, steps):
        command.add_argument("--candidate", metavar="NAME", help="only the runs of this candidate")
    for name, text in (
        ("pause", "pause an experiment"),
        ("resume", "go on with an experiment that is paused, lost, stopped or failed"),
    ):
        add_id(add(name, "experiments", name, text))
    add_id(add("first", "experiments", "first", "put an experiment that waits for a slot at the head of the queue"))
    remove = add("rm", "experiments", "rm", "remove an experiment that has ended, with its points")
    add_id(remove)
    export = add("export", "experiments", "export", "print an experiment's runs and points")
    add_id(export)
    export.add_argument("--to", choices=("csv", "json"), default="csv", help="format (default %(default)s)")
    export.add_argument("--what", choices=("runs", "points"), default="points", help="rows of a CSV")
    logs = add("logs", "logs", "logs", "print an experiment's log")
    add_id(logs)
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the experiment has ended")
    bundle = add("bundle", "logs", "bundle", "write what a fault report needs to a zip file, without private paths")
    add_id(bundle)
    bundle.add_argument("-o", "--output", metavar="FILE", help="the file (default tuilab-ID.zip)")
    doctor = add(
        "doctor", "doctor", "doctor", "versions, devices, where the lab lives, what the terminal can do", json=True
    )
    doctor.add_argument("--set-aside", action="store_true", help="rename a damaged store, so that a new one is made")
    return parser


def _add_match(command: argparse.ArgumentParser) -> None:
    _network_arguments(command, many=True)
    budget = command.add_mutually_exclusive_group(required=True)
    for option, what in (("--params", "parameters"), ("--macs", "MACs a sample"), ("--activations", "activations")):
        budget.add_argument(option, type=_count, metavar="N", help=f"the budget, in {what}: 10000, 10k or 1.2M")
    command.add_argument(
        "--rule", choices=("nearest", "at-most", "at-least"), default="nearest", help="(default %(default)s)"
    )


def _add_run(command: argparse.ArgumentParser, changes: bool = True) -> None:
    command.add_argument(
        "preset", metavar="PRESET_OR_FILE", help="a preset's name, a YAML file's path, or a share line"
    )
    command.add_argument("--profile", default="full", help="full (default), quick or gpu, as the preset defines")
    command.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")
    if changes:
        command.add_argument("--seeds", type=_count, metavar="N", help="final seeds, instead of the preset's")
        command.add_argument("--steps", type=_count, metavar="N", help="optimiser steps, instead of the preset's")
        command.add_argument("--detach", action="store_true", help="print the experiment's id and return")
    else:
        command.set_defaults(seeds=None, steps=None)
