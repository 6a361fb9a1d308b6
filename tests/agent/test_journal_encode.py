"""An entry that cannot be written is our own mistake: the siren sounds, it is said, and the journal goes on."""

import asyncio

import pytest
from msgspec.structs import replace

from agent.alerts import alerting
from agent.alerts.journal_entries import Active, Mark
from agent.alerts.journal_file import JournalFile, read
from tests.agent.test_alerting import CANCEL
from tests.support.alerting import Station
from tests.support.seals import T0, sealed
from tests.support.until import until

FAR = T0 + 10**9  # the machine may have been up for years


def broken(decision):
    """With what msgpack has no word for: a number beyond 64 bits, half a character."""
    entries = [
        replace(one, text="\ud800", issuer=1 << 70) if isinstance(one, Active) else one for one in decision.entries
    ]
    return alerting.Decision(
        decision.outcome, decision.change, tuple(entries), decision.orders, decision.identity, decision.facts
    )


def test_a_siren_sounds_though_its_entry_cannot_be_written_and_says_so(tmp_path, monkeypatch):
    """In real time: the journal is the real one, with its thread."""
    real = alerting.decide
    monkeypatch.setattr(alerting, "decide", lambda *what: broken(real(*what)))
    said = []

    async def main():
        journal = JournalFile.open(tmp_path / "journal", lambda *what: said.append(what))
        async with Station(journal=journal) as station:
            station.hear(sealed("county bureau", expires=FAR))
            await until(station.sounded)
            await until(lambda: "warning.unjournalled" in station.kinds())
            why = next(fields["reason"] for kind, fields, _ in station.records if kind == "warning.unjournalled")
            assert "cannot be written" in why
            await until(lambda: station.acks == [0])
            monkeypatch.setattr(alerting, "decide", real)
            station.hear(sealed("county", seq=T0 + 20, expires=FAR, **CANCEL))
            await until(lambda: not station.board.on(0))
            assert station.kinds().count("warning.unjournalled") == 1, "the cancel is written"
        journal.close()

    asyncio.run(main())
    again = read(tmp_path / "journal", lambda *what: said.append(what))
    assert again.marks == {1: T0 + 20}
    assert said == []


def test_what_stands_beside_it_is_written_now_and_when_the_file_is_made_anew(tmp_path):
    journal = JournalFile.open(tmp_path / "journal")
    with pytest.raises(OSError, match="cannot be written"):
        journal.write([Mark(1, 5), Mark(2, 1 << 70), Mark(3, 7)]).result(10)
    journal.write([Mark(4, 9)]).result(10)
    assert read(tmp_path / "journal", print).marks == {1: 5, 3: 7, 4: 9}
    journal._holds = -1  # as after a disk that refused: the whole is written again
    journal.write([Mark(5, 1)]).result(10)
    assert read(tmp_path / "journal", print).marks == {1: 5, 3: 7, 4: 9, 5: 1}
    journal.close()
