"""python -m services.embedded -- command: a command cannot tell that it was launched, except by two variables."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.embedded.traces import becomes_true

OWN_SERVERS = {"DATABASE_URL": "postgresql://elsewhere", "AMQP_URL": "amqp://elsewhere"}
LAUNCH = [sys.executable, "-m", "services.embedded", "--"]
WAITING = "trap 'exit 41' INT; trap 'exit 42' TERM; echo $$; while :; do sleep 0.02; done"


def launch(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LAUNCH, *command], env={**os.environ, **OWN_SERVERS}, capture_output=True, text=True, check=False
    )


def launch_waiting() -> subprocess.Popen[str]:
    environment = {**os.environ, **OWN_SERVERS}
    return subprocess.Popen([*LAUNCH, "sh", "-c", WAITING], env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("command", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_the_exit_code_is_the_commands(command: str, code: int) -> None:
    assert launch("sh", "-c", command).returncode == code


def test_servers_that_are_named_already_are_used() -> None:
    assert launch("sh", "-c", "echo $DATABASE_URL $AMQP_URL").stdout == "postgresql://elsewhere amqp://elsewhere\n"


def test_options_behind_the_dashes_belong_to_the_command() -> None:
    assert launch("echo", "--durable", "-x").stdout == "--durable -x\n"


def test_a_command_that_does_not_exist_is_said_in_one_line() -> None:
    answer = launch("no-such-command")

    assert answer.returncode == 127
    assert answer.stderr == "no-such-command: No such file or directory\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 41), (signal.SIGTERM, 42)])
def test_a_signal_is_handed_on(number: signal.Signals, code: int) -> None:
    with launch_waiting() as launcher:
        assert launcher.stdout
        launcher.stdout.readline()

        launcher.send_signal(number)

        assert launcher.wait(20.0) == code


def test_the_command_is_asked_to_end_when_the_launcher_is_killed() -> None:
    with launch_waiting() as launcher:
        assert launcher.stdout
        command = Path("/proc") / launcher.stdout.readline().strip()

        launcher.kill()

        assert becomes_true(lambda: not command.exists())
