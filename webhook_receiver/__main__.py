"""python -m webhook_receiver: start the letterbox. Settings come from the environment; a missing one stops the start.

Exit codes: 0 stopped as asked, 75 the broker cannot be reached, 78 wrong settings.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys

from aiohttp import web

from services.clock import SystemClock
from services.hints import QueueUnavailable
from services.queue.publisher import open_publisher
from services.settings import EXIT_CONFIG, ReceiverSettings, SettingsError, read_settings
from services.telemetry import configure_logging, log
from webhook_receiver.app import create_app, create_internal_app
from webhook_receiver.intake import Intake
from webhook_receiver.patience import KEEP_ALIVE_S, Patience

EXIT_UNAVAILABLE = 75
FINISH_WITHIN_S = 10.0
CUT_WITHIN_S = 5.0
CLOSE_WITHIN_S = 3.0
"""A stop takes at most the sum of the three: requests in hand, connections that stay open, the broker."""
LINGER_S = 2.0
"""How long the rest of a body is read that was answered early, so that the sender can read the answer."""


async def serve(settings: ReceiverSettings, stop: asyncio.Event) -> None:
    """Answer requests until told to stop; those in hand are finished."""
    clock = SystemClock()
    publisher = await open_publisher(
        settings.amqp_url.get_secret_value(), prefix=settings.queue_prefix, timeout_s=settings.publish_timeout_s
    )
    patience = Patience(clock)
    hooks = create_app(Intake(settings, publisher, clock), patience)
    runner = web.AppRunner(
        hooks,
        access_log=None,
        keepalive_timeout=KEEP_ALIVE_S,
        lingering_time=LINGER_S,
        shutdown_timeout=CUT_WITHIN_S,
        auto_decompress=False,
    )
    internal = web.AppRunner(create_internal_app(publisher, stop.is_set), access_log=None)
    await internal.setup()
    await web.TCPSite(internal, settings.host, settings.internal_port).start()
    await runner.setup()
    site = web.TCPSite(runner, settings.host, settings.port)
    await site.start()
    print(f"listening on http://{settings.host}:{runner.addresses[0][1]}", flush=True)
    print(f"internal pages on http://{settings.host}:{internal.addresses[0][1]}", flush=True)
    assert runner.server is not None
    sweeping = asyncio.create_task(patience.keep_sweeping(runner.server))
    await stop.wait()
    log.info("stopping")
    # A server that shuts down reads no more bodies, so requests in hand are finished before.
    await site.stop()
    await patience.all_answered(FINISH_WITHIN_S)
    await runner.cleanup()
    sweeping.cancel()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_WITHIN_S):
            await publisher.close()
    await internal.cleanup()


async def main() -> None:
    """Read the settings, serve, and end on SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, _stop, name, stop)
    await serve(read_settings(ReceiverSettings), stop)


def _stop(name: signal.Signals, stop: asyncio.Event) -> None:
    """The first signal stops in good order, a second one at once."""
    stop.set()
    asyncio.get_running_loop().remove_signal_handler(name)


if __name__ == "__main__":
    configure_logging()
    try:
        asyncio.run(main())
    except SettingsError as error:
        print(f"The settings are not complete:\n{error}", file=sys.stderr)
        sys.exit(EXIT_CONFIG)
    except QueueUnavailable as error:
        print(f"{error}. Check AMQP_URL and that RabbitMQ is running.", file=sys.stderr)
        sys.exit(EXIT_UNAVAILABLE)
