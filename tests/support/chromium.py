"""A headless Chromium, spoken to by its DevTools protocol: what does a page look like, and in which fonts?"""

import asyncio
import base64
import contextlib
import json
import shutil
from pathlib import Path

import aiohttp

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")


class Chromium:
    """`async with Chromium(url, folder) as page`."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder, self._count = url, folder, 0

    async def __aenter__(self):
        self._process = await asyncio.create_subprocess_exec(
            PROGRAM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=800,480",
            "--remote-debugging-port=0",
            f"--user-data-dir={self._folder}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        port_file = self._folder / "DevToolsActivePort"
        async with asyncio.timeout(60):
            while not port_file.exists() or not port_file.read_text().strip():  # noqa: ASYNC110 - another process's file
                await asyncio.sleep(0.05)
        port = port_file.read_text().split()[0]
        self._session = aiohttp.ClientSession()
        async with self._session.put(f"http://127.0.0.1:{port}/json/new?about:blank") as answer:
            target = await answer.json()
        self._socket = await self._session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=64 << 20)
        for domain in ("Page", "DOM", "CSS", "Runtime"):
            await self.ask(f"{domain}.enable")
        await self.ask("Page.navigate", url=self._url)
        return self

    async def __aexit__(self, *_):
        await self._socket.close()
        await self._session.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        await self._process.wait()

    async def ask(self, method, **params):
        self._count += 1
        await self._socket.send_json({"id": self._count, "method": method, "params": params})
        async with asyncio.timeout(30):
            while True:
                said = json.loads((await self._socket.receive()).data)
                if said.get("id") == self._count:
                    assert "error" not in said, said
                    return said["result"]

    async def value(self, expression):
        found = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    async def until(self, expression):
        async with asyncio.timeout(30):
            while not await self.value(expression):  # noqa: ASYNC110 - the browser tells by being asked
                await asyncio.sleep(0.05)

    async def fonts(self, selector):
        """Family → glyphs drawn with it."""
        root = (await self.ask("DOM.getDocument"))["root"]["nodeId"]
        node = (await self.ask("DOM.querySelector", nodeId=root, selector=selector))["nodeId"]
        found = (await self.ask("CSS.getPlatformFontsForNode", nodeId=node))["fonts"]
        return {font["familyName"]: font["glyphCount"] for font in found}

    async def screenshot(self, file: Path):
        data = base64.b64decode((await self.ask("Page.captureScreenshot", format="png"))["data"])
        await asyncio.to_thread(file.write_bytes, data)
        return data
