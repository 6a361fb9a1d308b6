"""Whatever a radio can deliver to a station: bounded, counted, silent. And what is meant for it comes through all the same."""

import asyncio
import random
from types import SimpleNamespace

import pytest

from agent.bearers.line import Line
from buffer.model import Lane
from drivers.api import Datagram
from protocols.narrow import command, control, fragments, header, hello, sealed
from protocols.narrow.command import Command
from protocols.narrow.header import Frame, Kind, Piece
from protocols.narrow.receipt import Addressed, Receipt, encode_many
from tests.support.narrow import village
from tests.support.patient import run

BEIDOU = {"interval": 60.0, "latency": 2.0, "mtu": 77, "far_interval": 0.1}
LORA = {"interval": 5.0, "latency": 0.1, "mtu": 100, "broadcast": True, "far_interval": 0.02}


async def met(site):
    await site.until(lambda: site.dispatch().pact.known, 600)


def line(site):
    return next(iter(site.fleet.lines.values()))


def datagram(data, sender=""):
    return Datagram(data, sender)


async def throw(site, data, name="beidou"):
    """At the station, whatever it is."""
    end = site.far.ends[name]
    await end.send(data)
    await site.passes(0.2)


def test_garbage_by_the_thousand_is_counted_and_answered_by_nothing(tmp_path):
    async def story():
        async with village(tmp_path, {"lora": LORA}) as site:
            await met(site)
            await site.passes(60)
            chance, sent = random.Random(5), line(site).bearer.counts["sent"]
            for _ in range(3000):
                data = bytearray(chance.randbytes(chance.randint(1, 100)))
                if chance.random() < 0.7:  # at least the version is right
                    data[0] = 0x40 | (data[0] & 0x3F)
                site.far.ends["lora"]._deliver(b"\1" + bytes(data), "s1")
                await asyncio.sleep(0.01)
            await site.passes(5)
            counts = line(site).counts
            assert sum(counts.values()) > 2900
            assert len(counts) < 40
            assert site.dispatch().hearing._reassembly.bytes <= 256 * 1024
            assert site.fleet.fire._reassembly.bytes <= 128 * 1024
            assert len(line(site).owed) <= 32
            assert line(site).bearer.counts["sent"] - sent < 60
            await site.alarm()
            await site.until(lambda: not site.pending(Lane.ALARM), 300)

    run(story())


def test_ten_thousand_half_open_messages_stay_within_bounds(tmp_path):
    async def story():
        async with village(tmp_path, {"lora": LORA}) as site:
            await met(site)
            chance = random.Random(6)
            for place in range(10_000):
                kind = Kind.SEALED if place % 2 else Kind.COMMAND
                frame = Frame(kind, chance.randrange(1 << 16), chance.randbytes(60), Piece(chance.randrange(10), 12))
                site.fleet._heard(line(site), datagram(header.encode(frame)))
                if place % 100 == 0:
                    await asyncio.sleep(0.01)
            assert len(site.dispatch().hearing._reassembly) <= 4
            assert len(site.fleet.fire._reassembly) <= 32
            await site.far.warn("lora", b"\xd2genuine" * 20)
            await site.until(lambda: site.warned, 60)

    run(story())


def test_a_stranger_is_not_heard(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            await met(site)
            for _ in range(100):
                site.fleet._heard(line(site), datagram(b"\x40abcdefghijk", "13800000000"))
            assert line(site).counts["stranger"] == 100
            assert site.warned == []
            await site.far.warn("beidou", b"\xd2" + bytes(50))
            await site.until(lambda: site.warned, 60)

    run(story())


@pytest.mark.parametrize(
    ("to", "allow", "sender", "heard"),
    [
        ("0312345", [], "312345", True),
        ("coap://Headend.example:5683/up", [], "headend.example:5683", True),
        ("312345", ["312346"], "0312346", True),
        ("312345", ["*"], "7", True),
        ("312345", [], "", True),
        ("312345", [], "312346", False),
        ("", [], "312346", False),
    ],
)
def test_who_may_speak(to, allow, sender, heard):
    table = SimpleNamespace(config=SimpleNamespace(to=to), common=SimpleNamespace(allow=allow))
    assert Line(table, None, None).hears(sender) is heard


def test_forged_receipts_settle_nothing(tmp_path):
    async def story():
        async with village(tmp_path, {"lora": LORA}) as site:
            await met(site)
            site.far.mute = True
            await site.alarm()
            await site.passes(60)
            chance = random.Random(7)
            own = site.dispatch().pact.address_down
            for number in range(300):
                rows = [Addressed(own, Receipt(number), chance.randbytes(4)) for _ in range(5)]
                await throw(site, header.encode(Frame(Kind.ACKS, 1, encode_many(rows))), "lora")
            for number in range(100):
                await throw(site, header.encode(Frame(Kind.CONTROL, number, chance.randbytes(20))), "lora")
            assert site.pending(Lane.ALARM) == 1
            assert line(site).counts["forged"] >= 1500
            site.far.mute = False
            await site.until(lambda: not site.pending(Lane.ALARM), 900)

    run(story())


def test_what_is_heard_again_does_nothing_again(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            await met(site)
            taken = []
            deliver = site.fleet._heard
            site.fleet._heard = lambda at, got: (taken.append((at, got)), deliver(at, got))
            await site.far.command("beidou", Command("resend", b"cc", b'{"ranges":[]}'))
            await site.alarm()
            await site.until(lambda: not site.pending(Lane.ALARM), 600)
            await site.until(lambda: site.obeyed, 60)
            site.fleet._heard = deliver
            delivered = site.dispatch().delivered
            for _ in range(50):
                for at, got in taken:
                    deliver(at, got)
            await site.passes(300)
            assert len(site.obeyed) == 1
            assert site.dispatch().delivered == delivered
            assert (site.obeyed[0].verb, site.obeyed[0].correlation) == ("resend", b"cc")

    run(story())


def test_a_command_in_pieces_is_acknowledged_and_obeyed_once_over_a_restart(tmp_path):
    heard = []

    async def first():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            await met(site)
            deliver = site.fleet._heard
            site.fleet._heard = lambda at, got: (heard.append(got), deliver(at, got))
            number = await site.far.command("beidou", Command("resend", b"cc", b"x" * 300))
            await site.until(lambda: Receipt(number) in site.far.receipts, 900)
            await site.until(lambda: site.obeyed, 60)
            assert site.obeyed[0].payload == b"x" * 300
            return site.private

    async def second(private):
        async with village(tmp_path, {"beidou": BEIDOU}, private=private, far=False) as site:
            for got in heard:
                site.fleet._heard(line(site), got)
            await site.passes(60)
            assert site.obeyed == []
            assert line(site).counts["again"] == len(heard)

    private = run(first())
    run(second(private))


def test_a_command_that_is_none_is_refused(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            await met(site)
            message = site.far.epochs.current.seal(Kind.COMMAND, b"\xff\xff")
            await site.far.say("beidou", fragments.cut(message, 77)[0]._replace(wanted=True))
            await site.until(lambda: [one for one in site.far.receipts if one.refused], 600)
            assert site.obeyed == []

    run(story())


@pytest.mark.parametrize("size", [40, 140, 600])
def test_a_warning_in_pieces_by_two_bearers_is_handed_over_by_both(tmp_path, size):
    data = b"\xd2" + bytes(range(256)) * 3

    async def story():
        async with village(tmp_path, {"beidou": BEIDOU, "lora": LORA}) as site:
            for name in ("beidou", "lora"):
                await site.far.warn(name, data[:size])
            await site.until(lambda: len(site.warned) == 2, 60)
            assert dict(site.warned) == {"beidou": data[:size], "lora": data[:size]}

    run(story())


def test_pieces_of_a_forger_do_not_end_the_waiting_for_the_right_ones(tmp_path):
    data = b"\xd2" + random.Random(9).randbytes(130)

    async def story():
        async with village(tmp_path, {"lora": LORA | {"mtu": 77}}, genuine=lambda found: found == data) as site:
            good = list(fragments.cut(sealed.message(data), 77).values())
            bad = [frame._replace(body=bytes(len(frame.body))) for frame in good]
            for frame in (bad[0], good[0], bad[1], good[1]):
                await throw(site, header.encode(frame), "lora")
            await site.until(lambda: site.warned, 10)
            assert site.warned == [("lora", data)]

    run(story())


def test_where_warnings_are_not_wanted_none_is_handed_over(tmp_path):
    async def story():
        async with village(tmp_path, {"lora": LORA | {"warnings": False}}) as site:
            await site.far.warn("lora", b"\xd2" + bytes(30))
            await site.passes(30)
            assert site.warned == []

    run(story())


def test_a_hello_or_an_answer_of_somebody_else_moves_nothing(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            await met(site)
            epoch = site.dispatch().pact.session.epoch
            for code in range(3):
                forged = hello.answer(bytes(16), hello.Answer(hello.Welcome(code), 1 << 31, 5), bytes(12))
                await throw(site, header.encode(forged))
            await site.passes(5)
            assert site.dispatch().pact.session.epoch == epoch
            assert site.dispatch().pact.known
            assert line(site).counts["forged"] == 3

    run(story())


def test_one_who_repeats_that_we_are_unknown_gets_a_hello_an_hour(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            await met(site)
            who = hello.answer(site.far._hello_key, hello.Answer(hello.Welcome.WHO, 0, 0), bytes(12))
            for _ in range(120):
                await throw(site, header.encode(who))
                await site.passes(60)
            assert site.far.kinds["hello"] <= 1 + 2 + 1

    run(story())


def test_a_digest_or_an_event_from_above_is_refused(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            await met(site)
            for kind in (Kind.DIGEST, Kind.EVENT, Kind.DATA):
                message = site.far.epochs.current.seal(kind, b"whatever")
                await site.far.say("beidou", fragments.cut(message, 77)[0]._replace(wanted=True))
            await site.until(lambda: len([one for one in site.far.receipts if one.refused]) == 3, 600)

    run(story())


def test_time_from_the_headend_is_taken_only_for_want_of_a_better(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            await met(site)
            message = site.far.epochs.current.seal(Kind.CONTROL, control.encode([control.Time(4_000_000_000_000, 1)]))
            await site.far.say("beidou", fragments.cut(message, 77)[0])
            await site.passes(10)
            assert site.clock.read().best < 2_000_000_000

    run(story())


def test_a_command_that_is_not_wanted_here_is_not_obeyed(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU | {"commands": False}}) as site:
            await met(site)
            await site.far.command("beidou", Command("resend", b"", b"{}"))
            await site.passes(120)
            assert site.obeyed == []

    run(story())


def test_pieces_of_a_command_that_stop_coming_are_asked_for(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            await met(site)
            message = site.far.epochs.current.seal(Kind.COMMAND, command.encode(Command("resend", b"", b"y" * 200)))
            for frame in list(fragments.cut(message, 77).values())[:2]:
                await site.far.say("beidou", frame)
            await site.until(lambda: [one for one in site.far.receipts if one.held == frozenset({0, 1})], 900)

    run(story())
