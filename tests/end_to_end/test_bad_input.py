"""Whatever is typed or lies in a file: one sentence on standard error, exit code 2, soon, and never a traceback."""

import os
import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tuilab.cli import main

LIMIT_SECONDS = 1.0
"""Of processor time, which does not depend on what else the machine does."""
LIMIT_MB = 120
"""That a command may take on top of the process, which is at most 80 itself."""
PRESET = """\
title: Tiny
question: Does anything run?
task: {kind: xor, num_train: 64, num_val: 32, num_test: 64}
training: {lr: 0.01, steps: 60, batch_size: 32, optimizer: {kind: sgd, momentum: 0.9}, schedule: cosine}
protocol: {final_seeds: 3, lr_grid: [0.01, 0.1], budget: {rule: at_most, reference: wide}}
candidates:
  - {name: wide, stack: 12 relu}
  - {name: deep, stack: 2*(5 relu), training: {steps: 70}}
expect:
  - {candidate: deep, against: wide, verdict: better}
profiles:
  quick: {protocol: {final_seeds: 2}}
"""
TABLE = """\
title: Table
task: {{kind: csv, path: {path}, target: {target}}}
candidates: [{{name: one, stack: 3 relu}}]
"""
NOTATIONS = [
    "relu(", "(", ")", "2*", "*3", "2*(", "2*(3 relu", "3 relu)", "3..", "3,", "| 3", "sum(", "sum()", "sum(|)",
    "sum(3 |", "residual(3)", "residual(", "-3", "0", "0*(3)", "1.5", "1e3", "٣", "3 rellu",
    "relu 3 4x", "conv(3)", "conv(3, 9)", "conv(3, 3, 3, 3, 3)", "dropout(2)", "dropout(-1)", "dropout(x)",
    "linear()", "linear(0)", "linear(3", "linear(3, bias=maybe)", "linear(3, bais=true)", "linear(3, bias)",
    "linear(3, 3, 3)", "3 out relu(1)", "softmax(", "maxpool(2)", "avgpool(0)", "leaky_relu(x)",
    "batchnorm(3, 4, 5)", "flatten flatten conv(1, 1)", "99999999999999999999",
    "1" * 5000, "(" * 5000, "2*(" * 3000, "residual(" * 2000,
    "relu " * 20000 + ")", "\x00", "3 \x1b[31m relu", "3;relu", "3 relu # comment", "import os", "'", '"', "${HOME}",
    "{3}", "3 → relu", "３ relu", "3 relu\n(", "\\", "%s", "=3", "a=b", "linear(width=)", "linear(=3)", "3!!",
]  # fmt: skip
COMMAND_LINES: list[list[str]] = [
    ["nonsense"], ["--nonsense"], ["count"], ["count", "3 relu"], ["count", "3", "--in"],
    ["count", "3", "--in", "0"], ["count", "3", "--in", "-1"], ["count", "3", "--in", "x"],
    ["count", "3", "--in", "1x2x3x4x5"], ["count", "3", "--in", "1x"], ["count", "3", "--in", "9" * 400],
    ["count", "3", "--in", "4", "--out", "0"], ["count", "3", "--in", "4", "--out", "many"],
    ["count", "3", "--in", "4", "--out", "1e400"], ["count", "3", "--in", "4", "--frobnicate"],
    ["count", "3", "4", "--in", "4"], ["run"], ["run", "no-such-preset"], ["run", "missing.yaml"], ["run", "/"],
    ["run", ""], ["run", "\x00"], ["run", "x" * 5000], ["run", "tiny.yaml", "--seeds", "0"],
    ["run", "tiny.yaml", "--seeds", "-1"], ["run", "tiny.yaml", "--seeds", "1e99"],
    ["run", "tiny.yaml", "--steps", "0"], ["run", "tiny.yaml", "--steps", "10^9"],
    ["run", "tiny.yaml", "--profile", "huge"], ["run", "tiny.yaml", "--device", "gpu"],
    ["run", "tiny.yaml", "--device", "cuda:x"], ["run", "tiny.yaml", "--device", ""],
    ["run", "tiny.yaml", "tiny.yaml"], ["verify"], ["verify", "missing"], ["verify", "tiny.yaml", "--seeds", "3"],
    ["show"], ["show", "last"], ["show", "zzzzzzz"], ["show", ""], ["show", "%"], ["show", "' OR 1=1 --"],
    ["show", "last", "more"], ["report", "last"], ["report", "last", "--to", "pdf"], ["attach", "zzz"], ["attach"],
    ["stop", "zzz"], ["stop", "last", "--run", "x"], ["stop", "zzz", "--run", "0"], ["lr"], ["lr", "last"],
    ["lr", "zzz", "0.1"], ["lr", "last", "fast"], ["lr", "last", "nan"], ["lr", "last", "-1"], ["lr", "last", "1e99"],
    ["lr", "zzz", "0.1", "--candidate"], ["steps", "zzz", "100"], ["steps", "last", "0"], ["steps", "last", "1e99"],
    ["pause", "zzz"], ["resume", "zzz"], ["resume"], ["rm", "zzz"], ["rm", "last"],
    ["export", "last"], ["export", "zzz", "--to", "xml"], ["export", "zzz", "--what", "all"], ["logs"],
    ["logs", "zzz"], ["bundle", "zzz"], ["bundle", "last", "-o"], ["doctor", "now"], ["doctor", "--set-aside"],
    ["presets", "no-such-preset"], ["presets", "a", "b"], ["schema", "x"], ["more", "zzz"],
    ["more", "zzz", "--seeds", "0"], ["more", "zzz", "--seeds", "x"], ["match"], ["match", "3", "--in", "2"],
    ["explain"], ["explain", "3"], ["code"], ["code", "3 relu"], ["missing.yaml"], ["no such thing"], ["tuilab:"],
    ["tuilab:xyz"], ["a", "b"],
]  # fmt: skip
TABLES = {
    "empty": b"",
    "header only": b"a,b\n",
    "one column": b"a\n1\n2\n3\n",
    "one row": b"a,b\n1,2\n",
    "ragged": b"a,b,c\n1,2,3\n1,2\n4,5,6\n",
    "missing values": b"a,b,c\n1,,3\n1,2,\n,,\n" * 9,
    "not a number": b"a,b\n" + b"1,2\n" * 50 + b"x,2\n",
    "infinite": b"a,b\n" + b"1,2\n2,3\n" * 50 + b"inf,2\n",
    "nan": b"a,b\n" + b"nan,nan\n" * 50,
    "binary": bytes(range(256)) * 40,
    "nulls": b"a,b\n1,\x00\n" * 30,
    "utf-16": "a,b\n1,2\n".encode("utf-16") * 20,
    "latin": "größe,b\n".encode("latin-1") + b"1,2\n" * 30,
    "one long line": b"1," * 300_000,
    "quotes": b'a,b\n"1,2\n3,4\n' * 20,
    "same names": b"a,a,a\n" + b"1,2,3\n" * 30,
    "no target": b"x,y\n" + b"1,2\n2,1\n" * 30,
    "constant target": b"a,b\n" + b"1,2\n" * 30,
    "a class of one": b"a,b\n" + b"1,x\n" * 30 + b"2,y\n",
    "too many classes": b"a,b\n" + b"".join(f"{i},c{i}\n".encode() for i in range(300)),
    "only commas": b",,,\n" * 40,
    "carriage returns": b"a,b\r1,2\r3,4\r",
    "escape": b"a,\x1b[31mb\n" + b"1,2\n" * 30,
}


def resident_mb(*, peak: bool = False) -> float:
    """Memory of this process, in MB; its peak since the last call without ``peak``, which begins a new one."""
    if not peak:
        Path("/proc/self/clear_refs").write_text("5")
    name = "VmHWM:" if peak else "VmRSS:"
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


@pytest.fixture
def told(tmp_path: Path, monkeypatch, capsys):
    """``told(arguments)`` runs a command that must fail well, and returns what it says.

    The lab's folder is a file, so that what should be wrong and is not fails as well and starts nothing.
    """
    (tmp_path / "lab").write_text("no folder")
    (tmp_path / "tiny.yaml").write_text(PRESET)
    monkeypatch.setenv("TUILAB_HOME", str(tmp_path / "lab"))
    monkeypatch.chdir(tmp_path)

    def run(arguments: Sequence[str]) -> str:
        began, before = time.process_time(), resident_mb()
        code = main(list(arguments))
        seconds, grown = time.process_time() - began, resident_mb(peak=True) - before
        said: str = capsys.readouterr().err
        shown = [argument[:200] for argument in arguments]
        assert code == 2, (shown, said)
        assert said.startswith("tuilab: "), (shown, said)
        assert said.count("\n") == 1, (shown, said)
        assert len(said) > 15, (shown, said)
        assert "a fault of its own" not in said, (shown, said)
        assert "Traceback" not in said
        assert len(said) < 1500, (shown, said[:300])
        assert said.isprintable() or said[:-1].isprintable(), (shown, said)
        assert seconds < LIMIT_SECONDS, (shown, seconds)
        assert grown < LIMIT_MB, (shown, grown)
        return said

    return run


def test_wrong_notation(told) -> None:
    for notation in NOTATIONS:
        told(["count", "--in", "6", "--out", "2", "--", notation])


def test_wrong_notation_by_chance(told) -> None:
    generator = random.Random(1)
    words = [
        "3", "relu", "(", ")", "*", "2*", "residual", "sum", "|", "conv", ",", "=", "bias", "out", "!", "dropout",
        "0", ".",
    ]  # fmt: skip
    for _ in range(150):
        stack = " ".join(generator.choice(words) for _ in range(generator.randrange(2, 12)))
        # A bracket that is never closed makes sure that it is wrong.
        told(["count", "--in", "6", "--out", "2", "--", f"{stack} residual("])


def test_wrong_command_lines(told) -> None:
    for arguments in COMMAND_LINES:
        told(arguments)


def test_wrong_tables(told, tmp_path: Path) -> None:
    for name, content in TABLES.items():
        (tmp_path / "table.csv").write_bytes(content)
        os.utime(tmp_path / "table.csv", ns=(0, hash(name) % 10**15))
        for target in ("b", "3"):
            (tmp_path / "table.yaml").write_text(TABLE.format(path="table.csv", target=target))
            told(["run", "table.yaml"])


def test_tables_that_are_no_files(told, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path in ("/dev/zero", "/dev/null", "pipe", "loop", ".", "missing.csv", "tiny.yaml/x", "x" * 3000, "''"):
        (tmp_path / "table.yaml").write_text(TABLE.format(path=path, target="b"))
        told(["run", "table.yaml"])


def test_presets_that_are_no_files(told, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    (tmp_path / "folder.yaml").mkdir()
    for name in ("pipe.yaml", "loop.yaml", "zero.yaml", "folder.yaml"):
        told(["run", name])
        told([name])


def test_presets_that_are_no_presets(told, tmp_path: Path) -> None:
    laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    texts: list[str | bytes] = [
        "", " ", "\n\n", "null", "[]", "3", "true", "title", "title: x", "- a\n- b", "{", "}", "[", "a: b: c", "\t",
        "a:\n\tb: 1", "%YAML 9.9\n---\n", "--- a\n--- b\n", "!!python/object/apply:os.system ['true']",
        "!!python/name:os.system", "&a *a", "? [a, b]\n: c", "<<: *x", "a: *missing", "'", '"', "|", ">", "@", "`",
        laughs, "[" * 3000, "{a: " * 2000, "- " * 3000, "a: " * 3000, "x: " + "y" * 10**6, "\x00", b"\xff\xfe",
        bytes(range(256)), "title: 2024-13-99", "1: 2", "{1: {2: {3: 4}}}", PRESET.replace("Tiny", "!!binary x"),
        PRESET + PRESET, PRESET.replace("title: Tiny", "title: [Tiny]"), "a: 1e999", "a: .nan",
    ]  # fmt: skip
    for text in texts:
        content = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "wrong.yaml").write_bytes(content)
        told(["run", "wrong.yaml"])


VALUES = [
    "-1", "0", "1e99", ".inf", ".nan", "null", "true", "[]", "{}", "''", "x", "2024-01-01", "[1, 2]", "{a: 1}",
    "1.5", "9" * 30, "'\\x1b'", '"\\e[31m"', "0x10", "1_000", "~", "'12 relu'", "-.inf", "!!int x", "!!str 3", "*a",
    "&a 1",
]  # fmt: skip


def mutated(generator: random.Random) -> str:
    """The preset with something changed."""
    text = PRESET
    for _ in range(generator.choice((1, 1, 1, 2, 3))):
        lines = text.splitlines(keepends=True)
        row = generator.randrange(len(lines))
        match generator.randrange(7):
            case 0:
                del lines[row]
            case 1:
                lines.insert(row, lines[generator.randrange(len(lines))])
            case 2:
                lines[row] = "  " + lines[row]
            case 3:
                place = generator.randrange(len(lines[row]))
                lines[row] = lines[row][:place] + generator.choice("{}[]:,#&*!|>'\"%@`\\\t-?") + lines[row][place:]
            case 4:
                head, colon, _ = lines[row].partition(": ")
                lines[row] = f"{head}{colon}{generator.choice(VALUES)}\n"
            case 5:
                pieces = lines[row].split(", ")
                place = generator.randrange(len(pieces))
                pieces[place] = pieces[place].partition(": ")[0] + ": " + generator.choice(VALUES)
                lines[row] = ", ".join(pieces) + ("" if place + 1 < len(pieces) else "}\n")
            case _:
                place = generator.randrange(len(lines[row]))
                lines[row] = lines[row][:place] + lines[row][place + 1 :]
        text = "".join(lines)
    return text


def test_presets_with_something_changed(told, tmp_path: Path) -> None:
    generator = random.Random(2)
    for _ in range(120):
        (tmp_path / "wrong.yaml").write_text(mutated(generator))
        told(["run", "wrong.yaml"])
