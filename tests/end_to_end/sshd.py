"""An OpenSSH server of our own on the loopback, with keys that nobody else has."""

import contextlib
import getpass
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

PROGRAMS = ("sshd", "ssh", "ssh-keygen")
_SYSTEM_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/sbin"))
_SEPARATION = Path("/run/sshd")
"""Where sshd keeps a child without rights, when it runs as root."""


def missing_program() -> str | None:
    """The first of the programs needed that this machine lacks."""
    return next((name for name in PROGRAMS if _program(name) is None), None)


def _program(name: str) -> str | None:
    return shutil.which(name, path=_SYSTEM_PATH)


class Sshd:
    """One server; it lets in whoever has the key that it made."""

    def __init__(self, folder: Path) -> None:
        """Make keys and a configuration in ``folder``, and start the server."""
        self._folder = folder
        folder.mkdir(mode=0o700)
        for name in ("host_key", "user_key"):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
        shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
        if os.geteuid() == 0:
            _SEPARATION.mkdir(mode=0o755, exist_ok=True)
        self.port = _free_port()
        self._process = self._start()
        self._wait_until_it_listens()

    def _start(self) -> subprocess.Popen[bytes]:
        lines = (
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self._folder / 'host_key'}",
            f"AuthorizedKeysFile {self._folder / 'authorized_keys'}",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "StrictModes no",
            "UsePAM no",
            "PidFile none",
            "PrintMotd no",
            "AcceptEnv LANG LC_* COLORTERM NO_COLOR",
        )
        settings = self._folder / "sshd_config"
        settings.write_text("\n".join(lines) + "\n")
        with (self._folder / "sshd.log").open("wb") as log:
            # sshd starts itself again for every connection, which needs its full path.
            return subprocess.Popen([str(_program("sshd")), "-D", "-e", "-f", str(settings)], stdin=-3, stderr=log)

    def _wait_until_it_listens(self) -> None:
        end = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert self._process.poll() is None, f"sshd does not start: {self.log}"
            assert time.monotonic() < end, f"sshd does not listen: {self.log}"

    @property
    def log(self) -> str:
        """What the server has said."""
        return (self._folder / "sshd.log").read_text(errors="replace")

    def client(self, remote: Sequence[str], environment: Mapping[str, str], port: int | None = None) -> list[str]:
        """The command that runs another one on the far side, in a terminal there.

        Args:
            remote: command and arguments.
            environment: set on the far side; TERM comes from the near one, as it does for everybody.
            port: where to connect; by default to this server.

        """
        options = {
            "Port": str(port or self.port),
            "IdentityFile": str(self._folder / "user_key"),
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": os.devnull,
            "LogLevel": "ERROR",
        }
        named = [f"{name}={value}" for name, value in environment.items()]
        return [
            *(str(_program("ssh")), "-tt", "-F", "none"),
            *(part for name, value in options.items() for part in ("-o", f"{name}={value}")),
            f"{getpass.getuser()}@127.0.0.1",
            shlex.join(["env", *named, *remote]),
        ]

    def drop(self) -> None:
        """Cut every connection, as a dead line does for a server that notices: the server's side of each is killed."""
        for process in psutil.Process(self._process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name().startswith("sshd"):
                    process.kill()

    def close(self) -> None:
        """End the server and what it serves."""
        self.drop()
        self._process.kill()
        self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def _run(name: str, *arguments: str) -> None:
    subprocess.run([str(_program(name)), *arguments], check=True, stdin=subprocess.DEVNULL)
