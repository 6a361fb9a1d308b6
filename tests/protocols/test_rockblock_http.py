"""RockBLOCK's HTTP: forms and JSON, signed and not, forged and damaged."""

import base64
import json
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from protocols import rockblock_http
from protocols.errors import LocalError, RemoteError
from protocols.rockblock_http import (
    GROUND_CONTROL,
    Failed,
    Queued,
    RockBlockMo,
    form,
    load_key,
    mt_answer,
    mt_fields,
    parse,
)

PRIVATE = rsa.generate_private_key(65537, 2048)
KEY = PRIVATE.public_key()
FIELDS = {
    "imei": "300234010753370",
    "device_type": "ROCKBLOCK",
    "serial": "12345",
    "momsn": "12345",
    "transmit_time": "21-10-31 10:41:50",
    "iridium_latitude": "52.3867",
    "iridium_longitude": "0.2938",
    "iridium_cep": "8.0",
    "iridium_session_status": "0",
    "data": b"Hello World RockBLOCK".hex(),
}
MESSAGE = RockBlockMo("300234010753370", 12345, 1635676910, b"Hello World RockBLOCK", 52.3867, 0.2938, 8.0)


def unpadded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(claims, algorithm="RS256", private=PRIVATE):
    signed = unpadded(json.dumps({"alg": algorithm}).encode()) + "." + unpadded(json.dumps(claims).encode())
    return signed + "." + unpadded(private.sign(signed.encode(), PKCS1v15(), SHA256()))


def signed(fields=FIELDS, **options):
    return {**fields, "JWT": token({"iss": "Rock 7", "iat": 1635676911, **fields}, **options)}


def as_form(fields):
    return urlencode(fields).encode()


def as_json(fields):
    """The server writes numbers as numbers there."""
    plain = {"momsn": int, "serial": int, "iridium_latitude": float, "iridium_longitude": float, "iridium_cep": float}
    return json.dumps({name: plain.get(name, str)(value) for name, value in fields.items()}).encode()


@pytest.mark.parametrize("written", [as_form, as_json])
def test_a_message_signed_and_not(written):
    assert parse(written(FIELDS)) == MESSAGE
    assert parse(written(signed())) == MESSAGE
    assert parse(written(signed()), KEY) == MESSAGE._replace(signed=True)


@pytest.mark.parametrize("name", ["imei", "momsn", "transmit_time", "data"])
def test_what_the_token_does_not_say_is_not_believed(name):
    other = {"imei": "300234010753371", "momsn": "1", "transmit_time": "21-10-31 10:41:51", "data": "00"}
    with pytest.raises(RemoteError, match=f"claims: {name}"):
        parse(as_form({**signed(), name: other[name]}), KEY)


def test_forgeries():
    stranger = rsa.generate_private_key(65537, 2048)
    for fields, reason in (
        (FIELDS, "unsigned"),
        (signed(private=stranger), "signature"),
        (signed(algorithm="none"), "algorithm"),
        (signed(algorithm="HS256"), "algorithm"),
        ({**FIELDS, "JWT": ""}, "json"),
        ({**FIELDS, "JWT": "a.b"}, "token"),
        ({**FIELDS, "JWT": "é.é.é"}, "token"),
        ({**FIELDS, "JWT": signed()["JWT"][:-4] + "AAAA"}, "signature"),
    ):
        with pytest.raises(RemoteError) as wrong:
            parse(as_form(fields), KEY)
        assert wrong.value.reason == reason


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("imei", "30023401075337", "imei"),
        ("imei", "３００２３４０１０７５３３７０", "imei"),
        ("momsn", "-1", "momsn"),
        ("transmit_time", "yesterday", "time"),
        ("transmit_time", "21-13-31 10:41:50", "time"),
        ("data", "0x00", "data"),
        ("data", "00" * 1961, "length"),
    ],
)
def test_wrong_fields(name, value, reason):
    with pytest.raises(RemoteError) as wrong:
        parse(as_form({**FIELDS, name: value}))
    assert wrong.value.reason == reason


def test_fields_that_are_missing_or_too_many():
    with pytest.raises(RemoteError, match="missing"):
        parse(b"imei=300234010753370")
    with pytest.raises(RemoteError, match="fields"):
        parse(b"&".join([b"a=b"] * 65))
    with pytest.raises(RemoteError, match="length"):
        parse(b"a" * 16_385)
    assert parse(as_form({**FIELDS, "iridium_latitude": "nan"})).latitude is None


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=10))
def test_forms_as_others_write_them(fields):
    assert form(as_form(fields)) == fields


@given(st.one_of(st.binary(max_size=400), st.binary(max_size=100).map(lambda tail: b'{"JWT":"' + tail)))
def test_noise_is_refused_and_nothing_worse(body):
    for key in (None, KEY):
        with pytest.raises(RemoteError):
            parse(body, key)


@given(st.text(max_size=60))
def test_a_token_of_noise(text):
    with pytest.raises(RemoteError):
        rockblock_http.verify(text, KEY)


def test_keys():
    assert load_key(GROUND_CONTROL).key_size == 2048
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    short = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505 - too short is the point
    for key in (curve, short):
        with pytest.raises(LocalError):
            load_key(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(LocalError):
        load_key(b"no key")


def test_the_other_way():
    assert mt_fields("300234010753370", "me", "secret", b"\1\2") == {
        "imei": "300234010753370",
        "username": "me",
        "password": "secret",
        "data": "0102",
    }
    assert mt_fields("300234010753370", "me", "secret", b"\1", flush=True)["flush"] == "yes"
    for data in (b"", bytes(271)):
        with pytest.raises(LocalError):
            mt_fields("300234010753370", "me", "secret", data)
    assert mt_answer("OK,4114651") == Queued("4114651")
    assert mt_answer("FAILED,13,Your account has insufficient credit\n") == Failed(13, "no-credit")
    assert mt_answer("FAILED,42,who knows") == Failed(42, "unavailable")
    for text in ("", "OK", "FAILED", "FAILED,x", "<html>"):
        with pytest.raises(RemoteError):
            mt_answer(text)
