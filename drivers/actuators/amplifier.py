"""A voice behind an amplifier that is off at rest: switched on by a relay of its own, given time to settle, and off again.

Made of two actuators of any kind, `relay` and `voice`; knows neither. The relay's own timer switches the amplifier off when
the agent dies, so that a voice that went on by itself would still fall silent.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import msgspec

from drivers import registry
from drivers.actuators.turn import Over, Started, Turn
from drivers.api import Action, Actuator, Context, Factory, Outcome, Problem, Verdict
from drivers.collect import collect
from drivers.values import Duration
from drivers.within import within

PATIENCE = 1.5  # seconds for the relay to be seen closed; the voice begins after it in any case
CONTINUOUS = "steady"  # the pattern of an amplifier: on
# A relay's usual limits are a siren's. An amplifier may be on as long as its voice may speak.
RELAY_LIMITS = {"max_on": 600.0, "max_on_per_hour": 3600.0}


class AmplifierConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`relay` and `voice` are tables as any [[actuator]] has, with a `driver` and without a name. `lead` is how long the
    amplifier needs from power to sound.
    """

    name: str
    relay: dict[str, Any]
    voice: dict[str, Any]
    kind: Literal["voice"] = "voice"
    lead: Duration = Duration(0.5)


class Amplifier:
    def __init__(
        self, name: str, relay: Actuator, voice: Actuator, lead: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.name, self.kind = name, "voice"
        self._relay, self._voice, self._lead, self._now = relay, voice, lead, now
        self._turn: Turn | None = None

    async def perform(self, action: Action, until: float, started: Started) -> Outcome:
        if self._turn is not None:
            self._turn.end("replaced")
        turn = self._turn = Turn(action, started, self._now())
        powered: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        power = asyncio.create_task(self._relay.perform(_power(action), until, lambda o: _first(powered, o)))
        try:
            seen = await self._warm(turn, powered)
            outcome = await self._voice.perform(action, until, lambda said: started(_told(said, seen)))
        except Over:
            return Outcome(Verdict.DONE, evidence={"ended": turn.why})
        finally:
            await self._switch_off(turn, power)
        return _together(outcome, seen)

    async def silence(self) -> Outcome:
        """The amplifier first: it silences whatever the voice does."""
        if self._turn is not None:
            self._turn.end("silenced")
        relay, voice = await asyncio.gather(self._relay.silence(), self._voice.silence())
        return _worse(relay, voice)

    async def probe(self) -> Outcome:
        relay, voice = await asyncio.gather(self._relay.probe(), self._voice.probe())
        return _worse(relay, voice)

    def status(self) -> Mapping[str, Any]:
        relay, voice = self._relay.status(), self._voice.status()
        states = (relay.get("state"), voice.get("state"))
        state = "down" if "down" in states else "unknown" if "unknown" in states else "up"
        return {"state": state, "relay": relay, "voice": voice}

    async def _warm(self, turn: Turn, powered: "asyncio.Future[Outcome]") -> Outcome | None:
        """What was seen of the relay within its patience; then the amplifier's own time."""
        seen = None
        with contextlib.suppress(TimeoutError):
            seen = await within(asyncio.shield(powered), PATIENCE)
        await turn.rest(self._lead)
        return seen

    async def _switch_off(self, turn: Turn, power: "asyncio.Task[Outcome]") -> None:
        """Unless the amplifier is somebody else's by now."""
        if self._turn is turn:
            self._turn = None
            await self._relay.silence()
        await asyncio.wait({power}, timeout=PATIENCE)
        power.cancel()


def _power(action: Action) -> Action:
    return replace(action, kind="siren", pattern=CONTINUOUS, text="", clips=(), repeat=1)


def _first(powered: "asyncio.Future[Outcome]", outcome: Outcome) -> None:
    if not powered.done():
        powered.set_result(outcome)


def _told(said: Outcome, relay: Outcome | None) -> Outcome:
    return said if said.repetition else _together(said, relay)


def _together(voice: Outcome, relay: Outcome | None) -> Outcome:
    """A voice that speaks into an amplifier that is off is not heard."""
    amplifier = {"amplifier": dict(relay.evidence) if relay else "unseen"}
    evidence = {**voice.evidence, **amplifier}
    if voice.verdict is Verdict.DONE and (relay is None or relay.verdict is not Verdict.DONE):
        return Outcome(Verdict.FAILED, "amplifier_off", {**evidence, "relay": relay.reason if relay else "unseen"})
    return replace(voice, evidence=evidence)


def _worse(relay: Outcome, voice: Outcome) -> Outcome:
    bad = next((one for one in (relay, voice) if one.verdict is not Verdict.DONE), None)
    evidence = {"amplifier": dict(relay.evidence), "voice": dict(voice.evidence)}
    return replace(bad, evidence={**bad.evidence, **evidence}) if bad else Outcome(Verdict.DONE, evidence=evidence)


def create(config: AmplifierConfig, context: Context) -> Amplifier:
    parts: dict[str, Actuator] = {}
    for key, factory, inner, problems in _parts(config):
        if problems or factory is None:
            raise ValueError(f"{key}: {problems}")
        parts[key] = factory.create(inner, context)
    return Amplifier(config.name, parts["relay"], parts["voice"], config.lead)


def check(config: AmplifierConfig, context: Context) -> Iterable[Problem]:
    if not 0 <= config.lead <= 5:
        yield Problem("lead", "amplifier.lead", {"lead": float(config.lead), "most": 5})
    for key, factory, inner, problems in _parts(config):
        yield from problems
        if factory is not None and not problems:
            yield from (replace(one, key=f"{key}.{one.key}") for one in factory.check(inner, context))


def _parts(config: AmplifierConfig) -> Iterator[tuple[str, Factory | None, Any, list[Problem]]]:
    """Key, factory and typed table of both parts, or what is wrong with one."""
    for key, table in (("relay", config.relay), ("voice", config.voice)):
        found = registry.resolve(registry.ACTUATORS, str(table.get("driver", "")))
        if isinstance(found, Problem):
            yield key, None, None, [replace(found, key=f"{key}.{found.key}")]
            continue
        settings = {name: value for name, value in table.items() if name != "driver"}
        limits = {name: most for name, most in RELAY_LIMITS.items() if name in found.config.__struct_fields__}
        inner, problems = collect(
            found.config, {"name": f"{config.name}.{key}"} | (limits if key == "relay" else {}) | settings
        )
        problems = [replace(one, key=f"{key}.{one.key}") for one in problems]
        if inner is not None:
            problems += _misplaced(key, inner)
        yield key, found, inner, problems


def _misplaced(key: str, inner: Any) -> Iterator[Problem]:
    if inner.kind != ("voice" if key == "voice" else "siren"):
        yield Problem(key, "amplifier.kind", {"part": key, "kind": inner.kind})


def parts(config: AmplifierConfig) -> Iterator[Any]:
    for _key, factory, inner, _problems in _parts(config):
        if factory is not None and inner is not None:
            yield inner
            yield from factory.parts(inner)


FACTORY = Factory(AmplifierConfig, create, check, parts)
