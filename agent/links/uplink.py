"""A route at work: two links to one platform, what goes up, the station's status, and the way down.

The *urgent* link carries alarms, events, status, warnings and commands; the *telemetry* link everything that may wait.
Two TCP connections, so that no alarm stands behind a backlog in our own socket.
"""

import asyncio
import functools
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.links.bearable import Bearable
from agent.links.downlink import Downlink
from agent.links.mqtt import Connection, Link, LinkDown, Options, Will
from agent.links.route import RouteConfig
from agent.links.tls import Tls, find
from agent.links.uplink_encode import Encode
from agent.links.uplink_send import Counts, Cut, Pause, Sender, Store, Terms
from buffer.model import Lane
from drivers.api import Report
from drivers.within import within
from protocols import envelope
from protocols.alert import ClockReading

URGENT = (Lane.ALARM, Lane.EVENT)
BULKY = (Lane.TELEMETRY, Lane.BULK)


class Uplink:
    """`run()` for ever. `status(session)` and `offline(session)` make the payloads of the status topic."""

    def __init__(
        self,
        route: RouteConfig,
        *,
        station: str,
        base: Path,
        buffer: Store,
        encode: Encode,
        clock: Callable[[], ClockReading],
        status: Callable[[str], bytes],
        offline: Callable[[str], bytes],
        report: Report,
        random: Callable[[], float],
        downlink: Downlink | None = None,
        stand_aside: Callable[[float], float] = lambda _now: 0.0,
        cut: Cut = lambda _block: None,
    ) -> None:
        self.name = route.name
        self.route = route
        self.counts = Counts()
        self.downlink = downlink
        self._buffer = buffer
        self._status, self._offline = status, offline
        self._status_topic = envelope.up(route.root, station, "status")
        self._senders: dict[str, Sender] = {}
        self._pauses: dict[Lane, Pause] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._status_wanted = asyncio.Event()
        self._encode, self._report, self._stand_aside, self._cut = encode, report, stand_aside, cut
        self._bearable = {"urgent": Bearable(), "telemetry": Bearable()}
        topics = {lane: envelope.up(route.root, station, "events") for lane in URGENT}
        topics |= {lane: envelope.up(route.root, station, "readings") for lane in BULKY}
        self._topics = topics
        urgent = options_of(route, station, base, clock)
        self.urgent = Link(
            "urgent",
            urgent,
            report=report,
            random=random,
            filters=downlink.filters if downlink else (),
            first=downlink.first if downlink else lambda: (),
            receive=downlink.receive if downlink else None,
            begin=downlink.begin if downlink else lambda: None,
            will=lambda session: Will(self._status_topic, offline(session), int(route.will_delay)),
            facts={"route": route.name},
        )
        quiet = replace(
            urgent,
            client_id=f"{urgent.client_id}-t",
            keepalive=route.keepalives()[1],
            clean=True,
            session_expiry=0,
        )
        self.telemetry = Link("telemetry", quiet, report=report, random=random, facts={"route": route.name})
        buffer.subscribe(self._committed)

    @property
    def up(self) -> bool:
        return self.urgent.connected

    def beat(self) -> float:
        """Seconds since the slower of the two links came round: for the watchdog, with a network or without."""
        return max(self.urgent.beat(), self.telemetry.beat())

    def publish_status(self) -> None:
        """Soon: something worth knowing has changed."""
        self._status_wanted.set()

    def hand_over(self) -> bool:
        """The station is ending: nothing lingers. Whether a link is up that still has something to bring."""
        for sender in self._senders.values():
            sender.hand_over()
        return self.up and bool(self._buffer.backlog(self.route.name))

    def hurry(self) -> None:
        """The network may be back: do not sit out the back-off."""
        self.urgent.hurry()
        self.telemetry.hurry()

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as both:
            both.create_task(self.urgent.run(self._serve_urgent))
            both.create_task(self.telemetry.run(functools.partial(self._send, "telemetry", BULKY)))

    def status(self) -> dict[str, Any]:
        """JSON-ready, for `fengsui status` and the status topic."""
        now = asyncio.get_running_loop().time()
        counts = self.counts
        return {
            "urgent": _link_status(self.urgent, self._senders.get("urgent")),
            "telemetry": _link_status(self.telemetry, self._senders.get("telemetry")),
            "messages": counts.messages,
            "numbers": counts.numbers,
            "payload_bytes": counts.payload_bytes,
            "accepted": counts.settled,
            "refused": {str(code): count for code, count in counts.refused.items()},
            "seconds_since_accepted": None if counts.last_settled is None else round(now - counts.last_settled, 1),
            "round_trip": round(counts.latest_round_trip, 3),
        }

    def _committed(self, lane: Lane, _last: int) -> None:
        """On the buffer's thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, "urgent" if lane in URGENT else "telemetry")

    def _wake(self, link: str) -> None:
        if link in self._senders:
            self._senders[link].wake()

    def ask_again(self) -> None:
        """For warnings that must have come: what the broker keeps, once more."""
        self.urgent.subscriber.ask_again()

    def want(self, topics: Sequence[str]) -> None:
        """The same by name."""
        self.urgent.subscriber.want(topics)

    async def _serve_urgent(self, connection: Connection) -> None:
        async with asyncio.TaskGroup() as both:
            both.create_task(self._keep_status(connection))
            both.create_task(self._send("urgent", URGENT, connection))

    async def _send(self, link: str, lanes: tuple[Lane, ...], connection: Connection) -> None:
        if connection.granted.maximum_qos < 1:
            return  # without a PUBACK nothing could ever be settled; the link has said so
        sender = Sender(self._terms(link, lanes), connection, self._pauses)
        self._senders[link] = sender
        try:
            await sender.run()
        finally:
            self._senders.pop(link, None)
            if connection.ended.done() and connection.ended.result().reason == "lost":
                self._bearable[link].hung_up(sender.heaviest)

    async def _keep_status(self, connection: Connection) -> None:
        """At connect, every period, and when asked."""
        with suppress(LinkDown):
            while True:
                self._status_wanted.clear()
                connection.publish(self._status_topic, self._status(self.urgent.session), retain=True)
                with suppress(TimeoutError):
                    await within(self._status_wanted.wait(), self.route.status_interval)

    def _terms(self, link: str, lanes: tuple[Lane, ...]) -> Terms:
        route = self.route
        return Terms(
            route=route.name,
            lanes=lanes,
            topics={lane: self._topics[lane] for lane in lanes},
            buffer=self._buffer,
            encode=self._encode,
            report=self._report,
            counts=self.counts,
            five=route.version == "5",
            linger=route.linger,
            no_subscribers_ok=route.no_subscribers_ok,
            max_inflight=route.max_inflight,
            max_window=route.max_window,
            max_message=route.max_message,
            stand_aside=self._stand_aside if lanes is BULKY else lambda _now: 0.0,
            cut=self._cut,
            bearable=self._bearable[link],
        )


def options_of(route: RouteConfig, station: str, base: Path, clock: Callable[[], ClockReading]) -> Options:
    """The urgent link's; the telemetry link's differ in name, session and keep-alive."""
    host, port, secure = route.endpoint
    files = {name: find(base, value) if value else None for name, value in _files(route).items()}
    return Options(
        host=host,
        port=port,
        client_id=route.client_id or station,
        version=route.version,
        keepalive=route.keepalives()[0],
        clean=False,
        session_expiry=int(route.session_expiry),
        tls=Tls(files["ca"], files["cert"], files["key"], clock) if secure else None,
        credentials=files["credentials"],
        patience=route.patience,
    )


def _files(route: RouteConfig) -> dict[str, str]:
    return {"ca": route.ca, "cert": route.cert, "key": route.key, "credentials": route.credentials}


def _link_status(link: Link, sender: Sender | None) -> dict[str, Any]:
    window = sender.window if sender else None
    return {
        "up": link.connected and sender is not None,
        "session": link.session,
        "connects": link.connects,
        "failures": dict(link.failures),
        "window_bytes": window.size if window else None,
        "in_flight_bytes": window.in_flight if window else 0,
        "rate": round(window.rate) if window else None,
        "subscribed": sorted(link.subscribed),
        "refused_filters": sorted(link.refused),
    }
