"""`kitetui service`: units for systemd; the engine runs from boot and comes back by itself."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from kitetui.cli.options import EXIT_CONFIG, fail
from kitetui.tools.ssh_setup import program

VIEW, OPERATE = "kitetui-view", "kitetui-op"
_NEVER_AGAIN = "73 77 78"
"""Exit codes that starting again would not mend: it runs already, login, config."""
_UNIT = """\
[Unit]
Description=kitetui: the engine, without a screen
After=network-online.target time-sync.target
Wants=network-online.target
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=2
RestartPreventExitStatus={never}
TimeoutStartSec=60
TimeoutStopSec=30
WatchdogSec=15
UMask=0077
LimitNOFILE=4096
MemoryMax=2G
TasksMax=128
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
SystemCallArchitectures=native
{more}
[Install]
WantedBy={wanted}
"""
_SYSTEM = f"""\
User=kitetui
Group=kitetui
SupplementaryGroups={VIEW} {OPERATE}
StateDirectory=kitetui
StateDirectoryMode=0700
RuntimeDirectory=kitetui
RuntimeDirectoryMode=0750
RuntimeDirectoryPreserve=restart
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome={{home}}
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
ProtectProc=invisible
ProcSubset=pid
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RemoveIPC=yes
KeyringMode=private
DevicePolicy=closed
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources @mount @debug @obsolete
SystemCallFilter=@chown
SystemCallErrorNumber=EPERM
"""
_SYSTEM_HOW = f"""\
# As root, once:
#   groupadd --system {VIEW}; groupadd --system {OPERATE}
#   useradd --system --user-group --home-dir /var/lib/kitetui --groups {VIEW},{OPERATE} kitetui
#   kitetui service print > /etc/systemd/system/kitetui.service
#   systemctl daemon-reload && systemctl enable --now kitetui
# Each morning (or from anywhere, over SSH):
#   sudo -u kitetui kitetui login --state /var/lib/kitetui
# Who may look, and who may acknowledge as well:
#   usermod -aG {VIEW} asha; usermod -aG {VIEW},{OPERATE} ravi
#   kitetui attach --run /run/kitetui
"""


def unit(*, user: bool, arguments: Sequence[str] = ()) -> str:
    """A unit file; for the user's own manager, or for the system's."""
    called = program()
    if user:
        command = shlex.join([called, "--headless", *arguments])
        return _UNIT.format(command=command, more="", never=_NEVER_AGAIN, wanted="default.target")
    groups = [part for key, name in (("view_group", VIEW), ("operate_group", OPERATE))
              for part in ("--set", f"attach.{key}={name}")]  # fmt: skip
    command = shlex.join([called, "--headless", "--state", "/var/lib/kitetui", *groups, *arguments])
    # A program below /home, as pipx puts it, must stay readable.
    home = "read-only" if called.startswith(("/home/", "/root/")) else "yes"
    return _UNIT.format(command=command, more=_SYSTEM.format(home=home), never=_NEVER_AGAIN,
                        wanted="multi-user.target")  # fmt: skip


def print_unit(*, user: bool, arguments: Sequence[str]) -> int:
    """Print a unit file, and how it is installed; the exit code."""
    if not user:
        click.echo(_SYSTEM_HOW)
    click.echo(unit(user=user, arguments=arguments), nl=False)
    return 0


def install(arguments: Sequence[str]) -> int:
    """Write the user's unit; the exit code."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    path = Path(base) / "systemd" / "user" / "kitetui.service"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".fresh")
        fresh.write_text(unit(user=True, arguments=arguments))
        fresh.replace(path)
    except OSError as error:
        fail(EXIT_CONFIG, f"{path}: cannot be written: {error.strerror}")
    click.echo(f"{path} is written. Then:\n"
               "  systemctl --user daemon-reload && systemctl --user enable --now kitetui\n"
               "  loginctl enable-linger      # it goes on when you log out\n"
               "  kitetui attach              # the screen\n"
               "  journalctl --user -u kitetui -f")  # fmt: skip
    return 0


def uninstall() -> int:
    """Remove the user's unit, and say what stays; the exit code."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    path = Path(base) / "systemd" / "user" / "kitetui.service"
    if not path.exists():
        fail(1, f"{path} is not there")
    path.unlink()
    click.echo(f"{path} is removed; stop the engine with: systemctl --user stop kitetui\n"
               "What it recorded stays in its state folder.")  # fmt: skip
    return 0
