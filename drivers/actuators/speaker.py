"""A loudspeaker at the computer's sound card, through ALSA: recorded clips where there are some, else speech.

`aplay` gets the sound through a pipe that ends with us. Evidence is what ALSA says of the player's stream (RUNNING), or,
where the kernel shows none, that the player took everything and ended well. Neither is a sound: listen at the acceptance.
"""

import asyncio
import re
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from drivers.actuators import synthesis
from drivers.actuators.child import Child
from drivers.actuators.speaking import MAX_ON, MAX_ON_PER_HOUR, Speaking, Speech, Unsaid
from drivers.actuators.speech_chip import voice_limits
from drivers.actuators.wav import MOST_BYTES, Sound, clip
from drivers.api import Context, Factory, Outcome, Problem, Verdict
from drivers.values import Duration
from protocols.speech_text import pieces, readable

ALSA = Path("/proc/asound")
PLAYER = ("aplay", "-q", "-t", "wav", "-D")
LOOK = 0.1  # seconds between looks at the player's stream
ALIVE = 1.0  # seconds after which a player that still plays is taken for playing, where ALSA shows nothing
LATE = 5.0  # seconds a player may take longer than the sound lasts
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class SpeakerConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`device` as `aplay -L` lists it; `clips` a directory of WAV files; `speed` in words a minute."""

    name: str
    kind: Literal["voice"] = "voice"
    device: str = "default"
    clips: str = "clips"
    voice: str = synthesis.MANDARIN
    speed: int = 150
    max_on: Duration = Duration(MAX_ON)
    max_on_per_hour: Duration = Duration(MAX_ON_PER_HOUR)


class Speaker(Speaking):
    """`player` is the command that plays a WAV from its standard input."""

    def __init__(
        self,
        config: SpeakerConfig,
        clips: Path,
        player: Sequence[str] | None = None,
        alsa: Path = ALSA,
        now: Callable[[], float] = time.monotonic,
        **timing: float,
    ) -> None:
        super().__init__(config.name, config.max_on, config.max_on_per_hour, now=now, **timing)
        self._config, self._clips, self._alsa = config, clips, alsa
        self._player = tuple(player) if player else (*PLAYER, config.device, "-")
        self._playing: asyncio.Task[None] | None = None

    async def _once(self, turn: Speech) -> None:
        sounds = await self._recorded(turn)
        if sounds:
            for sound in sounds:
                await self._play(turn, sound, "clip")
            return
        for piece in pieces(readable(turn.action.text), synthesis.PIECE):
            turn.guard()
            sound = await synthesis.render(piece, self._config.voice, self._config.speed)
            await self._play(turn, sound, "speech")

    async def _recorded(self, turn: Speech) -> list[Sound]:
        """All clips of the action, or none: half a warning in clips would be no warning, and a drill without its marks a
        false one.
        """
        found: list[Sound] = []
        for name in turn.action.clips:
            try:
                found.append(await asyncio.to_thread(_read, self._clips, name))
            except (OSError, ValueError) as wrong:
                turn.facts |= {"clip": name, "clip_missing": str(getattr(wrong, "strerror", "") or wrong)[:200]}
                return []
        return found

    async def _play(self, turn: Speech, sound: Sound, source: str) -> None:
        """From begin to end, or to the end of the turn, whichever comes first; then the player is dead."""
        turn.guard()
        task = self._playing = asyncio.create_task(self._run(turn, sound, source))
        try:
            await turn.rest_or(task)
            await task
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self, turn: Speech, sound: Sound, source: str) -> None:
        try:
            async with asyncio.timeout(sound.seconds + LATE), Child(self._player) as child:
                watching = asyncio.create_task(self._watch(turn, child.pid, source))
                try:
                    await child.feed(sound.data)
                    code, words = await child.result()
                finally:
                    watching.cancel()
        except FileNotFoundError:
            raise Unsaid("player_missing", {"program": self._player[0]}) from None
        except TimeoutError:
            raise Unsaid("player_hangs", {"device": self._config.device}) from None
        except OSError as wrong:
            raise Unsaid("player_failed", {"why": str(wrong)[:200]}) from wrong
        if code:
            reason = "player_missing" if code == 127 else "player_failed"
            raise Unsaid(reason, {"exit": code, "why": words, "device": self._config.device})
        self._seen(turn, {"played": True}, source)

    async def _watch(self, turn: Speech, pid: int, source: str) -> None:
        began = self._now()
        while True:
            await asyncio.sleep(LOOK)
            if running(self._alsa, pid):
                self._seen(turn, {"alsa": "RUNNING"}, source)
                return
            if self._now() - began >= ALIVE:
                self._seen(turn, {"player": "alive"}, source)
                return

    def _seen(self, turn: Speech, what: dict[str, Any], source: str) -> None:
        turn.facts |= {**what, "by": source}
        turn.tell(Verdict.DONE, "", dict(turn.facts))

    async def _hush(self) -> Outcome:
        """The player is killed with its performance; what it had given to the card, ALSA drops with it."""
        task = self._playing
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait({task})
        return Outcome(Verdict.DONE, evidence={"player": "ended"})

    async def _reach(self) -> Outcome:
        """Opens nothing: a sound card at rest stays at rest. Programs and card are looked for."""
        if shutil.which(self._player[0]) is None:
            return Outcome(Verdict.FAILED, "player_missing", {"program": self._player[0]})
        if not synthesis.installed():
            return Outcome(Verdict.FAILED, "speech_missing", {"program": synthesis.PROGRAM})
        cards = sorted(path.name for path in self._alsa.glob("card[0-9]*"))
        if self._player[0] == PLAYER[0] and not cards and self._config.device != "null":
            return Outcome(Verdict.FAILED, "sound_card_missing", {"device": self._config.device})
        return Outcome(Verdict.DONE, evidence={"cards": cards})


def running(alsa: Path, pid: int) -> bool:
    """Does ALSA say that this process plays? (The kernel's Documentation/sound/designs/procfile.rst.)"""
    for status in alsa.glob("card[0-9]*/pcm*p/sub*/status"):
        try:
            words = status.read_text()
        except OSError:
            continue  # a card that is being pulled
        if "state: RUNNING" in words and re.search(rf"owner_pid\s*: {pid}\b", words):
            return True
    return False


def _read(directory: Path, name: str) -> Sound:
    """ValueError or OSError says why this clip is not played."""
    if _NAME.fullmatch(name) is None:
        raise ValueError("not the name of a clip")
    with (directory / f"{name}.wav").open("rb") as file:
        return clip(file.read(MOST_BYTES + 1))


def create(config: SpeakerConfig, context: Context) -> Speaker:
    return Speaker(config, context.base / config.clips)


def check(config: SpeakerConfig, _context: Context) -> Iterable[Problem]:
    if config.voice in synthesis.BROKEN_VOICES:
        yield Problem("voice", "voice.broken", {"voice": config.voice, "better": synthesis.MANDARIN})
    if config.device.startswith("-") or not config.device:
        yield Problem("device", "voice.device", {"device": config.device})
    if not 80 <= config.speed <= 300:
        yield Problem("speed", "voice.speed", {"speed": config.speed, "least": 80, "most": 300})
    yield from voice_limits(config.max_on, config.max_on_per_hour)


FACTORY = Factory(SpeakerConfig, create, check)
