"""The trust of a configuration put together: the key-set in force, issuers' beacons, and what the buffer remembers of both.
Judges nothing itself.
"""

from agent.alerts.alerting import Alerting
from agent.clock import Clock
from agent.config import Config
from agent.record import Recorder
from agent.trust.beacons import Beacons, Fetch
from agent.trust.keyrings import Keyrings
from agent.trust.keyset import KEPT, roots_of
from agent.trust.trusting import Trusting
from protocols.keyring import Keyring

NUMBER = "keyset.number"  # the highest ever seen: it never goes back, also where the file is lost
TOLD = "keyset.told"  # which ends of keys were announced
BEACONS = "beacons"  # when each issuer was heard


def open_trust(config: Config, clock: Clock, recorder: Recorder, alerting: Alerting, fetch: Fetch) -> Trusting:
    """Gives `alerting` the key-set in force, now and whenever a newer one comes. Blocks; for the start."""
    keyrings = _keyrings(config, clock, recorder, alerting)
    buffer = recorder.buffer
    beacons = Beacons(
        keyring=lambda: keyrings.current,
        clock=clock,
        codes=tuple(int(code) for code in config.station.areas),
        record=recorder.event,
        known=alerting.numbers,
        fetch=fetch,
        silent=alerting.unheard,
        saved=buffer.meta(BEACONS),
        save=lambda data: buffer.set_meta(BEACONS, data),
    )
    alerting.heard = beacons.alerted
    return Trusting(keyrings=keyrings, beacons=beacons, clock=clock, junk=alerting.junk)


def _keyrings(config: Config, clock: Clock, recorder: Recorder, alerting: Alerting) -> Keyrings:
    assert config.warnings is not None  # noqa: S101 - there is an alerting only where somebody is to be believed
    buffer = recorder.buffer

    def changed(ring: Keyring) -> None:
        """Two roots say when they signed it: that time has passed, while no clock knows better."""
        alerting.keyring = ring
        clock.hear(ring.issued, proven=False)

    keyrings = Keyrings(
        roots_of(config.warnings.roots),
        config.state / KEPT,
        record=recorder.event,
        changed=changed,
        seen=int(buffer.meta(NUMBER) or b"0"),
        remember=lambda number: buffer.set_meta(NUMBER, str(number).encode()),
        saved=buffer.meta(TOLD),
        save=lambda data: buffer.set_meta(TOLD, data),
    )
    keyrings.open([config.path(config.warnings.keyset)])
    return keyrings
