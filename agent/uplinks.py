"""The routes of a configuration, wired: a link to each platform, what it brings down, and who is told. Decides nothing itself."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from agent.config import Config
from agent.links import bodies
from agent.links.route import RouteConfig
from agent.record import Recorder
from agent.supervisor import Supervisor
from agent.warning_path import WarningPath
from agent.watchdog import Watchdog
from protocols import envelope
from protocols.area import code_text

if TYPE_CHECKING:
    from agent.links.commands import Commands
    from agent.links.downlink import OnWarning
    from agent.links.uplink import Uplink
    from agent.trust.beacons import Named

FAREWELL_LOOKS = 0.05  # seconds
PATIENCE = 60.0  # seconds; a link's loop comes round every second, but a connect may block its own thread longer


class Uplinks:
    """`all` in the configuration's order; `commands` by route. `warned` takes what a broker brings of warnings, `status` gives
    the retained status of a route and session.
    """

    def __init__(
        self,
        config: Config,
        recorder: Recorder,
        path: WarningPath,
        *,
        warned: "OnWarning",
        status: Callable[[RouteConfig, str], bytes],
        offline: Callable[[str], bytes],
        watchdog: Watchdog,
    ) -> None:
        self._config, self._recorder, self._path = config, recorder, path
        self._warned, self._status, self._offline = warned, status, offline
        self.commands: dict[str, Commands] = {}
        self.all = [self._uplink(route) for route in config.routes]
        self._parts = [(one, watchdog.part(f"route {one.name}", PATIENCE)) for one in self.all]

    def start(self, house: Supervisor) -> None:
        for uplink in self.all:
            house.keep(f"route {uplink.name}", uplink.run)
            house.keep(f"commands {uplink.name}", self.commands[uplink.name].run)

    def beat(self) -> None:
        """Tell the watchdog of the links whose loop has come round."""
        for uplink, part in self._parts:
            if uplink.beat() < PATIENCE:
                part.beat()

    async def farewell(self, deadline: float) -> None:
        """Until `deadline` (loop time), or until there is nothing left that a link can take soon."""
        loop = asyncio.get_running_loop()
        while loop.time() < deadline and any(uplink.hand_over() for uplink in self.all):  # noqa: ASYNC110 - two links settle it
            await asyncio.sleep(FAREWELL_LOOKS)

    def fetch(self, alerts: "Sequence[Named]") -> None:
        """What the brokers keep, once more: these, or all of it."""
        for uplink in self.all:
            if alerts and uplink.route.warnings:
                root = uplink.route.root
                uplink.want([envelope.warning(root, code_text(a.area), str(a.issuer), a.seq) for a in alerts])
            elif not alerts:
                uplink.ask_again()

    def status(self) -> dict[str, Any]:
        return {uplink.name: uplink.status() for uplink in self.all}

    def _uplink(self, route: RouteConfig) -> "Uplink":
        from agent.links.answering import commands_of
        from agent.links.downlink import Downlink
        from agent.links.uplink import Uplink
        from agent.links.uplink_encode import encoder

        config, recorder, path = self._config, self._recorder, self._path
        station, buffer, clock, report = config.station.id, recorder.buffer, recorder.clock, recorder.report
        encode = encoder(station, route.format, clock.wall)
        commands = self.commands[route.name] = commands_of(
            route, station=station, buffer=buffer, encode=encode, record=report, uplink=lambda: uplink
        )
        downlink = Downlink(
            route.name,
            root=route.root,
            station=station,
            areas=config.station.areas,
            on_warning=self._warned if path.alerting is not None and route.warnings else None,
            on_command=commands.take if route.commands else None,
            report=report,
            on_trust=path.trusting.hear if path.trusting is not None and route.warnings else None,
            issuers=path.issuers,
        )
        uplink = Uplink(
            route,
            station=station,
            base=config.base,
            buffer=buffer,
            encode=encode,
            clock=clock.read,
            status=lambda session: self._status(route, session),
            offline=self._offline,
            report=report,
            random=random.random,
            downlink=downlink,
            stand_aside=path.right_of_way.wait,
            cut=bodies.cut,
        )
        return uplink
