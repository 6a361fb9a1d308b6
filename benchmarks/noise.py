"""Noise on the warning topics, from a process of its own: forged alerts, duplicates and foreign ones, so many a second.

`python -m benchmarks.noise PORT RATE FILE`: each line of the file is a topic, a blank and a payload in hexadecimal.
"""

import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from agent.demo.authority import Authority
from benchmarks.scene import AREA
from protocols.alert import ActionCode
from protocols.envelope import DEFAULT_ROOT, warning

ELSEWHERE = "330203001"
EACH = 1000  # prepared messages of each kind; then they begin anew
TEXT = "山洪,立即转移"


def lines(authority: Authority) -> list[str]:
    """A third each: forged, one genuine alert that only informs again and again, genuine ones for another place."""
    again = replace(authority.alert(AREA, TEXT), event="11B03", action=ActionCode.INFORM)
    duplicate = authority.genuine(again, TEXT, both=False)
    made = []
    for number in range(EACH):
        forged = authority.alert(AREA, TEXT)
        made.append(_line(str(forged.seq), authority.forged(forged, TEXT)))
        made.append(_line(str(again.seq), duplicate))
        foreign = replace(authority.alert(ELSEWHERE, TEXT), seq=again.seq - EACH + number)
        made.append(_line(str(foreign.seq), authority.genuine(foreign, TEXT)))
    return made


def _line(seq: str, payload: bytes) -> str:
    return f"{warning(DEFAULT_ROOT, AREA, '1', int(seq))} {payload.hex()}"


@contextmanager
def noise(port: int, rate: int, authority: Authority) -> Iterator[None]:
    """While the block runs. RuntimeError when it could not be made, or ended before its time."""
    with tempfile.NamedTemporaryFile("w", suffix=".noise") as file:
        file.write("\n".join(lines(authority)))
        file.flush()
        command = [sys.executable, "-m", "benchmarks.noise", str(port), str(rate), file.name]
        process = subprocess.Popen(command, cwd=Path(__file__).parents[1])
        try:
            yield
            if process.poll() is not None:
                raise RuntimeError(f"the noise ended with {process.returncode}")
        finally:
            process.kill()
            process.wait()


def main(port: int, rate: int, file: Path) -> None:
    """Until killed. A second that was missed is made up for."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "noise", protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    rows = [line.split(" ") for line in file.read_text().splitlines()]
    began = time.monotonic()
    for number, (topic, payload) in enumerate(itertools.cycle(rows)):
        client.publish(topic, bytes.fromhex(payload), qos=1)
        time.sleep(max(0.0, began + number / rate - time.monotonic()))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
