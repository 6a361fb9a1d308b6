"""Makes tests/vectors/beacon.json: `python -m tests.support.beacon_vectors`; the keys are those of seal.json."""

import json
from dataclasses import asdict
from pathlib import Path

from protocols import beacon
from protocols.beacon import Beacon
from tests.support.seals import T0, VILLAGE, private

FILE = Path(__file__).parents[1] / "vectors" / "beacon.json"
BEACONS = {
    "nothing in force": Beacon(1, T0, 7),
    "one alert for the county, one for the village": Beacon(1, T0, 7, ((T0 - 60, 330205), (T0 - 30, VILLAGE))),
    "one for everybody": Beacon(1, T0 + 60, 8, ((T0 + 30, 0),)),
}

if __name__ == "__main__":
    believed = [
        {"name": name, "beacon": asdict(one), "data": beacon.seal(one, [private("county")]).hex()}
        for name, one in BEACONS.items()
    ]
    note = "Keys as in seal.json; sealed by county, issuer 1; the clock says 1800000000."
    FILE.write_text(json.dumps({"note": note, "believed": believed}, indent=1) + "\n", encoding="utf-8")
