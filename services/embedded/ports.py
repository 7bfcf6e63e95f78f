"""Free ports on the loopback interface, and whether somebody answers on one."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"
AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD_FRAME = b"\x01"

# Below the range from which the kernel takes ports for outgoing connections: a client that keeps calling a server which
# is down could otherwise be handed that very port, reach itself, and keep the server from coming back.
CANDIDATES = range(20_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Different ports on which nobody listens now."""
    found: list[int] = []
    for port in random.SystemRandom().sample(CANDIDATES, len(CANDIDATES)):
        if _is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise OSError("no free port on the loopback interface")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def listens(port: int) -> bool:
    """Whether connections are accepted."""
    return _exchange(port, b"", 0) is not None


def speaks_amqp(port: int) -> bool:
    """Whether the AMQP 0-9-1 header is answered with a method frame (connection.start)."""
    return _exchange(port, AMQP_HEADER, 1) == METHOD_FRAME


def _exchange(port: int, greeting: bytes, answer_bytes: int) -> bytes | None:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=2.0) as line:
            line.sendall(greeting)
            return line.recv(answer_bytes) if answer_bytes else b""
    except OSError:
        return None
