"""`fengsui decode` of the languages that sensors and other stations speak: captures in, rows out, whatever comes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.cli import main
from protocols import dlt645_items, hj212, sdi12_decode, sl651_decode, szy206, vaisala_decode

KINDS = {
    "sdi12": sdi12_decode.decode,
    "vaisala": vaisala_decode.decode,
    "dlt645": dlt645_items.decode_all,
    "sl651": sl651_decode.decode,
    "szy206": szy206.decode_all,
    "hj212": hj212.decode_all,
}


def test_an_sdi12_conversation():
    rows = sdi12_decode.decode(b">0M!\r\n<00053\r\n<0\r\n>0D0!\r\n<0+3.14OqZ\r\n>0IM_001!\n<0,PW,BAR;\n<1+2\n0Q!\n+1\n")
    assert rows == [
        {"command": "0M!", "address": "0", "verb": "M"},
        {"answer": "00053", "address": "0", "seconds": 5, "expected": 3},
        {"answer": "0", "address": "0", "service_request": True},
        {"command": "0D0!", "address": "0", "verb": "D"},
        {"answer": "0+3.14OqZ", "address": "0", "values": [3.14]},
        {"command": "0IM_001!", "address": "0", "verb": "M"},
        {"answer": "0,PW,BAR;", "address": "0", "fields": ["PW", "BAR"]},
        {"answer": "1+2", "error": "format"},
        {"command": "0Q!", "error": "command"},
        {"answer": "+1", "error": "format"},
    ]
    assert sdi12_decode.decode(b"0+3.14OqZ")[0]["values"] == [3.14]


def test_a_transmitters_lines():
    good, bad = vaisala_decode.decode(
        b"0r5,Th=25.0C,Vh=10.6#,Vs=10.8V,Vr=3.369VO]T\r\n0r5,Th=25.1C,Vh=10.6#,Vs=10.8V,Vr=3.369VO]T\r\n"
    )
    assert good["fields"]["Vh"] == {"value": None, "unit": "#"}
    assert (good["kind"], good["crc"], bad["error"]) == ("R5", True, "crc")


SAMPLES = {
    "sdi12": ("0+3.14OqZ", "values"),
    "vaisala": ("0R1,Dm=027D,Sm=0.1M", "fields"),
    "dlt645": ("686101000000006891063334343534431016", "value"),
    "sl651": ("7E7E01001234567812342F0008020003591011155111036BCA", "serial"),
    "szy206": ("681A68B35303810D00C00059000000826110000001106000004508090A3516", "flow_m3s"),
    "hj212": ("##0077QN=20120416225111069;ST=91;CN=9021;PW=122333;MN=88888880000006;Flag=1;CP=&&&&4100", "header"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_on_the_command_line(kind, capsys):
    said, wanted = SAMPLES[kind]
    assert main(["decode", kind, said]) == 0
    assert wanted in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("kind", KINDS)
@given(st.binary(max_size=120))
def test_no_capture_makes_a_decoder_fall(kind, data):
    for row in KINDS[kind](data):
        json.dumps(row, allow_nan=False)
