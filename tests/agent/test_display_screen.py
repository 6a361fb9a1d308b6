"""The page as a kiosk shows it: a real browser draws a real warning, in Chinese, in its colour."""

import asyncio
import os
import shutil
import struct
import subprocess
import zlib

import pytest

from drivers.api import Action, Verdict
from tests.agent.test_display import Display, actuator, monotonic
from tests.support.chromium import PROGRAM, Chromium
from tests.support.until import until


def _chinese_fonts():
    if shutil.which("fc-list") is None:
        return ""
    return subprocess.run(["fc-list", ":lang=zh-cn"], capture_output=True, text=True, check=False).stdout


MISSING = "" if PROGRAM else "chromium is not installed (Debian package chromium)"
MISSING = MISSING or ("" if _chinese_fonts() else "no Chinese font is installed (Debian package fonts-noto-cjk)")
pytestmark = pytest.mark.skipif(bool(MISSING) and os.environ.get("CI") != "true", reason=MISSING)

TEXT = "红色山洪预警，请立即转移到安全地点。榆树村以下河段水位上涨。"


def pixel(png, x, y):
    """(red, green, blue) of one pixel of an 8-bit PNG without interlace (W3C PNG §9.2 for the filters)."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert (depth, kind) in ((8, 2), (8, 6))
    size = 3 if kind == 2 else 4
    data, at = b"", 8
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at : at + 8])
        if name == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += 12 + length
    rows, above = zlib.decompress(data), bytearray(width * size)
    assert y < height
    for row in range(y + 1):
        begin = row * (width * size + 1)
        above = unfiltered(rows[begin], bytearray(rows[begin + 1 : begin + 1 + width * size]), above, size)
    return tuple(above[x * size : x * size + 3])


def unfiltered(kind, line, above, size):
    for n in range(len(line)):
        left = line[n - size] if n >= size else 0
        corner = above[n - size] if n >= size else 0
        line[n] = (line[n] + (0, left, above[n], (left + above[n]) // 2, paeth(left, above[n], corner))[kind]) & 0xFF
    return line


def paeth(left, above, corner):
    guess = left + above - corner
    return min((abs(guess - left), 0, left), (abs(guess - above), 1, above), (abs(guess - corner), 2, corner))[2]


def test_a_kiosk_shows_the_warning_in_its_colour_and_in_chinese(tmp_path):
    async def main():
        async with Display(tmp_path) as display, Chromium(display.url, tmp_path / "browser") as browser:
            board, said = actuator(display, place="榆树村"), []
            assert (await board.probe()).verdict is Verdict.DONE
            await browser.until("document.getElementById('text').textContent === '当前无预警'")
            action = Action("display", text=TEXT, level="red", key="a1", area="浙江省 江北区")
            task = asyncio.create_task(board.perform(action, monotonic() + 90, said.append))
            await until(lambda: said)
            assert said[0].evidence == {"pages": 1, "drawn": True}
            await browser.until("document.body.className === 'red'")
            assert await browser.value("document.getElementById('text').textContent") == TEXT
            assert await browser.value("document.getElementById('area').textContent") == "浙江省 江北区"
            assert await browser.value("document.getElementById('place').textContent") == "榆树村"
            assert (await browser.value("document.getElementById('left').textContent")).startswith("剩余时间 1:")
            fonts = await browser.fonts("#text")
            chinese = _chinese_fonts()
            assert sum(count for family, count in fonts.items() if family in chinese) >= len(TEXT) - 2, fonts
            overflows = "document.getElementById('text').scrollHeight > document.getElementById('text').clientHeight"
            assert not await browser.value(overflows)
            png = await browser.screenshot(tmp_path / "warning.png")
            assert pixel(png, 2, 2) == (200, 0, 30)
            await board.silence()
            await task
            await browser.until("document.body.className === 'idle'")

    asyncio.run(main())


def test_hostile_text_stays_text_and_a_long_one_fits(tmp_path):
    async def main():
        async with Display(tmp_path) as display, Chromium(display.url, tmp_path / "browser") as browser:
            board = actuator(display)
            hostile = "<img src=x onerror=document.title='taken'><script>document.title='taken'</script>" + "洪" * 400
            action = Action("display", text=hostile, level="yellow", exercise=True, key="a1", area="<b>" + "慈" * 400)
            task = asyncio.create_task(board.perform(action, monotonic() + 90, lambda _: None))
            await browser.until("document.body.className === 'yellow'")
            assert await browser.value("document.getElementById('text').textContent") == hostile
            assert await browser.value("document.querySelectorAll('main *').length") == 0
            assert (await browser.value("document.getElementById('area').textContent")).startswith("<b>慈")
            assert "taken" not in await browser.value("document.title")
            assert await browser.value("document.getElementById('exercise').textContent") == "演练"
            assert not await browser.value("document.getElementById('exercise').hidden")
            overflows = "document.getElementById('text').scrollHeight > document.getElementById('text').clientHeight"
            assert not await browser.value(overflows)
            await browser.screenshot(tmp_path / "long.png")
            task.cancel()
            await asyncio.wait({task})

    asyncio.run(main())


def test_the_screen_says_that_the_display_program_is_gone(tmp_path):
    async def main():
        async with Display(tmp_path) as display, Chromium(display.url, tmp_path / "browser") as browser:
            board = actuator(display)
            action = Action("display", text=TEXT, level="orange", key="a1")
            task = asyncio.create_task(board.perform(action, monotonic() + 8, lambda _: None))
            await browser.until("document.body.className === 'orange'")
            display.kill()
            await display.process.wait()
            await browser.until("document.body.className === 'orange lost'")
            assert await browser.value("document.getElementById('link').textContent") == "显示程序没有应答"
            await browser.until("document.body.className === 'idle lost'")
            task.cancel()
            await asyncio.wait({task})

    asyncio.run(main())
