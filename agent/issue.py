"""The issuer's desk: alerts and key-sets from what people write (options, JSON, TOML, CAP). For `fengsui warn`."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from agent.signers import Signer, load_signer, public_of
from protocols import alert_cbor, cose
from protocols.alert import ActionCode, Alert, Level, MsgType, Permission, Status, chain_of, digest_of, next_seq
from protocols.area import EVERYWHERE, Item, code_text, parse_code
from protocols.beacon import Beacon, open_beacon
from protocols.envelope import warning
from protocols.errors import LocalError
from protocols.keyring import Holder, Key, Keyring
from protocols.seal import uncarry

E = TypeVar("E", bound=Enum)
LARGEST = 1 << 20  # bytes of a file that describes an alert
DAY = 86_400
LONGEST = 14_400.0  # minutes; a station lets none stand longer than three days whatever it says
STANDS = 600  # seconds an all-clear is shown at least, also where the alert would be over sooner
MINUTES = 60.0  # an alert holds for an hour unless it says otherwise


class AlertWords(msgspec.Struct, forbid_unknown_fields=True):
    """What may be said of an alert, by options or in a JSON file."""

    issuer: int = 0
    area: list[str] = []
    event: str = ""
    level: str = ""
    action: str = ""
    status: str = ""
    msg_type: str = ""
    sender: str = ""
    identifier: str = ""
    text: str = ""
    minutes: float = 0.0
    seq: int = 0
    last: int = 0


WORDS = frozenset(AlertWords.__struct_fields__)


class HolderWords(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    issuers: list[int]


class KeyWords(msgspec.Struct, forbid_unknown_fields=True):
    holder: str
    public: str
    may: list[str]
    areas: list[str]
    level: str = "red"
    days: int = 365


class KeysetWords(msgspec.Struct, forbid_unknown_fields=True):
    number: int
    holder: list[HolderWords]
    key: list[KeyWords]


def load_keys(files: Sequence[Path]) -> list[Signer]:
    """LocalError also for one key that was given twice: it is one holder's word, not two's."""
    keys = [load_signer(file) for file in files]
    if len({public_of(key) for key in keys}) < len(keys):
        raise LocalError("same-key", "two of the files hold one key; each holder has a key of its own")
    return keys


def keyset_from(file: Path, now: int) -> Keyring:
    """The key-set that a TOML file describes, valid from now. ValueError says what is wrong in it."""
    words = msgspec.convert(tomllib.loads(file.read_text("utf-8")), KeysetWords)
    keys = tuple(
        Key(
            key.holder,
            bytes.fromhex(key.public),
            _permissions(key.may),
            tuple(_code(area) for area in key.areas),
            _named(Level, key.level),
            now,
            now + key.days * DAY,
        )
        for key in words.key
    )
    return Keyring(words.number, now, tuple(Holder(h.name, tuple(h.issuers)) for h in words.holder), keys)


def draft(file: Path | None, given: Mapping[str, Any], now: int, status: Status) -> tuple[Alert, str]:
    """The alert that `given` options describe, over what a JSON or a CAP 1.2 file says, and its text. `status` is what is
    meant where neither says so.
    """
    usual = {"status": status.name.lower()}
    if file is None:
        return alert_from(usual | dict(given), now)
    data = file.read_bytes()[: LARGEST + 1]
    if len(data) > LARGEST:
        raise LocalError("oversize", f"{file} has more than {LARGEST} bytes")
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return alert_from_cap(data, given, now)
    try:
        words = json.loads(data)
        msgspec.convert(words, AlertWords)
    except (ValueError, RecursionError) as wrong:
        raise LocalError("words", f"{file}: {wrong}. Known are {', '.join(AlertWords.__struct_fields__)}") from wrong
    return alert_from(usual | words | dict(given), now)


def alert_from_cap(data: bytes, given: Mapping[str, Any], now: int) -> tuple[Alert, str]:
    """A CAP message asks for nothing: its action is `inform` unless the options raise it (decision 70)."""
    from protocols.cap_alert import Desk, to_alert
    from protocols.cap_xml import read_cap

    if "issuer" not in given:
        raise LocalError("missing", "give --issuer")
    desk = Desk(
        action=_named(ActionCode, given.get("action", "inform")),
        level=_named(Level, given["level"]) if "level" in given else None,
        event=given.get("event", ""),
        area=tuple(_code(area) for area in given.get("area", ())),
    )
    seq = given.get("seq", next_seq(given.get("last", 0), now))
    made = to_alert(read_cap(data), given["issuer"], seq, now, desk)
    return made.alert, made.text


def alert_from(words: Mapping[str, Any], now: int) -> tuple[Alert, str]:
    """The alert and its text. LocalError names the word that is missing."""
    for wanted in ("issuer", "area", "event", "level", "action"):
        if wanted not in words:
            raise LocalError("missing", f"give --{wanted}")
    if ("sender" in words) != ("identifier" in words):
        raise LocalError("missing", "--sender and --identifier go together: they name the event's first message")
    seq = words.get("seq", next_seq(words.get("last", 0), now))
    text = str(words.get("text", ""))
    sender = str(words.get("sender", f"issuer {words['issuer']}"))
    alert = Alert(
        issuer=words["issuer"],
        seq=seq,
        status=_named(Status, words.get("status", "exercise")),
        msg_type=_named(MsgType, words.get("msg_type", "alert")),
        chain=chain_of(sender, str(words.get("identifier", seq))),
        event=words["event"],
        level=_named(Level, words["level"]),
        action=_named(ActionCode, words["action"]),
        onset=None,
        expires=now + _seconds(words.get("minutes", MINUTES)),
        area=tuple(_code(area) for area in words["area"]),
        text_digest=digest_of(text),
    )
    return alert, text


def after(original: Alert, what: MsgType, text: str, *, issuer: int, last: int, now: int) -> Alert:
    """What takes an alert back (a cancel), or says that its danger has passed (an update that says all-clear): of the same
    event, for the same places, and to be heard wherever the alert was.
    """
    return replace(
        original,
        issuer=issuer,
        seq=next_seq(max(last, original.seq), now),
        msg_type=what,
        action=ActionCode.ALL_CLEAR,
        onset=None,
        expires=max(original.expires, now + STANDS),
        text_digest=digest_of(text),
    )


def read_beacon(file: Path) -> Beacon:
    return open_beacon(file.read_bytes())[0]


def beacon_of(issuer: int, keyset: int, alerts: Sequence[Alert], now: int) -> Beacon:
    """What says that nothing else is in force: the issuer's alerts that have not expired, each for its areas."""
    standing = [alert for alert in alerts if alert.issuer == issuer and alert.expires > now]
    codes = {(alert.seq, item if isinstance(item, int) else EVERYWHERE) for alert in standing for item in alert.area}
    return Beacon(issuer, now, keyset, tuple(sorted(codes)))


def read_sealed(data: bytes) -> Alert:
    """The alert inside a seal, unverified: only to know where to publish it and what to ask first."""
    sealed, _text_beside = uncarry(data)
    return alert_cbor.decode(cose.decode(sealed, alert_cbor.MAX_PAYLOAD).payload)


def areas_of(alert: Alert) -> list[str]:
    """Codes of an alert as people write them; an area that is only a shape is published to all."""
    return [_text(item) for item in alert.area]


def topics_of(alert: Alert, root: str) -> list[str]:
    """Where it is published: once for each of its areas."""
    return [warning(root, area, str(alert.issuer), alert.seq) for area in dict.fromkeys(areas_of(alert))]


def _text(item: Item) -> str:
    return code_text(item) if isinstance(item, int) else "all"


def _seconds(minutes: float) -> int:
    """What is over at once, or never, was mistyped."""
    if not 0 < minutes <= LONGEST:
        raise LocalError("minutes", f"{minutes}: more than 0 and at most {LONGEST:.0f}, ten days")
    return max(1, round(minutes * 60))


def _code(text: str) -> int:
    return parse_code(str(text))


def _named(kind: type[E], word: object) -> E:
    """What a person calls it, as `all-clear`; LocalError says what there is instead."""
    name = str(word).upper().replace("-", "_")
    if name not in kind.__members__:
        known = ", ".join(one.lower().replace("_", "-") for one in kind.__members__ if one != "NONE")
        raise LocalError("words", f"{word!r:.40} is none of {known}")
    return kind[name]


def _permissions(names: Sequence[str]) -> Permission:
    granted = Permission.NONE
    for name in names:
        granted |= _named(Permission, name)
    return granted
