"""Run a command with a private Postgres and RabbitMQ: python -m services.embedded [--durable] -- command args...

Whichever of DATABASE_URL and AMQP_URL is set already is respected and its server not started. The exit code is the
command's (128 + n when signal n ended it); 69 when a server cannot be had.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from services.embedded.faults import EmbeddedUnavailable
from services.embedded.launch import embedded_services

EXIT_UNAVAILABLE = 69
PR_SET_PDEATHSIG = 1
FORWARDED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_libc = ctypes.CDLL(None)


def main(arguments: Sequence[str]) -> int:
    """Start what is missing, run the command, end everything."""
    options = _parse(arguments)
    wanted = {name: not os.environ.get(name) for name in ("DATABASE_URL", "AMQP_URL")}
    try:
        with embedded_services(
            postgres=wanted["DATABASE_URL"], rabbitmq=wanted["AMQP_URL"], durable=options.durable
        ) as urls:
            private = {"DATABASE_URL": urls.database_url, "AMQP_URL": urls.amqp_url}
            environment = {name: value for name, value in private.items() if value}
            return run(options.command, {**os.environ, **environment})
    except EmbeddedUnavailable as error:
        print(error, file=sys.stderr)
        return EXIT_UNAVAILABLE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def run(command: Sequence[str], environment: dict[str, str]) -> int:
    """Run a command to its end, handing on the signals that ask us to end."""
    watched = FORWARDED | {signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    try:
        child = subprocess.Popen(command, env=environment, preexec_fn=lambda: _as_child(before))
        while child.poll() is None:
            _hand_on(signal.sigwaitinfo(watched), child)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _hand_on(received: signal.struct_siginfo, child: subprocess.Popen[bytes]) -> None:
    """Signals sent by a process are passed on; Ctrl-C comes from the kernel and has reached the child already."""
    if received.si_signo != signal.SIGCHLD and received.si_code <= 0:
        child.send_signal(received.si_signo)


def _as_child(mask: set[int | signal.Signals]) -> None:
    """The command hears all signals, and is asked to end when this process is killed."""
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.embedded", description=__doc__)
    parser.add_argument("--durable", action="store_true", help="let Postgres write to the disk before it says done")
    parser.add_argument("command", nargs="+", help="the command and its arguments, after --")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
