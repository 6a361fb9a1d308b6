"""When an account is due: for each older log at the start, if anything changed since it was last accounted for, and for
every log once a day. Publishes events; what an account says is `agent.links.account`'s.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.clock import Clock
from agent.links import account
from agent.links.account import Account, account_of
from agent.links.account_signer import CannotSign, Signed, sign
from agent.record import Recorder
from agent.station_key import KEY_FILE, PUBLIC_FILE
from buffer.store import Buffer

log = logging.getLogger(__name__)

DAY = 86_400.0
MOST_AT_ONCE = 32  # accounts in one round, each an event of some hundred bytes; the rest in the next
NEXT_ROUND = 60.0  # seconds between rounds when one is not enough
SALVAGE_LOOK = 5.0  # seconds
TOLD = "accounts"  # meta: what was said of each log, as a digest


def known_key(state: Path) -> str:
    """The station's public key in hexadecimal; empty before the first account."""
    try:
        return (state / PUBLIC_FILE).read_text("ascii").strip()[:64]
    except (OSError, ValueError):
        return ""


class Accounting:
    """`run` for ever."""

    def __init__(self, station: str, state: Path, *, buffer: Buffer, clock: Clock, recorder: Recorder) -> None:
        self.station, self.state = station, state
        self.buffer, self.clock, self.recorder = buffer, clock, recorder
        self.key = known_key(state)
        self._told = _loaded(buffer.meta(TOLD))

    async def run(self) -> None:
        current = False  # this log's own account has a day's time
        while True:
            await self._salvaged()
            more = await self.publish(current=current)
            current = not more
            await asyncio.sleep(NEXT_ROUND if more else DAY)

    async def _salvaged(self) -> None:
        """Until a damaged file has been read to its end: what is gone is not known before."""
        while self.buffer.stats().salvaging:  # noqa: ASYNC110 - the buffer's thread has no event of this loop
            await asyncio.sleep(SALVAGE_LOOK)

    async def publish(self, *, current: bool) -> bool:
        """One round; whether there is more to say."""
        due = [each for each in self.accounts(current=current) if self._told.get(each.log) != _digest(each)]
        now, later = due[:MOST_AT_ONCE], due[MOST_AT_ONCE:]
        if now or not self.key:
            signed = await self._sign([each.encode() for each in now])
            for each, seal in zip(now, signed.seals, strict=True):
                self.recorder.event(account.TYPE, each.facts(seal, signed.public))
                self._told[each.log] = _digest(each)
            self._remember()
        return bool(later)

    def accounts(self, *, current: bool) -> list[Account]:
        """Of every log that issued anything, oldest first."""
        at = self.clock.read().best
        logs = [
            info._replace(closed=info.log != self.buffer.log)
            for info in self.buffer.logs()
            if current or info.log != self.buffer.log
        ]
        found = (account_of(self.station, info, at) for info in logs)
        return [each for each in found if each.issued]

    async def _sign(self, payloads: Sequence[bytes]) -> Signed:
        """An account that cannot be signed is still worth saying."""
        try:
            signed = await sign(self.state / KEY_FILE, payloads)
        except (CannotSign, OSError, ValueError, TimeoutError) as wrong:
            self.recorder.report("account.unsigned", {"why": str(wrong) or type(wrong).__name__})
            return Signed("", [b""] * len(payloads))
        if signed.public != self.key:
            await asyncio.to_thread((self.state / PUBLIC_FILE).write_text, signed.public + "\n")
            self.key = signed.public
            self.recorder.report("station.key", {"key": self.key})
        return signed

    def _remember(self) -> None:
        known = {info.log for info in self.buffer.logs()}
        self._told = {log_: digest for log_, digest in self._told.items() if log_ in known}
        self.buffer.set_meta(TOLD, json.dumps(self._told).encode())


def _digest(of: Account) -> str:
    """Of everything but the time."""
    return hashlib.blake2b(of._replace(at=0).encode(), digest_size=8).hexdigest()


def _loaded(saved: bytes | None) -> dict[str, str]:
    try:
        found: Mapping[Any, Any] = json.loads(saved or b"{}")
        return {str(name): str(digest) for name, digest in found.items()}
    except (ValueError, AttributeError):
        return {}  # said again: the subscriber takes it once
