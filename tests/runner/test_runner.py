"""Experiments from launch to end, with real processes: a runner, and engines that follow a script."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.runner.lab import comparison, family, until
from tuilab.runner import client, crew, queue
from tuilab.runner.engines import EnginePool
from tuilab.runner.plan import TUNING_SEED
from tuilab.runner.setting import setting_of
from tuilab.runner.supervisor import Supervisor
from tuilab.spec.errors import LabError
from tuilab.spec.training import report_steps
from tuilab.store import reader
from tuilab.store.records import Command, Phase, Status
from tuilab.store.writer import Writer

ROOT = Path(__file__).parents[2]
ONE_CANDIDATE = ({"name": "only", "stack": "4 relu", "training": {"lr": 0.01}},)


@pytest.fixture
def one_core():
    """Processes started meanwhile have one core, and so one slot."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


def test_an_experiment_runs_from_launch_to_verdict(lab):
    identity = lab.start()
    record = lab.finish(identity)
    assert record.status is Status.FINISHED, lab.log(identity)
    assert record.message == ""
    assert record.done_steps == record.planned_steps == (6 + 3 + 3) * 30
    assert record.started is not None
    assert record.ended is not None
    assert record.created <= record.started <= record.ended
    assert record.device == "scripted"
    assert lab.reader.environment(identity)["torch"] == "none"
    assert lab.reader.environment(identity)["kernel"] == "none"
    assert lab.reader.environment(identity)["precision"] == "float32"
    assert sorted((run.lr, run.seed_index) for run in lab.runs(identity, Phase.TUNING)) == [
        (lr, TUNING_SEED + seed) for lr in (0.001, 0.01, 0.1) for seed in (0, 1)
    ]
    assert [(run.lr, run.seed_index) for run in lab.runs(identity, Phase.FINAL)] == [(0.01, seed) for seed in range(3)]
    assert lab.runs(identity, Phase.TUNING, candidate=1) == []
    assert [run.lr for run in lab.runs(identity, Phase.FINAL, candidate=1)] == [0.1] * 3
    assert record.result is not None
    assert record.result.complete
    tuned, fixed = record.result.candidates
    assert tuned.values == pytest.approx((0.0, 0.01, 0.02))
    assert fixed.values == pytest.approx((1.0, 1.01, 1.02))
    assert tuned.steps_per_second == pytest.approx(3 * 30 / 2.0)


def test_every_reported_step_of_every_run_is_in_the_store_once_and_in_order(lab):
    identity = lab.start()
    lab.finish(identity)
    points = lab.reader.points(identity)
    for run in lab.reader.runs(identity):
        assert [point.step for point in points if point.run == run.id] == list(report_steps(30))


def test_runs_that_diverge_are_results_and_not_failures_of_the_experiment(lab):
    identity = lab.start("--diverge", 0.1)
    record = lab.finish(identity)
    assert record.status is Status.FINISHED
    assert {(run.status, run.step, run.reason) for run in lab.runs(identity, Phase.FINAL, candidate=1)} == {
        (Status.FAILED, 1, "diverged")
    }
    assert record.result is not None
    assert [one.failures for one in record.result.candidates] == [0, 3]
    assert record.planned_steps == record.done_steps


def test_an_engine_that_is_killed_is_replaced_and_its_group_trained_again(lab, tmp_path):
    deaths = tmp_path / "deaths"
    deaths.write_text("1")
    identity = lab.start("--die-in", deaths, candidates=ONE_CANDIDATE)
    record = lab.finish(identity)
    assert record.status is Status.FINISHED, lab.log(identity)
    assert deaths.read_text() == "0"
    assert "was killed by signal 9 (SIGKILL)" in lab.log(identity)
    steps = [(point.run, point.step) for point in lab.reader.points(identity)]
    assert len(steps) == len(set(steps)) == 3 * len(report_steps(30))
    assert record.done_steps == record.planned_steps == 3 * 30


def test_a_group_that_kills_its_engine_twice_fails_with_the_reason_and_the_others_go_on(lab, tmp_path, one_core):
    deaths = tmp_path / "deaths"
    deaths.write_text("2")
    identity = lab.start("--die-in", deaths)
    record = lab.finish(identity)
    assert record.status is Status.FAILED
    assert record.message.startswith("candidate tuned could not be trained: its engine died twice: it was killed by")
    assert record.message.endswith("its last words: about to die")
    failed = [run for run in lab.runs(identity, Phase.TUNING) if run.status is Status.FAILED]
    assert len(failed) == 3
    assert all("died twice" in run.reason for run in failed)
    assert lab.runs(identity, Phase.FINAL) == []
    assert {run.status for run in lab.runs(identity, Phase.FINAL, candidate=1)} == {Status.FINISHED}
    assert record.result is not None
    assert [one.failures for one in record.result.candidates] == [0, 0]


def test_a_group_that_is_too_large_for_memory_is_trained_in_smaller_ones(lab):
    identity = lab.start("--memory", 1)
    record = lab.finish(identity)
    assert record.status is Status.FINISHED, lab.log(identity)
    assert record.done_steps == record.planned_steps == (6 + 3 + 3) * 30
    assert "the scripted engine is full; trying its halves" in lab.log(identity)


def test_a_run_that_is_too_large_for_memory_alone_fails_with_the_reason(lab):
    identity = lab.start("--memory", 0, candidates=ONE_CANDIDATE)
    record = lab.finish(identity)
    assert (record.status, record.message) == (
        Status.FAILED,
        "candidate only could not be trained: the scripted engine is full",
    )
    assert {run.status for run in lab.reader.runs(identity)} == {Status.FAILED}


def test_an_engine_that_hangs_is_killed_and_its_group_trained_again(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(crew, "SILENCE_SECONDS", 0.3)
    freezes = tmp_path / "freezes"
    freezes.write_text("1")
    record = run_here(lab, "--freeze-in", freezes, candidates=ONE_CANDIDATE)
    assert record.status is Status.FINISHED
    assert freezes.read_text() == "0"
    assert record.done_steps == record.planned_steps == 3 * 30


def test_a_group_that_hangs_twice_fails_with_the_reason(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(crew, "SILENCE_SECONDS", 0.3)
    freezes = tmp_path / "freezes"
    freezes.write_text("2")
    record = run_here(lab, "--freeze-in", freezes, candidates=ONE_CANDIDATE)
    assert record.status is Status.FAILED
    assert re.search(r"its engine died twice: it said nothing for \d+ s and was killed", record.message)


def run_here(lab, *options, **changes):
    """An experiment whose runner is this process."""
    identity = client.create_experiment(lab.home, comparison(**changes), device="cpu")
    with Writer(lab.home) as writer:
        assert writer.claim(identity)
    pool = EnginePool(lab.engine(*options))
    setting = setting_of(lab.reader.find(identity).comparison)
    supervisor = Supervisor(lab.home, identity, setting, "cpu", pool)
    try:
        supervisor.run()
    finally:
        pool.close(1.0)
        supervisor.close()
    return lab.reader.find(identity)


def test_a_group_that_the_engine_refuses_fails_with_its_reason(lab):
    identity = lab.start("--refuse", "4 relu")
    record = lab.finish(identity)
    assert record.status is Status.FAILED
    assert record.message == "candidate tuned could not be trained: the scripted engine refuses it"
    assert {run.status for run in lab.runs(identity, Phase.FINAL, candidate=1)} == {Status.FINISHED}


def test_an_engine_that_does_not_start_fails_the_experiment_with_its_last_words(lab):
    identity = lab.start("--no-start")
    record = lab.finish(identity)
    assert record.status is Status.FAILED
    assert record.message == (
        "the training engine does not start: it ended with exit code 3; its last words: no torch here"
    )
    assert {run.status for run in lab.reader.runs(identity)} == {Status.FAILED}


def test_a_command_that_is_no_program_fails_the_experiment(lab, tmp_path):
    identity = client.create_experiment(lab.home, comparison(), device="cpu")
    client.launch(lab.home, identity, (str(tmp_path / "nothing"),))
    record = lab.finish(identity)
    assert record.status is Status.FAILED
    assert "nothing" in record.message


def test_a_machine_that_takes_one_engine_only_trains_with_one(lab, tmp_path):
    identity = lab.start("--alone", tmp_path / "alone", "--pace", 0.01)
    assert lab.finish(identity).status is Status.FINISHED, lab.log(identity)


def test_a_gpu_that_was_asked_for_is_the_one_that_trains(lab):
    identity = lab.start("--cuda", "Alpha Beta", device="cuda:1")
    record = lab.finish(identity)
    assert (record.status, record.device) == (Status.FINISHED, "Beta (cuda:1)")
    assert "cuda:0" not in lab.log(identity)
    assert lab.reader.environment(identity)["slots"] == "cuda:1"


def test_auto_leaves_a_gpu_alone_when_the_networks_are_small(lab):
    identity = lab.start("--cuda", "Alpha", device="auto")
    assert lab.finish(identity).device == "scripted"


def test_cuda_where_there_is_none_fails_with_a_sentence(lab):
    identity = lab.start(device="cuda")
    record = lab.finish(identity)
    assert (record.status, record.message) == (
        Status.FAILED,
        "there is no CUDA device on this machine; run it with --device cpu",
    )


def test_stopping_keeps_what_was_trained_and_stops_the_rest(lab):
    identity = lab.start("--hold")
    until(lambda: lab.reader.points(identity), "the first point")
    client.stop(lab.home, identity)
    client.stop(lab.home, identity)
    record = lab.finish(identity)
    assert (record.status, record.message) == (Status.STOPPED, "stopped on request")
    assert {run.status for run in lab.reader.runs(identity)} == {Status.STOPPED}
    assert lab.reader.points(identity)
    client.stop(lab.home, identity)
    assert lab.reader.find(identity) == record


def test_stopping_before_any_runner_came_needs_none(lab):
    identity = client.create_experiment(lab.home, comparison())
    client.stop(lab.home, identity)
    assert lab.reader.find(identity).status is Status.STOPPED
    client.launch(lab.home, identity, lab.engine())
    until(lambda: "not waiting for a runner" in lab.log(identity), "the runner declines")
    assert lab.reader.runs(identity) == []


def test_a_paused_experiment_takes_no_step_and_another_may_use_its_slots(lab, one_core):
    first = lab.start("--pace", 0.02)
    until(lambda: lab.reader.points(first), "the first point")
    client.pause(lab.home, first)
    lab.reaches(first, Status.PAUSED)
    assert Status.RUNNING not in {run.status for run in lab.reader.runs(first)}
    second = lab.start()
    held = lab.reader.find(first).done_steps
    assert lab.finish(second).status is Status.FINISHED
    assert lab.reader.find(first).done_steps - held <= 6
    client.resume(lab.home, first)
    assert lab.finish(first).status is Status.FINISHED, lab.log(first)


def test_a_paused_experiment_can_be_stopped(lab):
    identity = lab.start("--pace", 0.02)
    until(lambda: lab.reader.points(identity), "the first point")
    client.pause(lab.home, identity)
    lab.reaches(identity, Status.PAUSED)
    client.stop(lab.home, identity)
    assert lab.finish(identity).status is Status.STOPPED


def test_until_an_engine_is_ready_an_experiment_says_that_they_are_starting(lab):
    imported = lab.home / "imported"
    identity = lab.start("--hold", "--wait-for", imported)
    until(lambda: lab.reader.find(identity).message == "its engines are starting", "it says what it waits for")
    imported.touch()
    until(lambda: lab.reader.find(identity).message == "", "it waits for nothing")
    lab.reaches(identity, Status.RUNNING)
    client.stop(lab.home, identity)
    assert lab.finish(identity).status is Status.STOPPED


def test_two_experiments_queue_for_one_slot(lab, one_core):
    first = lab.start("--hold")
    lab.reaches(first, Status.RUNNING)
    second = lab.start()
    until(lambda: lab.reader.runs(second), "the second has planned its runs")
    until(lambda: lab.reader.find(second).device, "its engine is ready")
    assert lab.reader.find(second).status is Status.QUEUED
    assert lab.reader.find(second).done_steps == 0
    client.stop(lab.home, first)
    assert lab.finish(first).status is Status.STOPPED
    assert lab.finish(second).status is Status.FINISHED


def test_waiting_experiments_are_served_in_the_order_in_which_they_were_created(lab, one_core):
    running = lab.start("--hold")
    lab.reaches(running, Status.RUNNING)
    waiting = [lab.start("--pace", 0.005, candidates=ONE_CANDIDATE) for _ in range(3)]
    until(lambda: queue.waiting(lab.home) == tuple(waiting), "all wait")
    until(lambda: waiting[1] in lab.reader.find(waiting[2]).message, "the last says behind whom")
    assert lab.reader.find(waiting[2]).message == f"waits for a free slot behind {waiting[0]}, {waiting[1]}"
    client.stop(lab.home, running)
    started = [record.started for record in map(lab.finish, waiting)]
    assert started == sorted(started)
    assert {lab.reader.find(identity).message for identity in waiting} == {""}
    assert queue.waiting(lab.home) == ()


def test_a_waiting_experiment_that_is_stopped_or_killed_holds_up_nobody(lab, one_core):
    running = lab.start("--hold")
    lab.reaches(running, Status.RUNNING)
    killed, stopped, last = (lab.start(candidates=ONE_CANDIDATE) for _ in range(3))
    until(lambda: queue.waiting(lab.home) == (killed, stopped, last), "all wait")
    lab.processes(killed)[0].kill()
    client.stop(lab.home, stopped)
    client.stop(lab.home, running)
    assert lab.finish(last).status is Status.FINISHED


def test_closing_the_terminal_does_not_stop_a_run(lab):
    identity = lab.start("--pace", 0.02)
    until(lambda: lab.reader.points(identity), "the first point")
    runner, *engines = lab.processes(identity)
    assert os.getsid(runner.pid) == runner.pid
    assert engines
    for process in (runner, *engines):
        process.send_signal(signal.SIGHUP)
    assert lab.finish(identity).status is Status.FINISHED


def test_a_terminated_runner_stops_cleanly(lab):
    identity = lab.start("--hold")
    until(lambda: lab.reader.points(identity), "the first point")
    runner, *engines = lab.processes(identity)
    runner.send_signal(signal.SIGTERM)
    record = lab.finish(identity)
    assert (record.status, record.message) == (Status.STOPPED, "stopped by a signal to its runner")
    assert not any(engine.is_running() for engine in engines)


def test_a_killed_runner_leaves_a_lost_experiment_and_no_engine(lab):
    identity = lab.start("--hold")
    until(lambda: lab.reader.points(identity), "the first point")
    runner, *engines = lab.processes(identity)
    runner.kill()
    lab.reaches(identity, Status.LOST)
    *_, record = client.follow(lab.home, identity)
    assert record.status is Status.LOST
    psutil.wait_procs(engines, timeout=10)
    assert not any(engine.is_running() for engine in engines)
    client.stop(lab.home, identity)
    with Writer(lab.home) as writer:
        assert writer.waiting_commands(identity) == []
        writer.delete(identity)


def test_an_engine_that_does_not_answer_is_killed_when_the_experiment_is_stopped(lab, one_core):
    identity = lab.start("--hold", candidates=ONE_CANDIDATE)
    until(lambda: lab.reader.points(identity), "the first point")
    _, *engines = lab.processes(identity)
    for engine in engines:
        engine.send_signal(signal.SIGSTOP)
    client.stop(lab.home, identity)
    assert lab.finish(identity).status is Status.STOPPED
    assert not any(engine.is_running() for engine in engines)


def test_a_runner_that_takes_long_to_begin_is_not_missed(lab, monkeypatch):
    monkeypatch.setattr(reader, "LAUNCH_SECONDS", -1.0)
    identity = lab.start(candidates=ONE_CANDIDATE)
    *_, record = client.follow(lab.home, identity, 0.001)
    assert record.status is Status.FINISHED


def test_two_runners_for_one_experiment_are_one(lab):
    identity = lab.start("--hold")
    until(lambda: lab.reader.points(identity), "the first point")
    client.launch(lab.home, identity, lab.engine())
    until(lambda: "has a runner already" in lab.log(identity), "the second runner declines")
    runs = lab.reader.runs(identity)
    client.stop(lab.home, identity)
    assert lab.finish(identity).status is Status.STOPPED
    assert [replace(run, status=Status.STOPPED) for run in lab.reader.runs(identity)] == [
        replace(run, status=Status.STOPPED, step=now.step, seconds=now.seconds)
        for run, now in zip(runs, lab.reader.runs(identity), strict=True)
    ]


def test_commands_are_acknowledged(lab):
    identity = lab.start("--hold")
    until(lambda: lab.reader.points(identity), "the first point")
    with Writer(lab.home) as writer:
        sent = writer.send(identity, Command.PAUSE)
    until(lambda: lab.reader.acknowledged(sent), "the acknowledgement")
    client.stop(lab.home, identity)
    lab.finish(identity)


def test_a_standby_runs_what_is_handed_over_and_nothing_twice(lab):
    assert not client.Standby(lab.home, lab.engine()).hand_over("0000000")
    standby = lab.standby()
    standby.start()
    # A child between fork and exec has its parent's command line.
    until(lambda: len([one for one in family(str(lab.home)) if "--standby" in one.cmdline()]) == 1, "one standby")
    identity = client.create_and_launch(lab.home, comparison(), device="cpu", standby=standby)
    assert not standby.waiting
    assert lab.finish(identity).status is Status.FINISHED
    assert "finished" in lab.log(identity)


def test_a_standby_that_has_died_takes_nothing_over(lab):
    standby = lab.standby()
    for process in family(str(lab.home)):
        process.kill()
    until(lambda: not standby.waiting, "the standby is gone")
    assert not standby.hand_over("0000000")


def test_a_closed_standby_ends_with_its_engines(lab):
    standby = lab.standby()
    until(lambda: len(family(str(lab.home))) > 1, "its engines are there")
    left = family(str(lab.home))
    standby.close()
    until(lambda: not any(process.is_running() for process in left), "they are gone")


def test_a_standby_whose_interface_is_killed_ends_with_its_engines(lab):
    script = f"""
import sys
from pathlib import Path
from tuilab.runner.client import Standby
standby = Standby(Path({str(lab.home)!r}), {lab.engine()!r})
standby.start()
sys.stdin.read()
"""
    interface = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE)
    until(lambda: len(family(str(lab.home))) > 1, "its engines are there")
    left = family(str(lab.home))
    interface.kill()
    interface.communicate()
    until(lambda: not any(process.is_running() for process in left), "they are gone")


def test_what_cannot_be_run_is_refused_before_anything_is_written(lab):
    misfit = comparison(candidates=[{"name": "flat", "stack": "conv(3, 3)"}])
    with pytest.raises(LabError, match=r"candidate flat: layer 1: "):
        client.create_experiment(lab.home, misfit)
    with pytest.raises(LabError, match="device 'gpu' is not known"):
        client.create_experiment(lab.home, comparison(), device="gpu")
    budget = {"budget": {"rule": "at_most"}}
    with pytest.raises(LabError, match=r"candidate fixed has 42 parameters .*at most 22, as candidate tuned has"):
        client.create_experiment(lab.home, comparison(protocol=budget))
    assert lab.reader.experiments() == []


@pytest.mark.parametrize("tell", [client.stop, client.pause, client.resume])
def test_commands_to_no_experiment_are_refused(lab, tell):
    with pytest.raises(LabError, match="there is no experiment 0000000"):
        tell(lab.home, "0000000")
