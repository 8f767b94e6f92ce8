"""A real sshd on loopback, whose keys open what `kitetui ssh-setup` says."""

from __future__ import annotations

import contextlib
import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

SSHD = shutil.which("sshd") or (
    "/usr/sbin/sshd" if Path("/usr/sbin/sshd").exists() else ""
)  # not on everybody's path


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def make_key(folder: Path, name: str) -> Path:
    """A key pair; its private half."""
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)],
                   check=True)  # fmt: skip
    return path


class Door:
    """How to come in."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port

    def ssh(self, key: Path, *options: str) -> list[str]:
        """The command line of a client with this key; what follows it is asked for."""
        return ["ssh", *options, "-i", str(key), "-p", str(self._port), "-F", "/dev/null",
                "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes",
                "-o", f"UserKnownHostsFile={self._folder / 'known'}", "-o", "LogLevel=ERROR",
                f"{getpass.getuser()}@127.0.0.1"]  # fmt: skip


@contextlib.contextmanager
def door(folder: Path, authorised: str) -> Iterator[Door]:
    """An sshd that knows these lines of authorized_keys."""
    host = make_key(folder, "host")
    keys = folder / "authorized_keys"
    keys.write_text(authorised)
    keys.chmod(0o600)
    port = free_port()
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host}\nAuthorizedKeysFile {keys}\n"
        f"PidFile {folder / 'sshd.pid'}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nPermitUserEnvironment no\nPermitRootLogin yes\n"
        "DisableForwarding yes\nClientAliveInterval 15\nClientAliveCountMax 3\n"
        "Subsystem sftp internal-sftp\n"
    )
    with contextlib.suppress(OSError):
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    log = (folder / "sshd.log").open("wb")
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=log)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        else:
            raise AssertionError((folder / "sshd.log").read_text())
        yield Door(folder, port)
    finally:
        process.terminate()
        process.wait(10)
        log.close()
