"""Names of drivers and where they live. A module is imported when its name is used, so that nobody pays for the others.

Third parties publish a `drivers.api.Factory` under the entry-point group `fengsui.drivers`, named `source.NAME`,
`actuator.NAME` or `bearer.NAME`; a built-in name is never overridden.
"""

from collections.abc import Mapping
from importlib import import_module

from drivers.api import Factory, Problem

GROUP = "fengsui.drivers"

SOURCES: Mapping[str, str] = {
    "modbus": "drivers.sensors.modbus:FACTORY",
    "nmea": "drivers.sensors.nmea:FACTORY",
    "pulse": "drivers.sensors.pulse:FACTORY",
    "station": "drivers.sensors.site:FACTORY",
    "line": "drivers.sensors.line:FACTORY",
    "vaisala": "drivers.sensors.vaisala:FACTORY",
    "dlt645": "drivers.sensors.dlt645:FACTORY",
    "sdi12": "drivers.sensors.sdi12:FACTORY",
    "coap-lan": "drivers.sensors.coap_lan:FACTORY",
    "mqtt-lan": "drivers.sensors.mqtt_lan:FACTORY",
}
ACTUATORS: Mapping[str, str] = {
    "modbus-relay": "drivers.actuators.relay:FACTORY",
    "gpio-relay": "drivers.actuators.gpio:FACTORY",
    "amplifier": "drivers.actuators.amplifier:FACTORY",
    "speaker": "drivers.actuators.speaker:FACTORY",
    "speech-chip": "drivers.actuators.speech_chip:FACTORY",
    "led-panel": "drivers.actuators.led_panel:FACTORY",
    "page": "drivers.actuators.page:FACTORY",
    "text": "drivers.actuators.text:FACTORY",
    "sim": "drivers.actuators.sim:FACTORY",
}
BEARERS: Mapping[str, str] = {
    "sbd": "drivers.bearers.sbd:FACTORY",
    "beidou": "drivers.bearers.beidou:FACTORY",
    "sms": "drivers.bearers.sms:FACTORY",
    "tiantong": "drivers.bearers.tiantong:FACTORY",
    "modem-manager": "drivers.bearers.modem_manager:FACTORY",
    "lora-e22": "drivers.bearers.lora_e22:FACTORY",
    "lora-rak": "drivers.bearers.lora_rak:FACTORY",
    "coap": "drivers.bearers.coap:FACTORY",
    "sim": "drivers.bearers.sim:FACTORY",
}


def resolve(table: Mapping[str, str], name: str) -> Factory | Problem:
    """The factory of a driver, or what is wrong with its name."""
    target = table.get(name) or _others(table).get(name)
    if target is None:
        return Problem("driver", "driver.unknown", {"name": name, "known": ", ".join(known(table))})
    module, _, attribute = target.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as wrong:
        return Problem("driver", "driver.broken", {"name": name, "why": str(wrong)})
    if not isinstance(found, Factory):
        return Problem("driver", "driver.broken", {"name": name, "why": f"{target} is no Factory"})
    return found


def known(table: Mapping[str, str]) -> list[str]:
    """All names, built in or installed."""
    return sorted({*table, *_others(table)})


def _others(table: Mapping[str, str]) -> dict[str, str]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - costs a megabyte that built-in names need not pay

    prefix = "source." if table is SOURCES else "actuator." if table is ACTUATORS else "bearer."
    found = entry_points(group=GROUP)
    return {point.name.removeprefix(prefix): point.value for point in found if point.name.startswith(prefix)}
