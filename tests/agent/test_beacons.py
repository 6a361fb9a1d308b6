"""Who was heard by which way, who fell silent, what must have come: from beacons and from the passing of time."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from agent.trust.beacons import AWAITED, MOST_BEARERS, MOST_RECENT, PATIENCE, SILENCE, Beacons
from buffer.model import Lane
from protocols import beacon
from protocols.alert import Refusal
from protocols.beacon import Beacon
from protocols.keyring import Keyring
from tests.support.seals import FULL, KEYS, T0, VILLAGE, clock, key, keyring, private, verified

DAY, HOUR = 86_400, 3600


@dataclass
class Hill:
    """A station on a hill, in time of our own: what it says is in `said`."""

    ring: Keyring = field(default_factory=keyring)
    unix: int = T0
    trusted: bool = True
    monotonic: float = 1000.0
    journal: dict = field(default_factory=dict)
    saved: bytes | None = None

    def __post_init__(self):
        self.said, self.told, self.named, self.fetches = [], [], [], 0
        self.start()

    def start(self):
        self.beacons = Beacons(
            keyring=lambda: self.ring,
            clock=self,
            codes=(VILLAGE,),
            record=lambda kind, fields, lane: self.said.append((kind, dict(fields), lane)),
            known=lambda issuer: self.journal.get(issuer, ()),
            fetch=self.fetch,
            silent=lambda any_: setattr(self, "lamp", any_),
            saved=self.saved,
            save=lambda data: setattr(self, "saved", data),
            now=lambda: self.monotonic,
        )

    def fetch(self, alerts):
        self.named += alerts
        self.fetches += not alerts

    def read(self):
        return clock(self.unix, trusted=self.trusted)

    def hear(self, unix, *, proven):
        self.told.append((unix, proven))

    def later(self, seconds):
        self.unix += seconds
        self.monotonic += seconds
        self.beacons.tick()
        return self

    def beacon(self, bearer="mqtt:p", signer="county", retained=False, **changes):
        fields = {"issuer": 1, "time": self.unix, "keyset": 7, **changes}
        found = beacon.verify(beacon.seal(Beacon(**fields), [private(signer)]), self.ring, self.read())
        assert not isinstance(found, Refusal), found
        self.beacons.take(bearer, found, retained=retained)
        return self

    def kinds(self, prefix=""):
        return [kind for kind, _, _ in self.said if kind.startswith(prefix)]

    def row(self, issuer=1):
        return next(row for row in self.beacons.status() if row["issuer"] == issuer)

    def reboot(self):
        self.monotonic = 1000.0
        self.start()
        return self


def only(hill, kind, issuer=1):
    (found,) = (facts for name, facts, _ in hill.said if name == kind and facts["issuer"] == issuer)
    return found


# Last heard


def test_last_heard_issuer_x_by_bearer_y():
    hill = Hill().beacon()
    assert hill.later(600).row() == {
        "issuer": 1,
        "holder": "county",
        "bearer": "mqtt:p",
        "seconds_ago": 600,
        "silent": False,
        "missing": [],
    }
    assert hill.beacon("sat").row()["bearer"] == "sat"
    assert hill.row(2)["seconds_ago"] is None


def test_issuers_who_cannot_speak_for_this_place_are_not_waited_for():
    assert [row["holder"] for row in Hill().beacons.status()] == ["county", "bureau", "watch", "small"]


def test_a_repeat_or_an_older_beacon_proves_nothing():
    hill = Hill().beacon()
    hill.later(HOUR).beacon(time=T0)
    hill.beacon(time=T0 - 60)
    hill.beacon("sat", time=T0)
    assert hill.row()["seconds_ago"] == HOUR
    assert set(hill.beacons._signs[1].by) == {"mqtt:p", "sat"}, "the same one by another way says that way works"


def test_a_warning_of_the_issuers_own_is_a_sign_of_life_too():
    hill = Hill()
    hill.beacons.alerted("sat", verified("county", seq=T0 - 30))
    assert (hill.row()["seconds_ago"], hill.row()["bearer"]) == (30, "sat")
    hill.later(HOUR).beacons.alerted("sat", verified("bureau", seq=T0 + HOUR - 5))
    assert hill.row()["seconds_ago"] == HOUR + 30, "what another holder has signed alone is not the issuer's"
    hill.beacons.alerted("sat", verified("county", seq=T0 + DAY))
    assert hill.row()["seconds_ago"] == 0, "a number ahead of time is no later than now"


# A day of silence


def test_a_day_of_silence_is_an_alarm_once_and_ends_with_being_heard():
    hill = Hill().beacon().later(SILENCE)
    assert "issuer.silent" not in hill.kinds()
    hill.later(60).later(60).later(DAY)
    assert hill.row()["silent"]
    silent = only(hill, "issuer.silent")
    assert (silent["holder"], silent["bearer"], silent["seconds"]) == ("county", "mqtt:p", SILENCE + 60)
    hill.beacon("sat")
    heard = only(hill, "issuer.heard")
    assert (heard["bearer"], heard["seconds"]) == ("sat", 2 * DAY + 120)
    assert all(lane is Lane.ALARM for kind, _, lane in hill.said if kind.startswith("issuer."))
    assert not hill.later(60).row()["silent"]


def test_silence_lights_the_lamp_also_after_a_restart_and_until_the_last_is_heard():
    hill = Hill().beacon().later(60)
    assert (hill.lamp, hill.beacons.silent) == (False, [])
    hill.later(SILENCE + 60)
    assert (hill.lamp, hill.beacons.silent) == (True, [1, 2, 3, 5])
    hill.lamp = None
    hill.reboot().beacons.tick()
    assert hill.lamp, "what was known before the restart is shown again"
    for issuer, signer in ((1, "county"), (2, "bureau"), (3, "watch")):
        hill.beacon(signer=signer, issuer=issuer)
        assert hill.lamp
    hill.beacon(signer="small", issuer=5)
    assert (hill.lamp, hill.beacons.silent) == (False, [])


def test_an_issuer_that_was_never_heard_is_silent_after_a_day_too():
    hill = Hill().later(60)
    hill.later(SILENCE + 1)
    assert sorted(facts["issuer"] for kind, facts, _ in hill.said if kind == "issuer.silent") == [1, 2, 3, 5]


def test_a_retained_beacon_of_the_day_before_yesterday_ends_no_silence():
    hill = Hill().beacon().later(3 * DAY)
    hill.beacon("sat", time=T0 + HOUR, retained=True)
    assert hill.row()["silent"]
    assert "issuer.heard" not in hill.kinds()


def test_silence_is_told_once_over_restarts_and_a_start_has_patience():
    hill = Hill().beacon()
    hill.unix += 3 * DAY  # without power
    hill.reboot().later(60)
    assert hill.kinds() == []
    hill.later(int(PATIENCE))
    assert only(hill, "issuer.silent")["seconds"] == 3 * DAY + 60 + PATIENCE
    hill.reboot().later(int(PATIENCE) + 1)
    assert hill.kinds().count("issuer.silent") == 1


def test_without_a_clock_silence_is_counted_by_boot_time():
    hill = Hill(trusted=False, unix=5)
    hill.beacon(time=T0)
    hill.later(SILENCE)
    assert "issuer.silent" not in [kind for kind, facts, _ in hill.said if facts["issuer"] == 1]
    hill.later(2)
    only(hill, "issuer.silent")
    hill.beacon(time=T0 + DAY)
    only(hill, "issuer.heard")


def test_a_beacon_from_the_future_taken_while_the_time_was_unknown_is_forgotten():
    hill = Hill(trusted=False).beacon(time=T0 + 300 * DAY)
    hill.trusted = True
    hill.beacon()
    assert hill.row()["seconds_ago"] == 0
    assert hill.beacons._signs[1].beacon == T0


# Time


def test_only_beacons_that_keep_pace_tell_the_present():
    hill = Hill(trusted=False).beacon()
    assert hill.told == [(T0, False)]
    hill.later(HOUR).beacon()
    assert hill.told[-1] == (T0 + HOUR, True)


def test_beacons_that_waited_in_a_queue_or_were_kept_are_no_present():
    hill = Hill(trusted=False)
    for number in range(5):
        hill.beacon(time=T0 + number * HOUR)  # all at once
    hill.later(HOUR).beacon(time=T0 + 9 * HOUR, retained=True)
    hill.later(10).beacon(time=T0 + 9 * HOUR + 10)
    hill.later(HOUR).beacon(time=T0 + 12 * HOUR)
    assert not any(proven for _, proven in hill.told)
    assert hill.told[-1][0] == T0 + 12 * HOUR, "but the time has passed all the same"


def test_an_expired_keys_beacon_tells_no_time():
    hill = Hill(ring=keyring(key("county", FULL, not_after=T0 - 5), *KEYS[1:])).beacon()
    assert hill.told == []
    assert hill.row()["seconds_ago"] == 0


# What must have come


def test_an_alert_that_a_beacon_names_and_that_does_not_come_is_asked_for_and_told_once():
    hill = Hill().beacon(active=((T0 - 50, 330205), (T0 - 40, VILLAGE), (T0 - 30, 0)))
    assert hill.row()["missing"] == [T0 - 50, T0 - 40, T0 - 30]
    hill.beacons.alerted("mqtt:p", verified("county", seq=T0 - 30))
    hill.later(int(AWAITED))
    assert only(hill, "issuer.missed")["alerts"] == [T0 - 50, T0 - 40]
    assert hill.fetches == 1
    hill.later(HOUR).later(HOUR)
    assert hill.fetches == 1
    hill.beacons.alerted("mqtt:p", verified("county", seq=T0 - 40))
    assert hill.row()["missing"] == [T0 - 50]
    hill.beacon()
    assert hill.row()["missing"] == [], "what the newest beacon no longer names is over"


def test_alerts_for_elsewhere_and_those_in_the_journal_are_not_missed():
    hill = Hill(journal={1: (T0 - 9,)}).beacon(active=((T0 - 9, 330205), (T0 - 8, 620102), (T0 - 7, 330205004002)))
    assert hill.row()["missing"] == []


def test_a_newer_key_set_is_noticed_once_and_asked_for():
    hill = Hill().beacon(keyset=8)
    behind = only(hill, "keyset.behind")
    assert (behind["number"], behind["ours"], hill.fetches) == (8, 7, 1)
    hill.later(HOUR).beacon(keyset=8).reboot().later(HOUR).beacon(keyset=8)
    assert hill.kinds().count("keyset.behind") == 1
    hill.later(HOUR).beacon(keyset=9)
    assert hill.kinds().count("keyset.behind") == 2


# Bounds


def test_what_is_remembered_is_bounded():
    hill = Hill()
    for number in range(3 * MOST_RECENT):
        hill.later(200).beacon(f"bearer {number}", active=tuple((T0 + number + n, 0) for n in range(32)))
        hill.beacons.alerted("m", verified("county", seq=T0 + number))
    assert len(hill.beacons._signs[1].by) <= MOST_BEARERS
    assert len(hill.beacons._recent[1]) == MOST_RECENT
    assert len(hill.beacons._awaited) <= 32
    assert len(hill.saved) < 4096


def test_issuers_that_left_the_key_set_are_forgotten():
    hill = Hill().beacon().beacon(signer="bureau", issuer=2)
    hill.ring = keyring(KEYS[1])
    hill.later(200).beacon(signer="bureau", issuer=2)
    assert set(hill.beacons._signs) == {2}


@given(st.binary(max_size=60))
def test_spoilt_memory_begins_anew(data):
    hill = Hill(saved=data)
    hill.later(10)
    assert hill.beacon().row()["seconds_ago"] == 0
