"""python -m services.sandbox hubspot|falcana [options]: one of the two systems over HTTP on loopback."""

from __future__ import annotations

import argparse
import asyncio
import signal
from importlib import import_module

from aiohttp import web

SYSTEMS = ("hubspot", "falcana")


async def serve(app: web.Application, host: str, port: int) -> None:
    """Serve until asked to stop; says where when it is ready."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    print(f"listening on http://{host}:{runner.addresses[0][1]}", flush=True)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await stop.wait()
    await runner.cleanup()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m services.sandbox", description=__doc__)
    choice = parser.add_subparsers(dest="system", required=True)
    modules = {name: import_module(f"services.sandbox.{name}.app") for name in SYSTEMS}
    for name, module in modules.items():
        options = choice.add_parser(name, help=(module.__doc__ or "").splitlines()[0])
        options.add_argument("--host", default="127.0.0.1")
        options.add_argument("--port", type=int, default=0)
        module.add_arguments(options)
    arguments = parser.parse_args()
    module = modules[arguments.system]
    asyncio.run(serve(module.create_app(module.settings_from(arguments)), arguments.host, arguments.port))


if __name__ == "__main__":
    main()
