"""The ground side of Iridium SBD: DirectIP and the web service, spoken to as the gateways do."""

import asyncio
import shutil
import urllib.parse
import urllib.request

import pytest

from agent.headend.directip import DirectIp, DirectIpConfig
from agent.headend.rockblock import RockBlock, RockBlockConfig
from drivers.api import Accepted, Context, Declined, Unknown
from protocols import directip
from tests.support.until import until

IMEI = "300234010753370"
WITHIN = 20.0


def run(story):
    asyncio.run(asyncio.wait_for(story(), 60))


class Ground:
    """A bearer that runs, and what it heard."""

    def __init__(self, bearer):
        self.bearer, self.heard = bearer, []

    async def __aenter__(self):
        self._tasks = [asyncio.create_task(self.bearer.run()), asyncio.create_task(self._listen())]
        await until(lambda: self.bearer.port or self._tasks[0].done(), WITHIN)
        return self

    async def __aexit__(self, *_):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self):
        async for datagram in self.bearer.incoming():
            self.heard.append(datagram)


async def bring(port, data, answer=0):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    said = await reader.read(answer) if answer else b""
    writer.close()
    return said


def ip(tmp_path, **keys):
    config = DirectIpConfig(name="sbd", listen="127.0.0.1:0", allow=("127.0.0.0/8",), **keys)
    return DirectIp(config, Context(tmp_path, lambda *_: None))


def test_a_message_of_the_gateway_whole_and_in_pieces(tmp_path):
    async def story():
        async with Ground(ip(tmp_path, confirm=True)) as ground:
            data = directip.encode(directip.Mo(IMEI, 7, 1_700_000_000, b"hello"))
            said = await bring(ground.bearer.port, data, 64)
            assert directip.decode(said) == directip.MoConfirmed(taken=True)
            reader, writer = await asyncio.open_connection("127.0.0.1", ground.bearer.port)
            for byte in data:
                writer.write(bytes([byte]))
                await writer.drain()
            await reader.read(64)
            await until(lambda: len(ground.heard) == 2, WITHIN)
            assert {(one.sender, one.data) for one in ground.heard} == {(IMEI, b"hello")}

    run(story)


def test_noise_strangers_and_empty_sessions_bring_nothing(tmp_path):
    async def story():
        async with Ground(ip(tmp_path)) as ground:
            for junk in (b"GET / HTTP/1.1\r\n\r\n", b"\x01\xff\xff" + bytes(70), b"\x01\x00\x04abcd", b"\x01"):
                await bring(ground.bearer.port, junk)
            await bring(ground.bearer.port, directip.encode(directip.Mo(IMEI, 8, 1_700_000_000)))
            await until(lambda: ground.bearer.counters.total() >= 5, WITHIN)
            assert ground.heard == []
        only = DirectIp(DirectIpConfig(name="sbd", listen="127.0.0.1:0"), Context(tmp_path, lambda *_: None))
        async with Ground(only) as ground:
            await bring(ground.bearer.port, directip.encode(directip.Mo(IMEI, 7, 1_700_000_000, b"forged")))
            await until(lambda: ground.bearer.counters["stranger"], WITHIN)
            assert ground.heard == []

    run(story)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(3, Accepted("77")), (-5, Declined("queue-full", 60.0)), (-2, Declined("imei-unknown", None))],
)
def test_a_message_for_a_modem(tmp_path, status, outcome):
    async def story():
        seen = []

        async def gateway(reader, writer):
            head = await reader.readexactly(directip.HEAD)
            seen.append(directip.decode(head + await reader.readexactly(directip.length(head))))
            writer.write(directip.encode(directip.MtConfirmed(seen[0].client, IMEI, 77 if status > 0 else 0, status)))
            writer.close()

        server = await asyncio.start_server(gateway, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        bearer = ip(tmp_path, gateway=f"127.0.0.1:{port}")
        assert await bearer.send(b"down", IMEI) == outcome
        assert (seen[0].imei, seen[0].payload) == (IMEI, b"down")
        server.close()
        await server.wait_closed()
        assert isinstance(await bearer.send(b"down", IMEI), Unknown)
        assert await ip(tmp_path).send(b"down", IMEI) == Declined("no-gateway", None)

    run(story)


def test_the_web_service_both_ways(tmp_path):
    (tmp_path / "account.toml").write_text('username = "u"\npassword = "p"\n')
    (tmp_path / "account.toml").chmod(0o600)
    form = {"imei": IMEI, "momsn": "12", "transmit_time": "26-11-22 08:00:00", "data": b"hello".hex()}
    form |= {"iridium_latitude": "30.5", "iridium_longitude": "114.3", "iridium_cep": "8"}

    async def story():
        from aiohttp import web

        posted, answers = [], ["OK,4711", "FAILED,15,Data too long", "what?"]

        async def service(request):
            posted.append(dict(await request.post()))
            return web.Response(text=answers.pop(0))

        app = web.Application()
        app.router.add_post("/mt", service)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/mt"
        config = RockBlockConfig(name="rb", listen="127.0.0.1:0", url=url, account="account.toml")
        async with Ground(RockBlock(config, Context(tmp_path, lambda *_: None))) as ground:
            here = f"http://127.0.0.1:{ground.bearer.port}/rockblock"

            def post(data):
                try:
                    return urllib.request.urlopen(here, data, timeout=10).status
                except urllib.error.HTTPError as refused:
                    return refused.code

            assert await asyncio.to_thread(post, urllib.parse.urlencode(form).encode()) == 200
            assert await asyncio.to_thread(post, b"nonsense") == 400
            await until(lambda: ground.heard, WITHIN)
            assert [(one.sender, one.data) for one in ground.heard] == [(IMEI, b"hello")]
            assert await ground.bearer.send(b"down", IMEI) == Accepted("4711")
            assert posted[0]["data"] == b"down".hex()
            refused = await ground.bearer.send(b"down", IMEI)
            assert isinstance(refused, Declined)
            assert refused.retry_after is None
            assert isinstance(await ground.bearer.send(b"down", IMEI), Unknown)
            assert isinstance(await ground.bearer.send(bytes(271), IMEI), Declined)
        await runner.cleanup()

    run(story)


def test_libcoap_posts_a_datagram(tmp_path):
    from agent.headend.coap import CoapServer, CoapServerConfig
    from tests.support.broker import free_port

    client = shutil.which("coap-client-notls") or shutil.which("coap-client")
    if client is None:
        pytest.skip("libcoap's client is not installed (Debian: libcoap3-bin)")
    port = free_port()
    ground = CoapServer(CoapServerConfig(name="ip", listen=f"127.0.0.1:{port}"), Context(tmp_path, lambda *_: None))

    async def story():
        async with Ground(ground) as here:
            (tmp_path / "frame").write_bytes(b"hello")
            command = [client, "-m", "post", "-f", str(tmp_path / "frame"), f"coap://127.0.0.1:{port}/up/s1"]
            done = await asyncio.create_subprocess_exec(*command)
            assert await done.wait() == 0
            await until(lambda: here.heard, WITHIN)
            assert [(one.sender, one.data) for one in here.heard] == [("s1", b"hello")]

    run(story)


def test_coap_both_ways_with_the_stations_own_driver(tmp_path):
    from agent.headend.coap import CoapServer, CoapServerConfig
    from drivers.bearers.coap import Coap, CoapConfig
    from tests.support.broker import free_port

    port = free_port()
    base = f"coap://127.0.0.1:{port}"
    context = Context(tmp_path, lambda *_: None)
    ground = CoapServer(CoapServerConfig(name="ip", listen=f"127.0.0.1:{port}"), context)
    config = CoapConfig(
        name="ip", to=f"{base}/up/s1", source=f"{base}/down/s1", poll=0.2, ack_timeout=1.0, retries=2, latency=0.1
    )

    async def story():
        async with Ground(ground) as here:
            station = Coap(config, context)
            heard = []

            async def listen():
                async for datagram in station.incoming():
                    heard.extend([datagram.data])

            tasks = [asyncio.create_task(work) for work in (station.run(), listen())]
            sent = Declined("socket")
            while isinstance(sent, Declined):
                sent = await station.send(b"hello")
                await asyncio.sleep(0.05)
            assert isinstance(sent, Accepted)
            await until(lambda: here.heard, WITHIN)
            assert [(one.sender, one.data) for one in here.heard] == [("s1", b"hello")]
            for data in (b"first", b"second", b"third"):
                assert await ground.send(data, "s1") == Accepted()
            await until(lambda: len(heard) == 3, WITHIN)
            assert heard == [b"first", b"second", b"third"]
            assert await ground.send(bytes(513), "s1") == Declined("size", None)
            for number in range(64):
                await ground.send(bytes([number]), "s2")
            assert await ground.send(b"more", "s2") == Declined("full", 60.0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    run(story)
