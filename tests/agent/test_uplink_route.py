"""A route's table: what is wrong with it is said before anything starts."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.links.route import RouteConfig


def codes(tmp_path, **changes):
    route = RouteConfig(**({"name": "p", "url": "mqtts://broker.example"} | changes))
    return [(problem.key, problem.code) for problem in route.check(tmp_path)]


def test_a_plain_route_is_good(tmp_path):
    assert codes(tmp_path) == []
    assert RouteConfig(name="p", url="mqtts://broker.example").endpoint == ("broker.example", 8883, True)
    assert RouteConfig(name="p", url="mqtt://[::1]:1884").endpoint == ("::1", 1884, False)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"url": "http://x"}, ("url", "route.url")),
        ({"url": "mqtt://"}, ("url", "route.url")),
        ({"url": "mqtt://user:secret@host"}, ("url", "route.url")),
        ({"url": "mqtt://host:99999"}, ("url", "route.url")),
        ({"url": "mqtt://host", "ca": "ca.pem"}, ("url", "route.tls_unused")),
        ({"root": "a/#"}, ("root", "route.root")),
        ({"cert": "a.pem"}, ("key", "route.half_pair")),
        ({"ca": "missing.pem"}, ("ca", "route.no_file")),
        ({"max_inflight": 0}, ("max_inflight", "route.range")),
        ({"max_message": 10}, ("max_message", "route.range")),
        ({"patience": 1.0}, ("patience", "route.range")),
    ],
)
def test_mistakes_have_their_code(tmp_path, changes, found):
    assert found in codes(tmp_path, **changes)


def test_an_open_secret_is_refused(tmp_path):
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0o644)
    assert codes(tmp_path, credentials="secret") == [("credentials", "route.open_file")]
    (tmp_path / "secret").chmod(0o600)
    assert codes(tmp_path, credentials="secret") == []


def test_advice_for_what_works_and_is_weak():
    def advice(**changes):
        return [one.code for one in RouteConfig(**({"name": "p", "url": "mqtt://host"} | changes)).advice()]

    assert advice() == []
    assert advice(version="3.1.1") == ["route.no_refusals"]
    assert advice(credentials="c") == ["route.plain_password"]
    assert advice(credentials="c", url="mqtt://localhost") == []


def test_a_metered_link_pings_less():
    assert RouteConfig(name="p", url="mqtt://h").keepalives() == (10, 30)
    assert RouteConfig(name="p", url="mqtt://h", metered=True).keepalives() == (60, 300)
    assert RouteConfig(name="p", url="mqtt://h", metered=True, keepalive=20).keepalives() == (20, 300)


def test_unknown_keys_are_refused():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "p", "url": "mqtt://h", "insecure": True}, RouteConfig)


@given(st.text(max_size=60))
def test_any_address_is_good_or_a_problem(text):
    route = RouteConfig(name="p", url=text)
    try:
        host, port, _tls = route.endpoint
    except ValueError:
        return
    assert host
    assert 0 < port < 65_536
