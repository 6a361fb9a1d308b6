"""A library that others drive their modems with drives the simulated one: what the two agree on is what real modems say."""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from drivers.simulated.hosted import MachineLine
from drivers.simulated.sbd import SbdGateway, SbdModem
from tests.drivers.modbus_world import run

pyrockblock = pytest.importorskip("pyRockBlock.pyRockBlock")


def with_peer(talk, waiting=b""):
    """Run `talk(peer)` in a thread of its own against a modem behind a pseudo-terminal; gives the modem and the answer."""
    modem = SbdModem(SbdGateway(), chance=random.Random(1), session=(0.05, 0.1))
    if waiting:
        modem.gateway.queue(modem.imei, waiting)
    answers = []

    async def main():
        async with MachineLine(modem, 19_200) as line:
            with ThreadPoolExecutor(1) as pool:
                answers.append(await asyncio.get_running_loop().run_in_executor(pool, session, line))

    def session(line):
        peer = pyrockblock.RockBlock(line.path)
        assert peer.connect()
        peer.s.timeout = 5  # it waits for ever for a line that does not come, or comes otherwise
        try:
            return talk(peer)
        finally:
            peer.disconnect()

    run(main())
    return modem, answers[0]


def test_a_text_out():
    def talk(peer):
        assert peer.imei == "300234010753370"
        assert "9600" in peer.modem
        return peer.send_text("from another house")

    modem, response = with_peer(talk)
    assert (response.mo_status_code, response.mo_success, response.momsn) == (0, True, "0")
    assert [message.data for message in modem.gateway.taken] == [b"from another house"]


def test_bytes_out_with_their_sum_and_the_buffers():
    def talk(peer):
        assert peer.queue_bytes("hello")
        held = peer.get_status()
        response = peer.initiate_session()
        peer.clear_buffer(peer.BufferClear.MO_MT)
        return held, response, peer.get_status()

    modem, (held, response, after) = with_peer(talk)
    assert (held.buffer_mo, held.momsn, held.buffer_mt) == (True, 0, False)
    assert response.mo_success
    assert (after.buffer_mo, after.momsn) == (False, 1)
    assert [message.data for message in modem.gateway.taken] == [b"hello"]


def test_a_message_in():
    def talk(peer):
        response = peer.initiate_session()
        peer.write_line("AT+SBDRB")
        return response, peer.s.read_until(b"OK\r\n")

    _, (response, raw) = with_peer(talk, waiting=b"down")
    assert (response.mt_status_code, response.mtmsn, response.mt_length) == (1, "1", 4)
    assert raw == b"AT+SBDRB\r\0\4down\x01\xb8\r\nOK\r\n"


def test_a_radio_switched_off_and_a_session_refused():
    def talk(peer):
        peer.set_radio_activity(enabled=False)
        return peer.initiate_session()

    _, response = with_peer(talk)
    assert (response.mo_status_code, response.mo_success) == (34, False)


def test_signal_and_time():
    def talk(peer):
        bars = peer.signal_quality
        peer.read_next()  # its OK, which the library leaves behind
        return bars, peer.get_iridium_datetime()

    _, (bars, when) = with_peer(talk)
    assert bars == 4
    assert when.year == 2016  # the library still counts from the epoch before: ten years off
