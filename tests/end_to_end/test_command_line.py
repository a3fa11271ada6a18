"""The command line as scripts and other programs use it: JSON on stdout, sentences on stderr, true exit codes."""

import csv
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Cli, environment, lab_processes
from tuilab.cli import main
from tuilab.spec.preset_file import load
from tuilab.spec.share import to_line


def document(done: subprocess.CompletedProcess[str]):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_count_says_what_a_network_costs(cli: Cli) -> None:
    counted = document(cli("count", "40 relu", "--in", "64", "--out", "10", "--json"))
    assert counted["num_params"] == counted["num_trainable"] == 3010
    assert counted["macs"] == 64 * 40 + 40 * 10
    assert sum(layer["num_params"] for layer in counted["layers"]) == 3010
    assert [layer["out_shape"] for layer in counted["layers"]] == [[40], [40], [10]]


def test_without_an_output_size_the_notation_is_the_whole_network(cli: Cli) -> None:
    assert document(cli("count", "3 relu 3", "--in", "3", "--json"))["num_params"] == 24


def test_gpt3s_parameter_count_from_three_neurons_comes_at_once(cli: Cli) -> None:
    begun = time.monotonic()
    counted = document(cli("count", "14583333331*(3 relu)", "--in", "3", "--out", "3", "--json"))
    assert counted["num_params"] == (14583333331 + 1) * 12
    assert time.monotonic() - begun < 5


def test_images_go_in_as_channels_by_height_by_width(cli: Cli) -> None:
    counted = document(cli("count", "conv(16, 3) relu maxpool(2) flatten", "--in", "1x28x28", "--out", "10", "--json"))
    assert counted["num_params"] == 160 + 16 * 13 * 13 * 10 + 10


def test_match_finds_widths_for_a_budget(cli: Cli) -> None:
    one = document(cli("match", "4*(14 relu)", "--in", "784", "--out", "10", "--params", "100k", "--json"))
    assert (
        one["num_params"]
        == document(cli("count", one["notation"], "--in", "784", "--out", "10", "--json"))["num_params"]
    )
    assert one["budget_error"] == pytest.approx((one["num_params"] - 100_000) / 100_000)
    assert one["widths"] == [93, 93, 93, 92]
    several = document(cli("match", "9 relu", "2*(9 relu)", "--in", "2", "--out", "2", "--params", "500", "--json"))
    assert [len(found["widths"]) for found in several] == [1, 2]
    below = document(cli("match", "9 relu", "--in", "2", "--out", "2", "--macs", "401", "--rule", "at-most", "--json"))
    assert below["macs"] == 400


def test_explain_says_what_collapses_and_what_cannot(cli: Cli) -> None:
    explained = document(cli("explain", "3", "--in", "10", "--out", "10", "--json"))
    assert explained["degrees_of_freedom"] == 61
    assert explained["warnings"][0]["kind"] == "serial collapse"
    assert explained["region_bounds"]["upper"] == 1
    regions = document(cli("explain", "2*(8 relu)", "--in", "2", "--out", "1", "--json"))["region_bounds"]
    assert (regions["montufar"], regions["serra_lower"], regions["upper"]) == (592, 925, 1369)
    assert "serial collapse" in cli("explain", "3", "--in", "10", "--out", "10").stdout


def test_explain_lists_the_layers_that_it_names(cli: Cli) -> None:
    arguments = ("explain", "residual(2 relu 2) 3*(5 7 relu)", "--in", "2", "--out", "2")
    said = cli(*arguments).stdout.splitlines()
    at = next(at for at, line in enumerate(said) if line.startswith("serial collapse: layers 6 to 7 "))
    assert said[at + 1 : at + 3] == ["     6  linear(5)", "     7  linear(7)"]
    first = document(cli(*arguments, "--json"))["warnings"][0]
    assert (first["where"], first["layers"]) == (
        "layers 6 to 7",
        [{"number": 6, "layer": "linear(5)"}, {"number": 7, "layer": "linear(7)"}],
    )


def test_layers_that_do_not_fit_are_told_by_their_column(cli: Cli) -> None:
    wrong = cli("count", "8 relu residual(3 conv(2, 3))", "--in", "2", "--out", "2")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("tuilab: stack notation, column 19: conv needs an image")


def test_explain_knows_the_loss_the_init_and_the_number_of_examples(cli: Cli) -> None:
    def kinds(notation: str, *options: str) -> set[str]:
        explained = document(cli("explain", notation, "--in", "10", "--out", "10", *options, "--json"))
        return {one["kind"] for one in explained["warnings"]}

    assert "softmax before cross-entropy" in kinds("14 relu out softmax")
    assert "softmax before cross-entropy" not in kinds("14 relu out softmax", "--loss", "mse")
    assert "vanishing signal" not in kinds("12*(64 relu)")
    assert "vanishing signal" in kinds("12*(64 relu)", "--init", "torch")
    assert "more parameters than data" in kinds("64 relu", "--train", "10")
    assert "more parameters than data" not in kinds("64 relu", "--train", "10000")


def test_code_is_a_module_that_runs_with_torch_alone(cli: Cli, tmp_path: Path) -> None:
    written = cli("code", "2*(16 relu)", "--in", "64", "--out", "10", "--name", "Digits").stdout
    (tmp_path / "digits.py").write_text(written)
    counting = "import digits; print(sum(p.numel() for p in digits.Digits().parameters()))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", counting], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == 64 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["count", "4*(10 rleu)", "--in", "2", "--out", "2"], "column 7: unknown layer 'rleu'; did you mean 'relu'?"),
        (["count", "0 relu", "--in", "2"], "at least 1"),
        (["count", "3 relu", "--in", "2x0"], "not a shape"),
        (["count", "3 relu"], "--in"),
        (["count", "conv(3, 3)", "--in", "64"], "needs an image"),
        (["run", "no-such-preset"], "no-such-preset"),
        (["run", "missing.yaml"], "missing.yaml"),
        (["show", "nothing"], "nothing"),
        (["show", "last"], "no experiment"),
        (["nonsense"], "nonsense"),
        (["match", "64! relu", "--in", "2", "--out", "2", "--params", "10"], "free"),
        (["match", "64 relu", "--in", "2", "--out", "2"], "--params"),
        (["code", "3", "--in", "2", "--name", "class"], "class"),
        (["run", "spirals-depth", "--seeds", "many"], "many"),
        (["export", "last", "--to", "xml"], "xml"),
    ],
)
def test_bad_input_gets_one_sentence_and_exit_code_2(cli: Cli, arguments: list[str], said: str) -> None:
    done = cli(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


def test_a_preset_file_with_a_mistake_is_named_with_line_and_field(cli: Cli, tiny: Path) -> None:
    tiny.write_text(tiny.read_text().replace("12 relu", "12 rleu"))
    done = cli("run", str(tiny))
    assert done.returncode == 2
    assert "tiny.yaml, line 7" in done.stderr
    assert "candidates.1.stack" in done.stderr
    assert "rleu" in done.stderr


def test_a_run_prints_one_document_that_its_store_repeats(cli: Cli, tiny: Path) -> None:
    ran = document(cli("run", str(tiny), "--json"))
    assert ran["status"] == "finished"
    assert ran["task"] == "xor"
    assert [candidate["num_params"] for candidate in ran["candidates"]] == [12 * 3 + 13 * 2, 15 + 30 + 12]
    for candidate in ran["candidates"]:
        metric = candidate["metric"]
        assert metric["name"] == "error"
        assert len(metric["values"]) + metric["failures"] == 3
        assert metric["mean"] == pytest.approx(sum(metric["values"]) / len(metric["values"]))
    assert ran["verdict"]
    shown = document(cli("show", "last", "--json"))
    assert shown == ran
    assert [line["experiment"] for line in json.loads(cli("ls", "--json").stdout)] == [ran["experiment"]]


def test_the_same_seed_gives_the_same_numbers(cli: Cli, tiny: Path) -> None:
    one, two = (document(cli("run", str(tiny), "--json"))["candidates"] for _ in range(2))
    assert one == two


def test_seeds_and_steps_can_be_set_for_one_run(cli: Cli, tiny: Path) -> None:
    ran = document(cli("run", str(tiny), "--json", "--seeds", "2", "--steps", "20"))
    assert all(len(candidate["metric"]["values"]) == 2 for candidate in ran["candidates"])
    rows = list(csv.DictReader(io.StringIO(cli("export", "last", "--to", "csv").stdout)))
    assert max(int(row["step"]) for row in rows) == 20


def test_a_share_line_runs_as_its_file_does(cli: Cli, tiny: Path) -> None:
    line = to_line(load(tiny))
    ran = document(cli("run", line, "--steps", "5", "--seeds", "1", "--json"))
    assert ran["status"] == "finished"
    assert [one["name"] for one in ran["candidates"]] == [one.name for one in load(tiny).candidates]
    refused = cli("run", line, "--profile", "quick")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "a share line has no profiles" in refused.stderr


def test_a_file_whose_candidates_break_its_budget_is_named(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "unequal.yaml"
    path.write_text(
        "title: unequal\ntask: xor\nprotocol: {budget: {rule: at_most, reference: wide}}\n"
        "candidates: [{name: wide, stack: 4 relu}, {name: deep, stack: 40 relu}]\n"
    )
    refused = cli("run", str(path))
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"tuilab: {path}: candidate deep has 202 parameters")


def test_a_device_that_is_not_there_is_refused_before_anything_is_remembered(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TUILAB_HOME", str(home))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for device in ("cuda", "cuda:0"):
        assert main(["run", "spirals-depth", "--profile", "quick", "--device", device]) == 2
        assert "there is no CUDA device on this machine" in capsys.readouterr().err
    assert not home.exists()


def test_export_gives_every_run_and_point(cli: Cli, tiny: Path) -> None:
    document(cli("run", str(tiny), "--json"))
    points = list(csv.DictReader(io.StringIO(cli("export", "last").stdout)))
    runs = list(csv.DictReader(io.StringIO(cli("export", "last", "--what", "runs").stdout)))
    whole = document(cli("export", "last", "--to", "json"))
    assert len(runs) == len(whole["runs"]) == 6
    assert len(points) == sum(len(run["points"]) for run in whole["runs"]) > 6 * 10
    assert {point["candidate"] for point in points} == {"wide", "deep"}


def test_a_detached_run_goes_on_and_can_be_stopped_and_removed(cli: Cli, home: Path, long: Path) -> None:
    identity = cli("run", str(long), "--detach").stdout.strip()
    assert identity
    wait_for_status(cli, identity, "running")
    assert cli("rm", identity).returncode == 2
    assert cli("stop", identity).returncode == 0
    wait_for_status(cli, identity, "stopped")
    assert cli("rm", identity[:6]).returncode == 0
    assert json.loads(cli("ls", "--json").stdout) == []
    wait_until(lambda: not lab_processes(home))


def test_an_experiment_that_has_measured_nothing_has_the_same_fields_as_one_that_has(
    cli: Cli, tiny: Path, long: Path
) -> None:
    measured = document(cli("run", str(tiny), "--json"))["candidates"][0]
    identity = cli("run", str(long), "--detach").stdout.strip()
    waiting = document(cli("show", identity, "--json"))["candidates"][0]
    cli("stop", identity)
    assert list(waiting) == list(measured)
    assert list(waiting["metric"]) == list(measured["metric"])
    assert waiting["num_params"] > 0
    assert waiting["macs"] > 0
    assert waiting["metric"]["name"] == "error"
    assert waiting["metric"]["values"] == []


def test_a_count_is_a_whole_number_also_with_a_letter_after_it(cli: Cli) -> None:
    assert document(cli("count", "3", "--in", "4", "--out", "1.1k", "--json"))["num_params"] == 4 * 3 + 3 + 3300 + 1100
    refused = cli("run", "spirals-depth", "--seeds", "1.5")
    assert refused.returncode == 2
    assert "'1.5' is not a whole number" in refused.stderr
    assert "'fast' is not a number, such as 0.01" in cli("lr", "last", "fast").stderr


def test_an_interrupted_run_stops_its_experiment_and_exits_with_130(home: Path, long: Path, cli: Cli) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tuilab", "run", str(long), "--json"],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: '"running"' in cli("ls", "--json").stdout)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    assert "interrupted" in err
    wait_for_status(cli, "last", "stopped")


def test_an_engine_killed_twice_ends_as_a_failed_run_with_a_sentence(cli: Cli, home: Path, long: Path) -> None:
    identity = cli("run", str(long), "--detach").stdout.strip()
    wait_for_status(cli, identity, "running")
    end = time.monotonic() + 60
    while json.loads(cli("ls", "--json").stdout)[0]["status"] in ("queued", "running"):
        assert time.monotonic() < end
        for process in lab_processes(home):
            if "tuilab.engine" in " ".join(process.cmdline()):
                process.kill()
        time.sleep(0.3)
    shown = json.loads(cli("show", identity, "--json").stdout)
    assert shown["status"] == "failed"
    assert "signal" in shown["message"].lower() or "killed" in shown["message"].lower()


def test_a_killed_runner_leaves_a_lost_experiment_and_no_engine(cli: Cli, home: Path, long: Path) -> None:
    identity = cli("run", str(long), "--detach").stdout.strip()
    wait_for_status(cli, identity, "running")
    for process in lab_processes(home):
        if "tuilab.runner" in " ".join(process.cmdline()):
            process.kill()
    wait_for_status(cli, identity, "lost")
    wait_until(lambda: not lab_processes(home))


def test_presets_are_listed_by_question(cli: Cli) -> None:
    listed = json.loads(cli("presets", "--json").stdout)
    assert len(listed) >= 6
    assert all(preset["question"] and preset["candidates"] for preset in listed)
    assert "spirals-depth" in cli("presets").stdout


def test_the_schema_describes_a_preset_file(cli: Cli) -> None:
    schema = document(cli("schema"))
    assert {"title", "task", "candidates"} <= set(schema["required"])


def test_doctor_names_versions_devices_and_the_lab(cli: Cli, home: Path) -> None:
    report = document(cli("doctor", "--json"))
    assert report["lab"]["home"] == str(home)
    assert report["machine"]["devices"][0] == "cpu"
    assert report["versions"]["torch"]
    assert report["versions"]["numba"]


@pytest.mark.parametrize("term", ["dumb", ""])
def test_without_a_capable_terminal_the_interface_says_so(cli: Cli, term: str) -> None:
    done = cli(TERM=term)
    assert done.returncode == 2
    assert "terminal" in done.stderr
    assert "\x1b" not in done.stderr + done.stdout


def test_output_closed_early_is_no_fault(home: Path) -> None:
    command = f"{sys.executable} -m tuilab schema | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment(home), check=False)
    assert done.stdout == "{\n"
    assert done.stderr == ""


def wait_until(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def wait_for_status(cli: Cli, identity: str, status: str) -> None:
    wait_until(lambda: json.loads(cli("show", identity, "--json").stdout)["status"] == status)
