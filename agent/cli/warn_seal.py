"""The steps of `fengsui warn` that put a signature under an alert: the real thing, the drill, the second holder, the end."""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from agent.alerts import places
from agent.cli.common import complain, print_json
from agent.cli.warn import NAMES
from agent.issue import WORDS, after, draft, load_keys, read_sealed
from agent.say import say
from protocols.alert import ActionCode, Alert, MsgType, Status
from protocols.area import code_text
from protocols.errors import LocalError, ProtocolError
from protocols.seal import carry, seal
from protocols.seal import countersign as join
from protocols.seal_json import decode_sealed

WRONG = (ProtocolError, ValueError, OSError)
LARGEST = 1 << 16  # bytes of a sealed alert with its text


def sign(options: argparse.Namespace) -> int:
    return _finish(options, lambda: _real(options))


def exercise(options: argparse.Namespace) -> int:
    """Whatever its source says of itself: nothing that this step seals is more than a drill."""

    def make() -> bytes:
        alert, text = _drafted(options, Status.EXERCISE)
        return _sealed(options, replace(alert, status=Status.EXERCISE), text)

    return _finish(options, make)


def countersign(options: argparse.Namespace) -> int:
    """Shown before it is signed: the second holder answers for what it says."""

    def make() -> bytes:
        data = read(options.file)
        print_json(decode_sealed(data))
        (key,) = load_keys([options.key])
        confirm(read_sealed(data), options)
        return join(data, key)

    return _finish(options, make, quiet=True)


def cancel(options: argparse.Namespace) -> int:
    return _finish(options, lambda: _after(options, MsgType.CANCEL))


def allclear(options: argparse.Namespace) -> int:
    return _finish(options, lambda: _after(options, MsgType.UPDATE))


def confirm(alert: Alert, options: argparse.Namespace) -> None:
    """A real alert goes on only when the name of its widest area was typed (of several so wide, one), or the code of one that
    has no name; LocalError otherwise. For a shape that is `all`, where it is published. What ends one is not asked for.
    """
    ends = alert.msg_type is MsgType.CANCEL or alert.action is ActionCode.ALL_CLEAR
    if alert.status is not Status.ACTUAL or ends:
        return
    names, codes = _names(options.names), _widest(alert)
    shapes = any(not isinstance(item, int) for item in alert.area)
    typed = options.typed
    if typed is None and sys.stdin.isatty():
        level, action = alert.level.name.lower(), alert.action.name.lower()
        area = ", ".join(
            [*(f"{names.whole(code)} = {code_text(code)}" for code in codes), *(["all"] if shapes else [])]
        )
        typed = input(say("warn.typed_name", event=alert.event, level=level, action=action, area=area))
    if typed is None or not (names.is_meant(typed, codes) or (shapes and typed.strip() == "all")):
        raise LocalError("not-typed", say("warn.not_typed"))


def _widest(alert: Alert) -> list[int]:
    """A village's name must not pass a county beside it."""
    codes = [item for item in alert.area if isinstance(item, int)]
    digits = {code: len(str(code)) if code else 0 for code in codes}
    return [code for code in codes if digits[code] == min(digits.values())]


def _names(file: Path | None) -> places.Names:
    names, problems = places.load(file or (Path(NAMES) if Path(NAMES).exists() else None))
    if problems:
        raise LocalError("names", "; ".join(say(one.code, **one.facts) for one in problems))
    return names


def read(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(LARGEST)


def _real(options: argparse.Namespace) -> bytes:
    alert, text = _drafted(options, Status.TEST if options.test else Status.ACTUAL)
    if alert.status is Status.EXERCISE:
        raise LocalError("exercise", say("warn.an_exercise"))
    if options.test:
        alert = replace(alert, status=Status.TEST)
    confirm(alert, options)
    return _sealed(options, alert, text)


def _drafted(options: argparse.Namespace, status: Status) -> tuple[Alert, str]:
    given = {name: value for name, value in vars(options).items() if name in WORDS and value is not None}
    return draft(options.source, given, int(time.time()), status)


def _sealed(options: argparse.Namespace, alert: Alert, text: str) -> bytes:
    """Open for a second holder, unless every byte counts."""
    return carry(seal(alert, load_keys(options.key), several=not options.compact), text)


def _after(options: argparse.Namespace, what: MsgType) -> bytes:
    original = read_sealed(read(options.file))
    issuer = original.issuer if options.issuer is None else options.issuer
    alert = after(original, what, options.text, issuer=issuer, last=options.last, now=int(time.time()))
    return carry(seal(alert, load_keys(options.key), several=True), options.text)


def _finish(options: argparse.Namespace, make: Callable[[], bytes], *, quiet: bool = False) -> int:
    """Write what was made, or say why there is nothing."""
    try:
        data = make()
        if options.out is not None:
            options.out.write_bytes(data)
    except WRONG as wrong:
        complain("warn.alert", why=_why(wrong))
        return 2
    if options.out is None:
        print(data.hex())
    elif not quiet:
        print_json(decode_sealed(data) | {"file": str(options.out), "bytes": len(data)})
    return 0


def _why(wrong: Exception) -> str:
    """Some refusals have a sentence that says what to do."""
    advice = {"not-open": "warn.not_open", "signed-before": "warn.signed_before", "signers": "warn.full"}
    known = isinstance(wrong, LocalError) and wrong.reason in advice
    return f"{wrong} ({say(advice[wrong.reason])})" if known and isinstance(wrong, LocalError) else str(wrong)
