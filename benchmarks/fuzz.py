"""Coverage-guided fuzzing of what reads other people's text: ``python -m benchmarks.fuzz TARGET [--seconds N]``.

Needs ``pip install atheris``, which no test does. Every input must end as a value or as one of tuilab's own sentences,
within a second and 200 MB; a value must also survive being written and read again. What breaks that is printed, left in
the folder of inputs, and belongs into ``tests/end_to_end/test_bad_input.py``.
"""

import argparse
import base64
import contextlib
import json
import os
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tuilab.spec"]):
    from tuilab.spec.comparison import dump
    from tuilab.spec.errors import LabError
    from tuilab.spec.notation import format_stack, parse
    from tuilab.spec.preset_file import loads, to_yaml
    from tuilab.spec.share import PREFIX, from_line, to_line
    from tuilab.spec.table import read_table

PRESETS = Path(__file__).parents[1] / "presets"
LIMIT_SECONDS, LIMIT_MB = 1, 200
_WORDS = (
    "relu tanh gelu sigmoid linear( conv( residual( sum( dropout( batchnorm layernorm maxpool( flatten out bias=false"
    " 2*( | ! , title: question: task: training: protocol: candidates: stack: name: kind: lr: steps: optimizer:"
    " schedule: profiles: expect: budget: rule: lr_grid: final_seeds: csv path: target: spirals null true .inf .nan"
    " !!binary &a *a << --- - { } [ ] 1e999"
)


def notation(text: str) -> None:
    """A stack of layers."""
    stack = parse(text)
    assert parse(format_stack(stack)) == stack


def preset(text: str) -> None:
    """A preset file."""
    comparison = loads(text)
    assert loads(to_yaml(comparison)) == comparison


def share(text: str) -> None:
    """A comparison as one line; the text is what the line packs."""
    packed = base64.urlsafe_b64encode(zlib.compress(text.encode())).decode()
    comparison = from_line(f"{PREFIX}{packed}")
    assert from_line(to_line(comparison)) == comparison


def table(text: str) -> None:
    """A CSV file, whose target is the last name of its first line or the column ``y``."""
    _TABLE.write_bytes(text.encode("utf-8", "surrogateescape"))
    first = text.splitlines()[0] if text.splitlines() else ""
    read_table(str(_TABLE), first.rpartition(",")[2] or "y")


TARGETS: dict[str, Callable[[str], None]] = {one.__name__: one for one in (notation, preset, share, table)}
_TABLE = Path(tempfile.gettempdir()) / f"tuilab-fuzz-{os.getpid()}.csv"
_SEEDS = {
    "notation": [
        "4*(14 relu)",
        "64 relu dropout(0.2) 64 relu",
        "residual(64 relu 64)",
        "sum(1 | 1)",
        "linear(3, bias=false)",
    ],
    "table": ["a,b,y\n" + "1,2,x\n2,3,z\n" * 20, "1;2;3\n" * 30, "a\ty\n1,5\t2\n" * 20],
}


def corpus(target: str, folder: Path) -> None:
    """Write what mutation begins with."""
    texts = _SEEDS.get(target) or [path.read_text(encoding="utf-8") for path in sorted(PRESETS.glob("*.yaml"))]
    if target == "share":
        texts = [json.dumps(dump(loads(text))) for text in texts]
    for number, text in enumerate(texts):
        (folder / f"seed-{number}").write_text(text, encoding="utf-8")


def main() -> None:
    """Fuzz one target for some time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=tuple(TARGETS))
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--folder", type=Path, help="where inputs are kept (default: a new one)")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix=f"fuzz-{arguments.target}-"))
    folder.mkdir(exist_ok=True)
    corpus(arguments.target, folder)
    words = folder.with_suffix(".words")
    escaped = (word.replace("\\", "\\\\") for word in _WORDS.split())
    words.write_text("".join(f'"{word}"\n' for word in escaped))
    read = TARGETS[arguments.target]
    slowest = [0.0]

    def once(data: bytes) -> None:
        began = time.process_time()
        with contextlib.suppress(LabError):
            read(data.decode("utf-8", errors="replace"))
        took = time.process_time() - began
        slowest[0] = max(slowest[0], took)
        assert took <= LIMIT_SECONDS, f"{took:.1f} s"

    options = [
        f"-max_total_time={arguments.seconds}",
        f"-rss_limit_mb={LIMIT_MB + 300}",
        "-timeout=20",
        "-max_len=16384",
    ]
    print(f"inputs in {folder}", file=sys.stderr)
    atheris.Setup([sys.argv[0], *options, f"-dict={words}", f"-artifact_prefix={folder}-", str(folder)], once)
    try:
        atheris.Fuzz()
    finally:
        print(f"slowest input: {slowest[0]:.3f} s of processor time", file=sys.stderr)


if __name__ == "__main__":
    main()
