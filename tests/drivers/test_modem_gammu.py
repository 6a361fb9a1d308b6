"""gammu as the host of our simulated modem: a program by others must find a modem there."""

import asyncio
import random
import shutil

import pytest

from drivers.simulated.hosted import MachineLine
from drivers.simulated.modem import ModemFaults, SimModem, SmsNetwork
from tests.drivers.modbus_world import run
from tests.support.until import until

OURS, PERSON = "+8613800000001", "+8613900000001"
pytestmark = pytest.mark.skipif(
    shutil.which("gammu") is None, reason="gammu is not installed (Debian: apt install gammu)"
)


class Gammu:
    def __init__(self, folder, path):
        self._config = folder / "gammu"
        self._config.write_text(f"[gammu]\ndevice={path}\nconnection=at115200\n")

    async def __call__(self, *lines):
        """Several commands at once: it takes three seconds to find a modem."""
        batch = self._config.with_name("batch")
        batch.write_text("\n".join(lines) + "\n")
        out = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            "gammu", "--config", str(self._config), "batch", str(batch), stdout=out, stderr=out
        )
        async with asyncio.timeout(60):
            said, complaints = await child.communicate()
        assert child.returncode == 0, (said + complaints).decode("utf-8", "replace")
        return said.decode("utf-8", "replace")


def test_it_identifies_sends_reads_and_deletes(tmp_path):
    async def main():
        network = SmsNetwork(random.Random(1), delay=(0.01, 0.02))
        phone = network.telephone(PERSON)
        device = SimModem(network, OURS, faults=ModemFaults(torn=True), send_time=(0.01, 0.05))
        async with MachineLine(device, 115_200) as line:
            gammu = Gammu(tmp_path, line.path)
            told = await gammu(
                "identify",
                f'sendsms TEXT {PERSON} -text "Flood {{warning}} [red]"',
                f"sendsms TEXT {PERSON} -unicode -textutf8 {'山洪' * 50} -autolen 100",
            )
            assert "Quectel" in told
            assert "861075021234567" in told
            assert phone.texts == ["Flood {warning} [red]", "山洪" * 50]
            network.write(PERSON, OURS, "收到 OK", asyncio.get_running_loop().time())
            network.write(PERSON, OURS, "in {parts} " * 20, asyncio.get_running_loop().time())
            await until(lambda: sum(len(store.places) for store in device.stores.values()) == 3)
            listed = await gammu("getallsms", "deleteallsms 1")
            assert "收到 OK" in listed
            assert "in {parts} in {parts}" in listed
            assert "3 SMS parts" in listed
            assert all(store.places == {} for store in device.stores.values())

    run(main())
