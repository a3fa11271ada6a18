"""``tuilab presets`` and ``tuilab schema``."""

import argparse
import json

from tuilab.analysis.counting import count
from tuilab.cli.output import Json, print_json, say
from tuilab.spec.comparison import Comparison
from tuilab.spec.notation import format_stack
from tuilab.spec.preset_file import load
from tuilab.spec.presets import find_preset, preset_names
from tuilab.spec.task import facts


def presets(arguments: argparse.Namespace) -> int:
    """List every preset with its question, or show one in full."""
    if arguments.name:
        return _one(arguments)
    loaded = [(name, load(find_preset(name))) for name in preset_names()]
    if arguments.json:
        print_json([_document(name, comparison) for name, comparison in loaded])
        return 0
    width = max((len(name) for name, _ in loaded), default=0)
    for question in dict.fromkeys(comparison.question for _, comparison in loaded):
        say(question)
        for name, comparison in loaded:
            if comparison.question == question:
                say(f"  {name.ljust(width)}  {comparison.title}")
        say()
    say("tuilab run NAME runs one; tuilab presets NAME shows it; tuilab NAME opens it.")
    return 0


def schema(arguments: argparse.Namespace) -> int:
    """Print the JSON schema of preset files."""
    say(json.dumps(Comparison.model_json_schema(), indent=2))
    return 0


def _one(arguments: argparse.Namespace) -> int:
    path = find_preset(arguments.name)
    comparison = load(path)
    if arguments.json:
        print_json(_document(arguments.name, comparison))
    else:
        say(path.read_text(encoding="utf-8").rstrip())
    return 0


def _document(name: str, comparison: Comparison) -> Json:
    known = facts(comparison.task)
    return {
        "name": name,
        "title": comparison.title,
        "question": comparison.question,
        "hypothesis": comparison.hypothesis,
        "about": comparison.about,
        "task": comparison.task.kind,
        "profiles": ["full", *comparison.profiles],
        "candidates": [
            {
                "name": candidate.name,
                "notation": format_stack(candidate.stack),
                "num_params": count(comparison.network_of(candidate, known)).num_params,
            }
            for candidate in comparison.candidates
        ],
    }
