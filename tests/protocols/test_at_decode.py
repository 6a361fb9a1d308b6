import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.cli import main
from protocols import at_decode, sms_decode
from protocols.errors import RemoteError

HERE = Path(__file__).parent.parent
CAPTURES = HERE / "captures"
VECTORS = json.loads((HERE / "vectors/sms-pdu.json").read_text())["vectors"]
DELIVER = VECTORS[5]["pdu"]


def events(data):
    return list(at_decode.decode(data))


def test_notes_of_a_cellular_modem():
    rows = events((CAPTURES / "at-cellular-sms.txt").read_bytes())
    assert not [row for row in rows if "error" in row or row["event"] == "stray"]
    commands = [row["command"] for row in rows if row["event"] == "command"]
    assert commands[:5] == ["AT+CMGF=0", "ATE0", "AT+CMEE=1", "AT+CSMS=1", "AT+CMGS=23"]
    assert len([row for row in rows if row["event"] == "result" and row["ok"]]) == len(commands)
    sent = next(row["pdu"] for row in rows if row["event"] == "payload")
    assert (sent["to"], sent["text"]) == ("27764493806", "hello world")
    read = next(row["pdu"] for row in rows if row["event"] == "reply" and "pdu" in row)
    assert read["text"] == "重启网关"
    assert [row["line"] for row in rows if row["event"] == "unsolicited"] == [
        '+CMTI: "ME",3',
        '+CEREG: 2,1,"1A2B","01C2D3E4",7',
    ]
    assert next(row for row in rows if "signal" in row)["dbm"] == -55


def test_notes_of_a_tiantong_baseband():
    rows = events((CAPTURES / "at-tiantong.txt").read_bytes())
    assert rows[0] == {"offset": rows[0]["offset"], "event": "unsolicited", "line": "^SIMST:1"}
    assert [row["line"] for row in rows if row["event"] == "reply"] == [
        "^TETYPE: 6", "^VOICERATE: 5", "+CPIN: READY", "+CREG: 0,1",
    ]  # fmt: skip
    assert rows[-1]["registration"] == "home"


def test_a_raw_capture_with_offsets():
    raw = b"\0AT+CSQ\r\r\n+CMT: ,28\r\n" + DELIVER.encode() + b"\r\n\r\n+CSQ: 7,0\r\n\xff\xfe\r\n+CMS ERROR: 38\r\n"
    rows = events(raw)
    assert [row.get("event", row.get("error")) for row in rows] == [
        "command",
        "unsolicited",
        "reply",
        "garbage",
        "result",
    ]
    assert rows[1]["pdu"]["from"] == "+8613912345678"
    assert (rows[4]["code"], rows[4]["reason"]) == (38, "network_out_of_order")
    assert raw[rows[2]["offset"] :].startswith(b"+CSQ: 7,0")
    assert rows[3]["offset"] == raw.index(b"\xff")


def test_a_pin_is_not_shown():
    rows = events(b'AT+CPIN="1234"\r\n+CME ERROR: 16\r\n')
    assert "1234" not in json.dumps(rows)
    assert rows[1]["reason"] == "wrong_password"


def test_nothing_said():
    with pytest.raises(RemoteError) as wrong:
        events(b"\r\n \r\n")
    assert wrong.value.offset == 0


@given(st.binary(max_size=300))
def test_any_bytes_are_events(data):
    try:
        rows = events(b"AT+CMGL=4\r" + data)
    except RemoteError:
        return
    json.dumps(rows)


@given(st.binary(max_size=300))
def test_any_bytes_are_pdus_or_errors(data):
    for row in sms_decode.decode(data):
        json.dumps(row)
        assert row.get("error") is None or row["offset"] is not None


def test_pdus_one_a_line_and_joined():
    text = "\n".join(["AT+CMGL=4", *(vector["pdu"] for vector in VECTORS), "OK"])
    rows = list(sms_decode.decode(text.encode()))
    assert [row["kind"] for row in rows].count("joined") == 1
    assert next(row for row in rows if row["kind"] == "joined")["text"] == "A" * 153 + "tail of message"
    assert [row["length"] for row in rows if "length" in row] == [
        vector["tpdu_len_for_CMGS_or_CMGR"] for vector in VECTORS
    ]


def test_the_commands(capsys):
    assert main(["decode", "sms", DELIVER]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["text"], row["time"], row["centre"]) == ("重启网关", "2026-11-02T08:30:15+08:00", "+8613800100500")
    assert main(["decode", "sms", DELIVER[:-4]]) == 1
    row = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (row["error"], row["offset"]) == ("truncated", 29)
    assert main(["decode", "sms", "00G1"]) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[0])["offset"] == 2
    assert main(["decode", "at", str(CAPTURES / "at-tiantong.txt")]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 10
