"""What torch knows of this machine, asked in a process of its own: importing it here would take seconds and memory."""

import json
import subprocess
import sys

from tuilab.cli.output import Json
from tuilab.runner.slots import check_device, devices_for

_ASK = """import json, torch
print(json.dumps({"devices": ["cpu"] + [f"cuda:{i} {torch.cuda.get_device_name(i)}"
    for i in range(torch.cuda.device_count())], "threads": torch.get_num_threads(), "cuda": torch.version.cuda}))"""
_LIMIT = 60
"""Seconds that importing torch may take before we go on without it."""


def torch_facts() -> dict[str, Json]:
    """Its devices, a list of names; its threads, and the version of CUDA. Devices are a sentence where it is silent."""
    try:
        answer = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _ASK],
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=True,
        )
        facts: dict[str, Json] = json.loads(answer.stdout)
    except subprocess.TimeoutExpired:
        return {"devices": f"unknown: importing torch took more than {_LIMIT} s"}
    except (subprocess.CalledProcessError, ValueError) as error:
        said = getattr(error, "stderr", "") or str(error)
        return {"devices": f"unknown: torch does not start: {said.strip().splitlines()[-1]}"}
    return facts


def refuse_missing(device: str) -> None:
    """Refuse a CUDA device that this machine has not, before anything is remembered.

    Raises:
        LabError: when it is no name of a device, or torch sees no such device.

    """
    check_device(device)
    if device.startswith("cuda"):
        known = torch_facts()["devices"]
        if isinstance(known, list):
            devices_for(device, tuple(map(str, known[1:])), worth_a_gpu=True)
