"""A desk at which a guide is walked: a folder, simulated devices at the ports it names, a broker, an agent in the background."""

import asyncio
import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from unittest import mock

from agent import cli, say
from agent.cli.common import DEFAULT_CONFIG
from drivers.simulated.__main__ import make_unit
from drivers.simulated.modbus import PtyBus, TcpBus
from drivers.simulated.playback import PtyPlayer
from tests.support import guides
from tests.support.broker import Broker
from tests.support.certs import DAY, Authority
from tests.support.tree import ROOT

ADDRESS = "mqtts://mqtt.example.org:8883"
LOCALES = {"en": "C.UTF-8", "zh": "zh_CN.UTF-8"}
# These only look: until their output is as shown, they are asked again, for an agent needs a moment.
LOOKING = {"status", "watch", "doctor", "read", "trust"}
WITHIN = 30.0  # seconds
SERVICE = {"sudo systemctl enable --now fengsui", "sudo systemctl restart fengsui"}


class Devices:
    """Simulated devices, in a loop of their own thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stack = contextlib.AsyncExitStack()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._here(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def port(self, what: str, *, network: bool) -> str:
        """A pseudo-terminal with `1=profile:NAME 2=relay …` or `nmea FILE` on it, its path; or a Modbus TCP port, its URL."""
        return self._here(self._open(what, network=network))

    async def _open(self, what: str, *, network: bool) -> str:
        kind, _, file = what.partition(" ")
        if kind == "nmea":
            return (await self._stack.enter_async_context(PtyPlayer(ROOT / file))).path
        units = [make_unit(one, 1.0) for one in what.split()]
        if network:
            return (await self._stack.enter_async_context(TcpBus(units))).url
        return (await self._stack.enter_async_context(PtyBus(units))).path

    def _here(self, what):
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(WITHIN)


class Desk:
    """`real` says where what the guide names is here; files are in the folder in which commands run."""

    def __init__(self, folder: Path, language: str, real: dict[str, str]) -> None:
        self.folder, self.language = folder, language
        self.real = {
            "/etc/fengsui": str(folder),
            "/var/lib/fengsui": f"{folder}/state",
            "/run/fengsui": str(folder),
        } | real
        self.code = 0
        self._behind: list[subprocess.Popen[bytes]] = []

    def here(self, text: str) -> str:
        for shown, real in self.real.items():
            text = text.replace(shown, real)
        return text

    def there(self, text: str) -> str:
        for shown, real in sorted(self.real.items(), key=lambda pair: -len(pair[1])):
            text = text.replace(real, shown)
        return text

    def keep(self, name: str, text: str) -> None:
        """A file of the guide, put together with what it has of it already. `"…"` are the public halves of the keys that
        the comment on the line names.
        """
        file = self.folder / Path(self.here(name)).name
        file.write_text((file.read_text("utf-8") if file.exists() else "") + self.here(self._filled(text)), "utf-8")
        if name.endswith(".credentials"):
            file.chmod(0o600)

    def _filled(self, text: str) -> str:
        from agent.keys import load_key

        def line(match: re.Match[str]) -> str:
            keys = [
                load_key(self.folder / name).public_key().public_bytes_raw().hex()
                for name in re.findall(r"\w+\.pem", match[2])
            ]
            return re.sub("…", lambda _: keys.pop(0), match[1]) + match[2]

        return re.sub(r"^(.*\"…\".*)(#.*\.pem.*)$", line, text, flags=re.MULTILINE)

    def do(self, step: guides.Step) -> str:
        """What the command prints; one that only looks is asked again until that is what is shown."""
        until = time.monotonic() + WITHIN
        while True:
            printed = self.there(self._run(step.command))
            looking = self._behind and any(f" {verb}" in step.command for verb in LOOKING)
            as_shown = guides.matches(step.shown, printed) if step.shown else self.code != cli.NO_AGENT
            if not looking or as_shown or time.monotonic() > until:
                return printed
            time.sleep(0.2)

    def _run(self, command: str) -> str:
        if command == "echo $?":
            return f"{self.code}\n"
        if command in SERVICE:
            self.clear()
            return self._start(["run"])
        words = [name for word in shlex.split(self.here(command)) for name in self._names(word)]
        assert words[0] in ("fengsui", "fs"), f"{command}: not one of ours"
        if words[-1] == "&":
            return self._start(words[1:-1])
        return self._call(self._configured(words[1:]))

    def _names(self, word: str) -> list[str]:
        """As the shell does with `*`."""
        found = sorted(str(file.relative_to(self.folder)) for file in self.folder.glob(word)) if "*" in word else []
        return found or [word]

    def _configured(self, arguments: list[str]) -> list[str]:
        usual = getattr(cli.parser(arguments).parse_args(arguments), "config", None) == Path(DEFAULT_CONFIG)
        return [*arguments, "--config", str(self.folder / "station.toml")] if usual else arguments

    def _call(self, arguments: list[str]) -> str:
        said = io.TextIOWrapper(io.BytesIO(), "utf-8")
        with (
            contextlib.chdir(self.folder),
            self._speaking(),
            mock.patch("sys.stdin", io.StringIO()),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            self.code = cli.main(["--lang", self.language, *arguments])
        said.seek(0)
        return said.read()

    @contextlib.contextmanager
    def _speaking(self) -> Iterator[None]:
        with mock.patch.dict(os.environ, LC_ALL=LOCALES[self.language]):
            try:
                yield
            finally:
                say.choose("en")

    def _start(self, arguments: list[str]) -> str:
        with (self.folder / "behind.log").open("ab") as log:
            self._behind.append(
                subprocess.Popen(
                    [sys.executable, "-m", "agent.cli", *self._configured(arguments)],
                    cwd=self.folder,
                    env={**os.environ, "LC_ALL": LOCALES[self.language], "PYTHONPATH": str(ROOT)},
                    stdout=log,
                    stderr=log,
                )
            )
        return ""

    def clear(self) -> None:
        """End what runs in the background."""
        while self._behind:
            process = self._behind.pop()
            process.terminate()
            process.wait(WITHIN)


@contextlib.contextmanager
def desk(text: str, language: str) -> Iterator[Desk]:
    """A desk with what the guide `text` asks for."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))  # short: a socket's path has 107 bytes
        devices, real = stack.enter_context(Devices()), {}
        for port, what in guides.PORT.findall(text):
            real[port] = devices.port(what, network=port.startswith("tcp:"))
            if not port.startswith("tcp:"):  # a name that is as short as that of the guide
                (folder / Path(port).name).symlink_to(real[port])
                real[port] = str(folder / Path(port).name)
        if guides.BROKER.search(text):
            real[ADDRESS] = stack.enter_context(_broker(folder)).url
        made = Desk(folder, language, real)
        stack.callback(made.clear)
        yield made


def _broker(folder: Path) -> Broker:
    authority = Authority(folder / "platform")
    pair = authority.issue("localhost", ends=365 * DAY)
    shutil.copy(authority.ca, folder / "ca.pem")
    return Broker(folder / "platform", tls={"cafile": authority.ca, "certfile": pair.cert, "keyfile": pair.key})


def walk(page: Path) -> Iterator[tuple[int, guides.Step, str]]:
    """Every command of the guide in order, with where its block is and what it printed here."""
    text = page.read_text("utf-8")
    with desk(text, "zh" if page.name.endswith(".zh.md") else "en") as here:
        for block in guides.blocks(text):
            if block.title:
                here.keep(block.title, block.text)
            elif block.language == "console":
                for step in guides.steps(block.text):
                    yield block.start, step, here.do(step)


def fill(page: Path) -> str:
    """The guide, with what is printed here behind each command that shows nothing yet: `python -m tests.support.desk PAGE`."""
    text, ahead = page.read_text("utf-8"), 0
    for start, step, printed in walk(page):
        if not step.shown and printed:
            place = text.index(f"$ {step.command}\n", start + ahead) + len(f"$ {step.command}\n")
            text, ahead = text[:place] + printed + text[place:], ahead + len(printed)
    return text


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(fill(Path(name)), "utf-8")
