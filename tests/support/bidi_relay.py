"""Run Firefox and relay its WebDriver BiDi: `python -m tests.support.bidi_relay FIREFOX [ARGUMENTS]`.

Playwright sends each new context a command that the releases of Firefox do not know yet, and gives the context up on
the error. The relay answers this command itself. All other messages pass unchanged.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from typing import Any

import aiohttp
from aiohttp import web

# Emulates the colour scheme. Tests choose it by the preferences of Firefox or in the settings of the page.
_UNKNOWN = "emulation.setMediaFeaturesOverride"
_LISTENING = re.compile(rb"(?<=WebDriver BiDi listening on )ws://\S+")


async def main(command: list[str]) -> int:
    """Run Firefox until it ends, and return its exit code."""
    firefox = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, firefox.terminate)
    assert firefox.stderr is not None
    runner: web.AppRunner | None = None
    async for line in firefox.stderr:
        found = _LISTENING.search(line)
        if found:
            runner = await _listen(found[0].decode())
            host, port = runner.addresses[0]
            line = line.replace(found[0], f"ws://{host}:{port}".encode())  # noqa: PLW2901
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
    code = await firefox.wait()
    if runner is not None:
        await runner.cleanup()
    return code


async def _listen(browser: str) -> web.AppRunner:
    async def relay(request: web.Request) -> web.WebSocketResponse:
        driver = web.WebSocketResponse(max_msg_size=0)
        await driver.prepare(request)
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(browser + request.path, max_msg_size=0) as firefox,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(_to_driver(firefox, driver))
            tasks.create_task(_to_browser(driver, firefox))
        return driver

    app = web.Application()
    app.router.add_get("/{path:.*}", relay)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner


async def _to_driver(firefox: aiohttp.ClientWebSocketResponse, driver: web.WebSocketResponse) -> None:
    async for message in firefox:
        await driver.send_str(message.data)
    await driver.close()


async def _to_browser(driver: web.WebSocketResponse, firefox: aiohttp.ClientWebSocketResponse) -> None:
    async for message in driver:
        command: dict[str, Any] = json.loads(message.data)
        if command["method"] == _UNKNOWN:
            await driver.send_json({"type": "success", "id": command["id"], "result": {}})
        else:
            await firefox.send_str(message.data)
    await firefox.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
