"""Every preset of the repository, run as a user runs it, with what it found beside what its author expects.

Each preset goes through ``tuilab verify`` in a lab of its own, so runner, engines and store are those of every day.
The full profile is judged by verdicts, the quick one by the signs of differences.

Run with ``python benchmarks/presets.py [--profile quick] [--output benchmarks/presets.md] [NAME ...]``.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tuilab.analysis.wording import metric_text
from tuilab.spec.presets import preset_names
from tuilab.store.reader import Reader

SAID = {0: "yes", 1: "**no**", 3: "cannot tell"}
HEAD = ("preset", "as expected", "found", "numbers (test metric, mean ± 95 %)", "seconds")


@dataclass(frozen=True, slots=True)
class Row:
    """What one preset found.

    Attributes:
        name: the preset's.
        code: exit code of ``tuilab verify``.
        found: its expectations' pairs with the verdicts found, unexpected ones in bold.
        numbers: every candidate's test metric.
        seconds: wall time, the start of the engines included.

    """

    name: str
    code: int
    found: str
    numbers: str
    seconds: float

    def cells(self) -> tuple[str, ...]:
        return self.name, SAID.get(self.code, "**failed**"), self.found, self.numbers, f"{self.seconds:.0f}"


def run(name: str, profile: str, home: Path) -> Row:
    """Verify one preset."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "tuilab", "verify", name, "--profile", profile, "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "TUILAB_HOME": str(home)},
        check=False,
    )
    seconds = time.perf_counter() - began
    if not done.stdout:
        return Row(name, done.returncode or 1, done.stderr.strip().replace("\n", " "), "", seconds)
    told = json.loads(done.stdout)
    found = "; ".join(_found(one) for one in told["expectations"])
    return Row(name, done.returncode, found, _numbers(home, told["experiment"]), seconds)


def _found(one: dict[str, str]) -> str:
    agreed = one["agrees"]
    said = f"{one['candidate']} / {one['against']}: {one['found']}"
    return said if agreed else f"**{said}** ({one['expected']} expected)"


def _numbers(home: Path, experiment: str) -> str:
    with Reader(home) as reader:
        record = reader.experiment(experiment)
    if record is None or record.result is None:
        return ""
    metric = record.result.metric
    return "; ".join(
        f"{one.name} "
        + ("failed" if one.mean is None else metric_text(metric, one.mean, one.half_width))
        + (f" ({one.failures} failed)" if one.failures else "")
        for one in record.result.candidates
    )


def table(rows: list[Row], profile: str) -> str:
    """The rows in Markdown, with the machine."""
    machine = (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    seconds = sum(row.seconds for row in rows)
    lines = [
        f"# Every preset, {profile} profile",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {machine}; {seconds:.0f} s in all, one after the other.",
        "Judged by " + ("the signs of differences." if profile == "quick" else "verdicts, the presets' `expect`."),
        "",
        "| " + " | ".join(HEAD) + " |",
        "|---" * len(HEAD) + "|",
        *("| " + " | ".join(cell.replace("|", "/") for cell in row.cells()) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run what was asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="presets; all by default")
    parser.add_argument("--profile", default="full", choices=("full", "quick", "gpu"))
    parser.add_argument("--output", type=Path, help="write the table to this file")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.names or preset_names():
            rows.append(run(name, arguments.profile, Path(folder)))
            print(" | ".join(rows[-1].cells()), flush=True)
    text = table(rows, arguments.profile)
    if arguments.output:
        arguments.output.write_text(text)
    else:
        print("\n" + text)


if __name__ == "__main__":
    main()
