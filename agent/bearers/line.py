"""One configured bearer at work: its driver, what the scheduler knows of it, what it owes the other side, what it counts."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from agent.bearers.budget import Ledger, Limits
from agent.bearers.config import ANYBODY, BearerTable
from agent.bearers.way import Way
from drivers.api import Bearer, Traits
from protocols.narrow.header import overhead
from protocols.narrow.keys import TAG_BYTES
from protocols.narrow.receipt import Receipt

MOST_OWED = 32  # receipts of what came down; one message takes them all
HELLO_AGAIN = 60.0  # seconds before a hello that nobody answered is said anew; doubling up to the longest
HELLO_MOST = 3600.0
HELLO_BLIND = 86_400.0  # where nothing comes back
ADDRESSES = ("to", "source")  # keys of drivers that name the other side
INF = float("inf")
# What is no more than noise, or somebody else's: of no reason here does anything follow, and nobody is answered.
JUNK = ("stranger", "forged", "short", "version", "piece", "long", "kind", "old", "misfit", "unknown", "broken")


@dataclass(slots=True, eq=False)
class Line:
    """`address` stands in each frame where the bearer does not name its sender."""

    table: BearerTable
    bearer: Bearer
    way: Way
    address: bytes = b""
    counts: Counter[str] = field(default_factory=Counter)  # of what came in, by what it was or why it was worth nothing
    told: Counter[str] = field(default_factory=Counter)
    owed: dict[int, Receipt] = field(default_factory=dict)
    owed_since: float = 0.0
    said_to: str = ""  # who was heard last: receipts go there
    greeted: tuple[int, int, float] = (-1, 0, 0.0)  # round, hellos said in it, when the last

    @property
    def name(self) -> str:
        return self.table.name

    @property
    def mtu(self) -> int:
        return self.bearer.traits.mtu

    @property
    def room(self) -> int:
        """Bytes of a body that go out in one datagram."""
        return self.mtu - overhead(piece=False, addressed=bool(self.address)) - TAG_BYTES

    @property
    def patience(self) -> float:
        return self.way.answer

    def hears(self, sender: str) -> bool:
        """Only those who are meant to speak here; a bearer that names nobody leaves it to the keys."""
        config = self.table.config
        own = {_plain(one) for one in (*(getattr(config, key, "") for key in ADDRESSES), *self.table.common.allow)}
        return not sender or _plain(sender) in own or ANYBODY in own or hasattr(config, "allow")

    def must_greet(self, round_: int, now: float) -> bool:
        """Whether to say hello before anything else, in this round of them."""
        known, times, at = self.greeted
        if known != round_:
            return True
        growing = min(HELLO_AGAIN * 2.0 ** min(times - 1, 16), HELLO_MOST)
        wait = growing if self.bearer.traits.duplex else HELLO_BLIND
        return now - at >= max(wait, self.patience)

    def has_greeted(self, round_: int, now: float) -> None:
        known, times, _ = self.greeted
        self.greeted = (round_, times + 1 if known == round_ else 1, now)

    def owe(self, receipt: Receipt, sender: str, now: float) -> None:
        if not self.owed:
            self.owed_since = now
        self.owed[receipt.id] = receipt
        self.said_to = sender
        while len(self.owed) > MOST_OWED:
            del self.owed[next(iter(self.owed))]

    def paid(self, receipts: Iterable[Receipt]) -> None:
        for receipt in receipts:
            if self.owed.get(receipt.id) == receipt:
                del self.owed[receipt.id]

    def junk(self) -> dict[str, int]:
        """What came since the last time that was asked, and was worth nothing."""
        new = {reason: self.counts[reason] - self.told[reason] for reason in JUNK if self.counts[reason]}
        self.told = Counter({reason: self.counts[reason] for reason in JUNK})
        return {reason: count for reason, count in new.items() if count}

    def refresh(self, now: float) -> None:
        """Before each decision: what the driver says of itself now."""
        self.way = self.way.tick(now)
        if self.way.traits != self.bearer.traits:
            self.way = _retold(self.way, self.bearer.traits)
        opened = self.bearer.status().get("state") != "down"
        if self.way.open is not opened:
            self.way = replace(self.way, open=opened)

    def status(self, now: float, day: float, queue: int) -> dict[str, Any]:
        """What `fengsui status` and the status topic show."""
        proof, device = self.way.proof, self.bearer.status()
        money, messages = self.way.ledger.left(day)
        return {
            "state": proof.state.value,
            "proven_seconds_ago": None if proof.last is None else round(now - proof.last),
            "success": round(proof.rate, 2),
            "queue": queue,
            "budget_left": None if money == INF else round(money, 2),
            "messages_left": None if messages == INF else int(messages),
            "signal": device.get("signal"),
            "device": device,
            "heard": dict(self.counts),
        }


def _plain(name: str) -> str:
    """As two that mean the same are equal: where a URL leads, a card number without the zeros before it."""
    place = urlsplit(name).netloc if "://" in name else name
    return place.lower().lstrip("0")


def way_of(table: BearerTable, traits: Traits, address: bytes) -> Way:
    """At the start: nothing spent, nothing proven."""
    common = table.common
    limits = Limits(
        money=common.daily_budget or INF, messages=common.daily_messages or INF, interval=traits.min_interval
    )
    return Way(
        table.name,
        traits,
        Ledger(limits),
        medium=common.group or table.name,
        period=float(common.period),
        head=overhead(piece=True, addressed=bool(address)) + TAG_BYTES,
    )


def _retold(way: Way, traits: Traits) -> Way:
    """Traits may change at run time: a card says its own rate and length."""
    ledger = replace(way.ledger, limits=replace(way.ledger.limits, interval=traits.min_interval))
    return replace(way, traits=traits, ledger=ledger)
