"""TLS on a real broker: the good one is believed, every bad one is not, and a dead clock does not cut the last link."""

import asyncio
import datetime as dt
import ssl

import pytest

from agent.links.mqtt import LinkDown, Options
from agent.links.mqtt_connection import Connection
from agent.links.tls import NO_CHECK_TIME, SecretError, Tls, credentials, find, readable_by_others
from protocols.alert import ClockReading
from tests.support.broker import Broker
from tests.support.certs import DAY, Authority, self_signed

pytestmark = pytest.mark.broker
NOW = int(dt.datetime.now(dt.UTC).timestamp())


def clock(trusted=True, floor=NOW - 86_400):
    return lambda: ClockReading(NOW, floor, trusted)


def try_once(broker, tls, host="localhost", **more):
    async def main():
        connection = Connection(Options(host=host, port=broker.port, client_id="s1", tls=tls, **more))
        try:
            await connection.open()
        except LinkDown as down:
            return down.reason, down.detail
        granted = connection.granted
        await connection.close()
        return "up", granted.untimed

    return asyncio.run(main())


def serve(directory, pair, authority=None, extra=()):
    files = {"certfile": pair.cert, "keyfile": pair.key}
    if authority is not None:
        files["cafile"] = authority.ca
    return Broker(directory / "broker", tls=files, extra=extra)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def trust(authority, *, trusted=True, floor=NOW - 86_400, pair=None):
    return Tls(authority.ca, pair and pair.cert, pair and pair.key, clock(trusted, floor))


def test_a_good_server_is_believed(tmp_path, authority):
    with serve(tmp_path, authority.issue("good")) as broker:
        assert try_once(broker, trust(authority)) == ("up", False)


def test_a_client_certificate_is_shown(tmp_path, authority):
    client = authority.issue("s1", hosts=("s1",))
    with serve(tmp_path, authority.issue("good"), authority, ["require_certificate true"]) as broker:
        assert try_once(broker, trust(authority, pair=client)) == ("up", False)
        assert try_once(broker, trust(authority))[0] != "up"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("expired", "expired"),
        ("not yet valid", "not yet valid"),
        ("wrong host", "Hostname mismatch"),
        ("self-signed", "self-signed"),
        ("wrong authority", "unable to get local issuer"),
    ],
)
def test_a_bad_server_is_refused(tmp_path, authority, bad, why):
    pair = {
        "expired": lambda: authority.issue("expired", starts=-10 * DAY, ends=-DAY),
        "not yet valid": lambda: authority.issue("early", starts=DAY),
        "wrong host": lambda: authority.issue("other", hosts=("other.example",)),
        "self-signed": lambda: self_signed(tmp_path),
        "wrong authority": lambda: Authority(tmp_path / "other", "Another authority").issue("stranger"),
    }[bad]()
    with serve(tmp_path, pair) as broker:
        reason, detail = try_once(broker, trust(authority))
        assert reason == "tls.certificate"
        assert why in detail


def test_tls_1_1_is_refused(tmp_path, authority):
    """A real server of the last century: Python's own, because Mosquitto no longer speaks it."""
    pair = authority.issue("old")

    async def main():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        connection = Connection(Options(host="localhost", port=port, client_id="s1", tls=trust(authority)))
        with pytest.raises(LinkDown) as down:
            await connection.open()
        server.close()
        return down.value.reason

    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        assert asyncio.run(main()) in {"tls.version", "tls.failed"}


def test_a_plain_server_is_not_talked_to(tmp_path, authority):
    with Broker(tmp_path / "plain") as broker:
        assert try_once(broker, trust(authority))[0].startswith(("tls.", "unreachable", "timeout"))


@pytest.mark.parametrize("trusted", [True, False])
def test_an_untrusted_clock_leaves_validity_times_out_and_nothing_else(tmp_path, authority, trusted):
    early = authority.issue("early2", starts=DAY)
    with serve(tmp_path, early) as broker:
        reason, detail = try_once(broker, trust(authority, trusted=trusted))
        assert (reason, detail) == ("up", True) if not trusted else reason == "tls.certificate"


@pytest.mark.parametrize("bad", ["wrong host", "wrong authority"])
def test_an_untrusted_clock_still_checks_chain_and_name(tmp_path, authority, bad):
    stranger = Authority(tmp_path / "other2")
    pair = authority.issue("o2", hosts=("other.example",)) if bad == "wrong host" else stranger.issue("st2")
    with serve(tmp_path, pair) as broker:
        assert try_once(broker, trust(authority, trusted=False))[0] == "tls.certificate"


def test_a_certificate_that_ended_before_the_time_floor_is_refused_by_hand(tmp_path, authority):
    expired = authority.issue("expired2", starts=-100 * DAY, ends=-50 * DAY)
    with serve(tmp_path, expired) as broker:
        assert try_once(broker, trust(authority, trusted=False, floor=NOW))[0] == "tls.certificate"
        before_its_end = NOW - 60 * 86_400
        assert try_once(broker, trust(authority, trusted=False, floor=before_its_end)) == ("up", True)


def test_the_password_is_never_sent_to_a_server_that_was_refused(tmp_path, authority):
    secret = tmp_path / "credentials"
    secret.write_text('username = "s1"\npassword = "canary"\n')
    secret.chmod(0o600)
    seen = bytearray()

    async def main():
        async def read(reader, writer):
            seen.extend(await reader.read(4096))
            writer.close()

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pair = authority.issue("expired3", starts=-100 * DAY, ends=-50 * DAY)
        context.load_cert_chain(pair.cert, pair.key)
        server = await asyncio.start_server(read, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        tls = trust(authority, trusted=False, floor=NOW)
        connection = Connection(Options(host="localhost", port=port, client_id="s1", tls=tls, credentials=secret))
        with pytest.raises(LinkDown):
            await connection.open()
        await asyncio.sleep(0.1)
        server.close()

    asyncio.run(main())
    assert bytes(seen) == b""


def test_there_is_no_way_to_ask_for_less(authority):
    context = trust(authority).context()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert not context.verify_flags & NO_CHECK_TIME
    assert trust(authority, trusted=False).context().verify_mode == ssl.CERT_REQUIRED


def test_secrets_stay_secret(tmp_path, monkeypatch):
    path = tmp_path / "credentials"
    path.write_text('username = "s1"\npassword = "canary"\n')
    path.chmod(0o640)
    with pytest.raises(SecretError) as error:
        credentials(path)
    path.chmod(0o600)
    read = credentials(path)
    assert (read.username, read.password) == ("s1", "canary")
    assert "canary" not in repr(credentials(path)) + str(error.value)
    path.write_text('username = "s1"\npasword = "canary"\n')
    with pytest.raises(SecretError) as error:
        credentials(path)
    assert "canary" not in str(error.value)
    assert error.value.__cause__ is None


def test_systemd_credentials_go_first_and_are_guarded_by_systemd(tmp_path, monkeypatch):
    given = tmp_path / "run"
    given.mkdir()
    (given / "mqtt").write_text('username = "s1"\n')
    (given / "mqtt").chmod(0o440)
    assert find(tmp_path, "mqtt") == tmp_path / "mqtt"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given))
    assert find(tmp_path, "mqtt") == given / "mqtt"
    assert not readable_by_others(given / "mqtt")
    assert find(tmp_path, "other") == tmp_path / "other"
