"""Iridium SBD through a reseller's web service: messages come as HTTP POST, others are posted there.

The server wants its answer within three seconds, so that a message is answered as soon as it is understood. With the service's
public key every message must carry its token; without, only where it comes from says who sent it.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from agent.headend.listening import address_of, problems
from agent.links.tls import readable_by_others
from drivers.api import Accepted, Context, Datagram, Declined, Factory, Problem, Sent, Traits, Unknown
from drivers.bearers.common import Inbox
from drivers.values import Duration
from protocols import rockblock_http
from protocols.errors import LocalError, ProtocolError

if TYPE_CHECKING:
    from aiohttp import web
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

PATIENCE = 30.0  # seconds
BUSY = 60.0  # seconds until a service that is not there is tried again
LATER = frozenset({"queue-full", "unavailable"})


class RockBlockConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`url`: where messages are posted; `account`: a TOML file with username and password; `service_key`: the service's PEM
    key, for its tokens.
    """

    name: str
    listen: str = "127.0.0.1:8090"
    path: str = "/rockblock"
    url: str = ""
    account: str = ""
    service_key: str = ""
    cost: float = 0.0
    interval: Duration = Duration(1.0)


class Account(msgspec.Struct, forbid_unknown_fields=True):
    username: str
    password: str

    def __repr__(self) -> str:
        return f"Account(username={self.username!r}, password=...)"


class RockBlock:
    """See `drivers.api.Bearer`; a station is called by its modem's IMEI."""

    def __init__(self, config: RockBlockConfig, context: Context) -> None:
        self.name, self.counters = config.name, Counter[str]()
        self.traits = Traits(
            mtu=rockblock_http.MT_MOST, min_interval=float(config.interval), cost=config.cost, credit=50, latency=30.0
        )
        self.port = 0
        self._config, self._base, self._now = config, context.base, context.now
        self._inbox = Inbox(self.counters)
        self._key = _key(context.base, config)
        self._since = context.now()

    async def run(self) -> None:
        from aiohttp import web

        app = web.Application(client_max_size=rockblock_http.LONGEST)
        app.router.add_post(self._config.path, self._take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, *address_of(self._config.listen))
            await site.start()
            self.port = runner.addresses[0][1]
            await asyncio.Event().wait()
        finally:
            self.port = 0
            await runner.cleanup()

    async def send(self, data: bytes, to: str = "") -> Sent:
        from aiohttp import ClientError, ClientSession, ClientTimeout

        if not self._config.url:
            return Declined("no-service", None)
        try:
            fields = rockblock_http.mt_fields(to, *self._account(), data)
            async with (
                ClientSession(timeout=ClientTimeout(PATIENCE)) as session,
                session.post(self._config.url, data=fields) as answer,
            ):
                said = rockblock_http.mt_answer((await answer.content.read(1024)).decode("ascii", "replace"))
        except LocalError as wrong:
            return Declined(wrong.reason, None)
        except (OSError, ClientError, TimeoutError, ProtocolError, msgspec.DecodeError) as wrong:
            return Unknown(type(wrong).__name__)
        if isinstance(said, rockblock_http.Queued):
            return Accepted(said.reference)
        return Declined(said.reason, BUSY if said.reason in LATER else None)

    def incoming(self) -> AsyncIterator[Datagram]:
        return self._inbox

    def status(self) -> Mapping[str, Any]:
        state = "up" if self.port else "down"
        return {"state": state, "since": self._since, "signal": None, "ready_in": 0.0, "counters": dict(self.counters)}

    async def _take(self, request: "web.Request") -> "web.Response":
        from aiohttp import web

        try:
            found = rockblock_http.parse(await request.read(), self._key)
        except ProtocolError as wrong:
            self.counters[wrong.reason] += 1
            return web.Response(status=400, text="")
        self.counters["heard"] += 1
        if found.data:
            self._inbox.put(Datagram(found.data, found.imei, self._now()))
        return web.Response(text="OK")

    def _account(self) -> tuple[str, str]:
        """Read for each message: a password may be changed while the headend runs."""
        found = msgspec.toml.decode((self._base / self._config.account).read_bytes(), type=Account)
        return found.username, found.password


def _key(base: Path, config: RockBlockConfig) -> "RSAPublicKey | None":
    return rockblock_http.load_key((base / config.service_key).read_bytes()) if config.service_key else None


def check(config: RockBlockConfig, context: Context) -> Iterable[Problem]:
    yield from problems("listen", config.listen)
    for name in ("account", "service_key"):
        file = context.base / getattr(config, name)
        if getattr(config, name) and not file.is_file():
            yield Problem(name, "route.no_file", {"file": str(file)})
        elif name == "account" and config.account and readable_by_others(file):
            yield Problem(name, "route.open_file", {"file": str(file)})
    if config.url and not config.account:
        yield Problem("account", "headend.no_account", {"url": config.url})


FACTORY = Factory(RockBlockConfig, RockBlock, check)
