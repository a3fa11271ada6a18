"""What is sent with a report of a fault says what happened, and not to whom."""

import getpass
import io
import json
import zipfile
from dataclasses import replace

import pytest

from tests.unit.store_values import COMPARISON, points_of
from tuilab.spec.preset_file import loads
from tuilab.spec.task import Csv
from tuilab.store.bundle import bundle
from tuilab.store.home import log_file
from tuilab.store.reader import Reader
from tuilab.store.records import NewRun, Phase, Progress, Status
from tuilab.store.writer import Writer


@pytest.fixture
def person(tmp_path, monkeypatch):
    """A user called ada, whose home is in a temporary folder."""
    home = tmp_path / "home" / "ada"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.setattr("platform.node", lambda: "analytical.engine.example")
    assert getpass.getuser() == "ada"
    return home


def contents(lab, comparison):
    """The files of the bundle of an experiment that has run, by name."""
    with Writer(lab) as writer, Reader(lab) as reader:
        identity = writer.create_experiment(comparison, source=str(lab.parent / "deep.yaml"))
        (run,) = writer.add_runs(identity, [NewRun(0, Phase.FINAL, 0, 0.1)])
        message = f"cannot read {lab.parent}/houses.csv"
        writer.write(identity, points_of(run.id, range(3)), progress=Progress(Status.FAILED, message))
        writer.write(identity, runs=[replace(run, status=Status.FAILED, reason="asked by ada on analytical")])
        writer.set_environment(identity, {"torch": "2.13.0", "system": "Linux on analytical.engine.example"})
        log_file(lab, identity).write_text(f"Traceback: File {lab.parent}/x.py\nhello ada, not adamant\n")
        archive = bundle(reader, reader.find(identity), {"tuilab": "1.0"})
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        assert all(name.startswith(f"tuilab-{identity}/") for name in file.namelist())
        return {name.partition("/")[2].replace(identity, "ID"): file.read(name).decode() for name in file.namelist()}


def test_a_bundle_has_log_preset_environment_runs_and_versions(person):
    found = contents(person / "lab", COMPARISON)
    assert set(found) == {
        "ID.log",
        "environment.json",
        "experiment.json",
        "preset.yaml",
        "runs.json",
        "versions.json",
    }
    assert loads(found["preset.yaml"]) == COMPARISON
    assert json.loads(found["runs.json"])[0]["status"] == "failed"
    assert json.loads(found["versions.json"]) == {"tuilab": "1.0"}
    assert json.loads(found["environment.json"])["torch"] == "2.13.0"
    assert json.loads(found["experiment.json"])["message"] == "cannot read ~/houses.csv"


def test_a_bundle_names_no_home_user_machine_or_file_of_data(person):
    task = Csv(path=str(person.parent / "secret project" / "houses.csv"), target="price")
    found = contents(person / "lab", COMPARISON.model_copy(update={"task": task}))
    for text in found.values():
        for private in (str(person), "secret project", "analytical", str(person.parent)):
            assert private not in text
    assert found["ID.log"] == "Traceback: File ~/x.py\nhello someone, not adamant\n"
    assert "path: houses.csv" in found["preset.yaml"]
