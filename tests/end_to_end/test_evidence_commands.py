"""``report``, ``verify``, ``show`` and the planned cost, as a person and a script meet them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import TINY, Cli, environment

EXPECTING = (
    TINY.replace("{lr: 0.01, steps: 60, batch_size: 32}", "{steps: 60, batch_size: 32}")
    .replace("final_seeds: 3", "final_seeds: 4, lr_grid: [0.01], extend_grid: false")
    .replace("- {name: deep, stack: 2*(5 relu)}", "- {name: still, stack: 12 relu, training: {lr: 0.0000001}}")
)
"""``still`` learns nothing, so that ``wide`` is better for certain."""
BETTER = "expect:\n  - {candidate: wide, against: still, verdict: better}\n"
QUICK = "profiles: {quick: {protocol: {final_seeds: 2}}}\n"


def said(done: subprocess.CompletedProcess[str], code: int = 0) -> str:
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    path = tmp_path / "wide-or-still.yaml"
    path.write_text(EXPECTING + BETTER + QUICK)
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a lab in which one experiment was run, and what the run said."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(TINY)
    return folder, said(tuilab(folder, "run", "tiny.yaml"))


def tuilab(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tuilab", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment(folder / "lab"), cwd=folder, timeout=120, check=False
    )


def test_a_run_says_first_what_it_will_cost_and_then_shows_its_evidence(finished: tuple[Path, str]) -> None:
    folder, ran = finished
    assert ran.splitlines()[0].startswith("planned: 6 runs, 360 steps, ")
    assert ran.splitlines()[0].endswith("at a guessed rate")
    shown = said(tuilab(folder, "show", "last"))
    for words in ("wide", "freedom", "FLOPs to date", "deep (2×5, 57 params) errs", "an example, not a rate"):
        assert words in shown
        assert words in ran


def test_a_report_is_printed_or_written_in_three_formats(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    text = said(tuilab(folder, "report", "last"))
    assert text.startswith("# Tiny\n")
    assert "## The exact preset" in text
    assert said(tuilab(folder, "report", "last", "-o", "page.html")) == "wrote page.html\n"
    assert (folder / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert said(tuilab(folder, "report", "last", "-o", "page.pdf", "--to", "md")) == "wrote page.pdf\n"
    odd = tuilab(folder, "report", "last", "-o", "other.pdf")
    assert odd.returncode == 2
    assert odd.stderr.startswith("tuilab: other.pdf: a report is .md, .html or .json")
    assert not (folder / "other.pdf").exists()
    failed = tuilab(folder, "report", "last", "-o", "missing/report.md")
    assert failed.returncode == 2
    assert failed.stderr.count("\n") == 1
    assert "missing/report.md" in failed.stderr


def test_the_preset_in_a_report_gives_the_same_numbers_again(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    data = json.loads(said(tuilab(folder, "report", "last", "--to", "json")))
    assert [row["name"] for row in data["efficiency"]] == ["wide", "deep"]
    (folder / "again.yaml").write_text(data["preset"])
    again = json.loads(said(tuilab(folder, "run", "again.yaml", "--json")))
    assert [one["metric"]["values"] for one in again["candidates"]] == [
        one["values"] for one in data["result"]["candidates"]
    ]


def test_an_experiment_goes_on_with_more_seeds_and_says_so(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    listed = json.loads(said(tuilab(folder, "ls", "--json")))
    first = listed[-1]["experiment"]
    before = json.loads(said(tuilab(folder, "show", first, "--json")))
    after = json.loads(said(tuilab(folder, "more", first, "--seeds", "2", "--json")))
    assert (after["experiment"], after["status"]) == (first, "finished")
    for old, new in zip(before["candidates"], after["candidates"], strict=True):
        assert new["metric"]["values"][:3] == old["metric"]["values"]
        assert len(new["metric"]["values"]) == 5
    assert "2 of the 5 final seeds were added after the others had been seen" in said(tuilab(folder, "show", first))
    assert len(json.loads(said(tuilab(folder, "ls", "--json")))) == len(listed)


def test_verify_exits_with_0_when_the_verdict_is_the_expected_one(cli: Cli, preset: Path) -> None:
    done = said(cli("verify", str(preset)))
    assert "ok  wide against still: expected better, found better (as expected)" in done
    assert "as expected: all verdicts agree" in done


def test_verify_exits_with_3_when_it_cannot_tell(cli: Cli, preset: Path) -> None:
    preset.write_text(preset.read_text().replace("final_seeds: 4", "final_seeds: 1"))
    done = said(cli("verify", str(preset)), 3)
    assert "??  wide against still: expected better, found cannot tell" in done
    assert "cannot tell: not all verdicts are decided" in done


def test_the_quick_profile_is_judged_by_the_sign_and_says_so(cli: Cli, preset: Path) -> None:
    done = said(cli("verify", str(preset), "--profile", "quick"))
    assert "ok  wide against still: expected a lower mean, found lower" in done
    assert "only the sign of a difference must agree" in done


def test_verify_exits_with_1_when_it_is_another(cli: Cli, preset: Path) -> None:
    preset.write_text(preset.read_text().replace("verdict: better", "verdict: worse"))
    document = json.loads(said(cli("verify", str(preset), "--profile", "quick", "--json"), 1))
    assert document["judged_by"] == "sign"
    assert document["exit_code"] == 1
    (outcome,) = document["expectations"]
    assert (outcome["expected_sign"], outcome["agrees"]) == ("higher", False)
    assert outcome["difference"] < 0


def test_a_preset_that_expects_nothing_cannot_be_verified(cli: Cli, tiny: Path) -> None:
    done = cli("verify", str(tiny))
    assert done.returncode == 2
    assert done.stdout == ""
    assert "has no expect" in done.stderr
    assert json.loads(cli("ls", "--json").stdout) == []
