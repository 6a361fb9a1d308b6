"""Nodes on the station's own network, over real sockets: this project's client, libcoap's, and aiocoap's where it can."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.api import Context, Lan, Problem
from drivers.collect import collect
from drivers.oscore_files import Marks, read_keys
from drivers.sensors import coap_lan
from protocols.errors import LocalError, RemoteError
from tests.support import coap as world
from tests.support.broker import free_port
from tests.support.until import until

HERE = Lan("tests", "127.0.0.1")
SERIES = {"temperature": {"name": "hut.temperature", "unit": "Cel", "span": [-40, 60]}}


class Reports(list):
    def __call__(self, kind, fields):
        self.append((kind, dict(fields)))


def made(folder, reports=None, lan=HERE, state=None, **keys):
    nodes = [
        {"name": f"node{number}", "key": str(world.key_files(folder, number)[0].name), "series": series} | keys
        for number, series in ((1, SERIES), (2, {"stage": {"name": "weir.stage", "unit": "m"}}))
    ]
    table = {"name": "nodes", "port": free_port(), "node": nodes}
    config, problems = collect(coap_lan.FACTORY.config, table)
    assert problems == []
    return coap_lan.FACTORY.create(
        config, Context(folder, Reports() if reports is None else reports, lan=lan, state=state)
    )


class Running:
    def __init__(self, source):
        self.source, self.got = source, []

    async def __aenter__(self):
        self.task = asyncio.create_task(self.source.run(self.got.extend))
        await until(lambda: self.source.address)
        self.wire = await world.Wire.open(self.source.address)
        return self

    async def __aexit__(self, *_):
        self.wire.transport.close()
        self.task.cancel()
        await asyncio.wait([self.task])

    async def post(self, node, *args, **keys):
        return node.answer(await self.wire.ask(node.request(world.post(*args, **keys))))


def pack(**record):
    return json.dumps([{"n": "temperature", "u": "Cel", "v": 21.5} | record]).encode()


def node(folder, number=1, at=0):
    return world.Node(world.key_files(folder, number)[1], at)


def test_a_node_posts_and_is_believed_as_far_as_its_series_go(tmp_path):
    async def main():
        source = made(tmp_path, state=tmp_path)
        async with Running(source) as running:
            one, two = node(tmp_path, 1), node(tmp_path, 2)
            assert (await running.post(one, pack())).code == 0x44
            assert (await running.post(two, pack())).payload == b"coap.no_series"  # that series is another node's
            assert (await running.post(one, pack(u="m"))).payload == b"senml.unit"
            assert (await running.post(one, pack(t=-60))).code == 0x44
            late, early = running.got[0], running.got[1]
            assert (late.series, late.value, late.unit) == ("hut.temperature", 21.5, "Cel")
            assert early.at <= late.at - 59_000
            assert source.status()["nodes"]["node1"]["state"] == "up"
            assert source.status()["counters"]["strange_series"] == 1
            assert all(spec.lan for spec in source.series.values())
            assert len(await source.read_once()) == 1

    asyncio.run(main())


def test_a_recorded_request_is_not_believed_after_a_restart(tmp_path):
    async def main():
        one = node(tmp_path)
        request = one.request(world.post(pack()))
        async with Running(made(tmp_path, state=tmp_path)) as running:
            await running.wire.ask(request)
            assert len(running.got) == 1
        assert json.loads((tmp_path / "coap-lan-nodes.json").read_text()) == {"node1": [0, 1]}
        async with Running(made(tmp_path, state=tmp_path)) as running:
            assert one.answer(await running.wire.ask(request)) == 0x81
            assert (await running.post(one, pack())).code == 0x44
            assert len(running.got) == 1

    asyncio.run(main())


@pytest.mark.parametrize("text", ["{", "[]", '{"node1": [1]}', '{"node1": [1, 2, 3]}', '{"node1": ["a", "b"]}'])
def test_damaged_marks_are_not_taken_for_none(tmp_path, text):
    (tmp_path / "coap-lan-nodes.json").write_text(text)

    async def main():
        reports = Reports()
        source = made(tmp_path, reports, state=tmp_path)
        task = asyncio.create_task(source.run(list))
        await until(lambda: reports)
        assert "damaged" in reports[0][1]["frames"][0]
        assert source.address is None
        task.cancel()

    asyncio.run(main())


def test_a_disk_that_refuses_costs_no_reading(tmp_path):
    async def main():
        source = made(tmp_path, state=tmp_path / "gone")
        async with Running(source) as running:
            assert (await running.post(node(tmp_path), pack())).code == 0x44
            assert source.status()["counters"]["unstored"] == 1
            assert len(running.got) == 1

    asyncio.run(main())


def test_silence_is_said_once(tmp_path):
    async def main():
        reports = Reports()
        async with Running(made(tmp_path, reports, stale="40ms")) as running:
            await until(lambda: len(reports) >= 2)
            assert {fields["device"] for _, fields in reports} == {"nodes/node1", "nodes/node2"}
            assert running.source.status()["state"] == "down"
            await running.post(node(tmp_path), pack())
            await until(lambda: "device.up" in {kind for kind, _ in reports})

    asyncio.run(main())


def test_nobody_listens_without_a_lan_and_elsewhere_it_is_tried_again(tmp_path):
    with pytest.raises(LocalError):
        made(tmp_path, lan=None)

    async def main():
        source = made(tmp_path, lan=Lan("tests", "192.0.2.1"))
        task = asyncio.create_task(source.run(list))
        await until(lambda: source.status()["counters"].get("listen"))
        assert source.status()["state"] == "down"
        with pytest.raises(RemoteError):
            await source.read_once()
        task.cancel()

    asyncio.run(main())


def test_the_address_of_an_interface():
    assert coap_lan.interface_address("lo") == "127.0.0.1"
    with pytest.raises(OSError, match="No such device"):
        coap_lan.interface_address("no-such-one")


# Peers


async def libcoap(source, *options, body=b"[]"):
    host, port = source.address
    program = shutil.which("coap-client-notls")
    if program is None:
        pytest.skip("coap-client-notls is not installed (Debian: apt install libcoap3-bin)")
    url = f"coap://{host}:{port}/readings"
    process = await asyncio.create_subprocess_exec(
        program, "-B", "2", "-v", "6", *options, url,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return (await process.communicate())[0].decode("utf-8", "replace")


def test_libcoap_without_a_key_is_told_401(tmp_path):
    async def main():
        source = made(tmp_path)
        async with Running(source) as running:
            said = await libcoap(source, "-m", "post", "-t", "110", "-e", pack().decode())
            assert "4.01" in said
            assert source.status()["counters"]["plain"] == 1
            assert await libcoap(source, "-N", "-m", "post", "-t", "110", "-e", pack().decode()) is not None
            assert running.got == []

    asyncio.run(main())


AIOCOAP_NODE = """
import asyncio, json, sys
import aiocoap
async def main():
    url, folder, body = sys.argv[1:]
    context = await aiocoap.Context.create_client_context()
    context.client_credentials.load_from_dict({"coap://*": {"oscore": {"basedir": folder}}})
    for payload in (body, "[" + ",".join([body[1:-1]] * 60) + "]"):
        request = aiocoap.Message(code=aiocoap.POST, uri=url, payload=payload.encode(), content_format=110)
        answer = await asyncio.wait_for(context.request(request).response, 20)
        print(answer.code, answer.payload)
    await context.shutdown()
asyncio.run(main())
"""


def test_aiocoap_as_a_node(tmp_path):
    """Another's OSCORE against ours, a body in pieces included."""
    python = os.environ.get("FENGSUI_AIOCOAP_OSCORE", sys.executable)
    asked = subprocess.run([python, "-c", "import aiocoap.oscore, filelock, lakers"], capture_output=True, check=False)
    if asked.returncode:
        pytest.skip("aiocoap's own OSCORE is not installed (pip install 'aiocoap[oscore]')")
    folder = tmp_path / "context"
    folder.mkdir()
    context = {"secret_hex": world.SECRET, "sender-id_hex": "01", "recipient-id_hex": b"s".hex()}
    (folder / "settings.json").write_text(json.dumps(context))

    async def main():
        source = made(tmp_path, state=tmp_path)
        async with Running(source) as running:
            host, port = source.address
            process = await asyncio.create_subprocess_exec(
                python, "-c", AIOCOAP_NODE, f"coap://{host}:{port}/readings", str(folder), pack().decode(),
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            said, complaints = await process.communicate()
            assert said.decode().splitlines() == ["2.04 Changed b''"] * 2, complaints.decode()
            assert len(running.got) == 2  # sixty of one instant are one
            assert source.status()["counters"]["posted"] == 2

    asyncio.run(main())


# Configuration


def checked(folder, lan=HERE, **changes):
    file, _ = world.key_files(folder, 1)
    table = {"name": "nodes", "node": [{"name": "one", "key": file.name, "series": SERIES}]} | changes
    config, problems = collect(coap_lan.FACTORY.config, table)
    assert problems == []
    return [problem.code for problem in coap_lan.FACTORY.check(config, Context(folder, Reports(), lan=lan))]


def test_check(tmp_path):
    assert checked(tmp_path) == []
    assert checked(tmp_path, lan=None) == ["lan.missing"]
    assert checked(tmp_path, port=0) == ["value.range"]
    assert checked(tmp_path, node=[]) == ["value.range", "lan.no_series"]
    file, _ = world.key_files(tmp_path, 1)
    one = {"name": "one", "key": file.name, "series": SERIES}
    other = {"name": "two", "key": file.name, "series": {"a": {"name": "a", "unit": "m"}}}
    assert checked(tmp_path, node=[one, other]) == ["lan.same_id"]
    assert checked(tmp_path, node=[one, one]) == ["series.twice", "lan.node_twice", "lan.same_id"]
    assert checked(tmp_path, node=[one | {"rate": 0}]) == ["value.range"]
    assert checked(tmp_path, node=[one | {"key": "none.json"}]) == ["coap.key_unreadable"]
    assert checked(tmp_path, node=[one | {"series": {"a": {"name": "A b", "unit": "furlong"}}}]) == [
        "series.name",
        "unit.unknown",
    ]
    file.chmod(0o644)
    assert checked_only(tmp_path, one) == ["coap.key_mode"]
    file.write_text('{"secret_hex": "zz"}')
    file.chmod(0o600)
    assert checked_only(tmp_path, one) == ["coap.key_wrong"]


def checked_only(folder, one):
    config, _ = collect(coap_lan.FACTORY.config, {"name": "nodes", "node": [one]})
    return [problem.code for problem in coap_lan.FACTORY.check(config, Context(folder, Reports(), lan=HERE))]


@pytest.mark.parametrize(
    "text", ["", "[]", '{"secret_hex": 1}', '{"secret_hex": "00"}', json.dumps({"secret_hex": "00" * 16, "sender-id_hex": "", "recipient-id_hex": "", "more": ""})]
)  # fmt: skip
def test_key_files_that_are_none(tmp_path, text):
    file = tmp_path / "key.json"
    file.write_text(text)
    with pytest.raises(LocalError) as wrong:
        read_keys(file)
    assert "00" * 16 not in str(wrong.value)


def test_marks_are_kept_whole(tmp_path):
    marks = Marks(tmp_path / "marks.json")
    marks.store({"a": [1, 2]})
    marks.store({"b": [3, 4]})
    assert Marks(tmp_path / "marks.json").kept == {"a": [1, 2], "b": [3, 4]}
    assert (tmp_path / "marks.json").stat().st_mode & 0o777 == 0o600
    assert Marks(None).get("a") is None
    assert isinstance(Problem("", ""), Problem)
    assert Path(tmp_path / "marks.new").exists() is False
