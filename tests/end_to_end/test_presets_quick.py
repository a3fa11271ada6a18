"""Every shipped preset in its quick profile, by the command that a person would use, lies on the side it says."""

import json

import pytest

from tests.end_to_end.conftest import Cli
from tuilab.spec.presets import preset_names


@pytest.mark.parametrize("name", preset_names())
def test_the_quick_profile_of_a_preset_gives_the_right_sign(cli: Cli, name: str) -> None:
    done = cli("verify", name, "--profile", "quick", "--json", timeout=300)
    told = json.loads(done.stdout) if done.stdout else {"expectations": []}
    wrong = [one["sentence"] for one in told["expectations"] if one["agrees"] is not True]
    assert (done.returncode, wrong) == (0, []), done.stderr
    assert (told["status"], told["judged_by"]) == ("finished", "sign")
