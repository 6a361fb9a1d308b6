"""thingsboard-gateway 3.8.5 beside us, in the same run: how fast each empties a backlog that is on disk.

The peer lives in an environment of its own (benchmarks/README.md says how): FENGSUI_TB_PYTHON names its interpreter.
Where there is none, our figure stands alone and says so.
"""

import contextlib
import json
import os
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.report import Figure, Measured, Value, measures
from benchmarks.uplink_drain import on_loopback
from tests.support.broker import Broker
from tests.support.surfrad import minutes

NAME = "thingsboard-gateway 3.8.5, SQLite"
PYTHON = os.environ.get("FENGSUI_TB_PYTHON", str(Path(__file__).parents[1] / ".venv-peer" / "bin" / "python"))
RECORDS = 20_000  # of one reading each
SHIPPED, LARGE = 10, 1000  # records in a pack: as shipped, and as large as helps it
SPELL = 25.0  # seconds at most
UNLIMITED = "0:0,"
RUN = "from thingsboard_gateway.gateway.tb_gateway_service import TBGatewayService as G; G({!r})"


def missing() -> str | None:
    """Why the peer cannot run here, or None."""
    return None if os.access(PYTHON, os.X_OK) else f"{NAME}: not installed here"


class StandIn:
    """What the peer needs of its platform: an answer about session limits (none), and somebody who counts."""

    def __init__(self, port: int) -> None:
        self.arrived: list[tuple[float, int]] = []  # (monotonic, records)
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.on_connect = self._on_connect
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def records(self) -> int:
        return sum(count for _, count in self.arrived)

    @property
    def rate(self) -> float:
        """From the first message to the last; what the first brought is not counted."""
        if len(self.arrived) < 2:
            return 0.0
        return (self.records - self.arrived[0][1]) / (self.arrived[-1][0] - self.arrived[0][0])

    def _on_connect(self, *_: Any) -> None:
        self._client.subscribe("v1/#", 1)

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        if message.topic.startswith("v1/devices/me/rpc/request/"):
            limits = {"messages": UNLIMITED, "telemetryMessages": UNLIMITED, "telemetryDataPoints": UNLIMITED}
            answer = {"maxPayloadSize": 65_536, "maxInflightMessages": 100, "rateLimits": limits}
            payload = json.dumps(answer | {"gatewayRateLimits": limits})
            client.publish(message.topic.replace("request", "response"), payload, 1)
        elif message.topic == "v1/gateway/telemetry":
            told = json.loads(message.payload)
            self.arrived.append((time.monotonic(), sum(len(each) for each in told.values())))


@contextlib.contextmanager
def gateway(
    folder: Path, port: int, pack: int, modbus: Mapping[str, Any] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The peer with its own defaults but SQLite storage, a pack size, and no limits on its rate; `modbus`: what its own
    connector for that reads.
    """
    source = subprocess.run(
        [PYTHON, "-c", "import thingsboard_gateway as t; print(t.__path__[0])"],
        capture_output=True,
        text=True,
        check=True,
    )
    file = folder / "config" / "tb_gateway.json"
    file.parent.mkdir()
    settings = json.loads((Path(source.stdout.strip()) / "config" / "tb_gateway.json").read_text())
    settings["thingsboard"] |= {"host": "127.0.0.1", "port": port, "remoteConfiguration": False}
    settings["thingsboard"] |= {name: UNLIMITED for name in settings["thingsboard"] if name.endswith("RateLimits")}
    settings["thingsboard"] |= {"rateLimits": UNLIMITED, "statistics": {"enable": False}}
    settings["storage"] = {"type": "sqlite", "data_file_path": f"{folder}/data/", "max_read_records_count": pack}
    if modbus is not None:
        (file.parent / "modbus.json").write_text(json.dumps(modbus))
        settings["connectors"] = [{"type": "modbus", "name": "field", "configuration": "modbus.json"}]
    file.write_text(json.dumps(settings))
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen([PYTHON, "-c", RUN.format(str(file))], cwd=folder, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def backlog(folder: Path, records: int) -> None:
    """In the peer's own table, as its storage thread writes them."""
    (folder / "data").mkdir()
    values = [reading for row in minutes() for reading in row][:records]
    with contextlib.closing(sqlite3.connect(folder / "data" / "data.db")) as db:
        db.execute(
            "CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp INTEGER NOT NULL, message TEXT NOT NULL)"
        )
        now = int(time.time() * 1000)
        db.executemany(
            "INSERT INTO messages (timestamp, message) VALUES (?, ?)",
            [(now, json.dumps(_record(now - n, each.series, each.value))) for n, each in enumerate(values)],
        )
        db.commit()


def _record(at: int, series: str, value: float) -> dict[str, Any]:
    return {
        "deviceName": "met",
        "deviceType": "default",
        "telemetry": [{"ts": at, "values": {series: value}}],
        "attributes": [],
    }


def drained(pack: int) -> float:
    """Records a second."""
    with tempfile.TemporaryDirectory() as name, Broker(Path(name) / "b", extra=["log_type none"]) as broker:
        folder = Path(name)
        backlog(folder, RECORDS)
        platform = StandIn(broker.port)
        with gateway(folder, broker.port, pack):
            deadline = time.monotonic() + SPELL
            while platform.records < RECORDS and time.monotonic() < deadline:
                time.sleep(0.05)
        platform.close()
        return platform.rate


@measures(
    3,
    Figure("drain beside the peer as shipped, SenML JSON", "readings/s", "≥ 300,000", f"{NAME}, packs of 10"),
    Figure("drain beside the peer at its best, packed", "readings/s", "≥ 1,000,000", f"{NAME}, packs of 1,000"),
)
def beside_thingsboard() -> Measured:
    ours = on_loopback("json", 3_000_000), on_loopback("packed", 20_000_000)
    names = "drain beside the peer as shipped, SenML JSON", "drain beside the peer at its best, packed"
    if why := missing():
        return {name: Value(rate, None, why) for name, rate in zip(names, ours, strict=True)}
    theirs = drained(SHIPPED), drained(LARGE)
    return {name: Value(rate, peer) for name, rate, peer in zip(names, ours, theirs, strict=True)}
