"""A simulated Modbus device made from a profile: it has the profile's registers, each with a plausible value, and no other."""

import struct

from drivers.sensors.modbus_profile import ModbusProfile, ModbusSeries
from drivers.simulated.unit import Unit
from protocols.modbus_map import Register, ordered
from protocols.modbus_pdu import READ_COILS, READ_HOLDING, READ_INPUT_REGISTERS, READ_INPUTS

SHARE = 0.4  # of the way from the least to the most of a span: seldom zero, never at an end


def unit_of(profile: ModbusProfile, unit: int, turnaround: float = 0.0) -> Unit:
    tables: dict[int, dict[int, int]] = {
        function: {} for function in (READ_COILS, READ_INPUTS, READ_HOLDING, READ_INPUT_REGISTERS)
    }
    for readable in profile.limits.readable:
        tables[readable.fc] |= dict.fromkeys(range(readable.first, readable.last + 1), 0)
    for one in profile.series:
        for place, word in enumerate(words_of(one)):
            tables[one.fc][one.address + place] = word
    return Unit(
        unit,
        coils=tables[READ_COILS],
        inputs=tables[READ_INPUTS],
        holding=tables[READ_HOLDING],
        registers=tables[READ_INPUT_REGISTERS],
        most=profile.limits.registers,
        turnaround=turnaround,
    )


def words_of(one: ModbusSeries) -> tuple[int, ...]:
    """A value inside the span of a series, as the device would hold it."""
    register = one.register()
    low, high = one.span or (0.0, 100.0)
    raw = (low + SHARE * (high - low) - one.offset) / one.scale
    if one.type == "bit":
        return (1 if one.fc in (READ_COILS, READ_INPUTS) else 1 << one.bit,)
    data = _bytes(register, raw)
    words = [data[n] << 8 | data[n + 1] for n in range(0, len(data), 2)]
    swapped = ordered(words, one.order)  # every order undoes itself
    return tuple(swapped[n] << 8 | swapped[n + 1] for n in range(0, len(swapped), 2))


def _bytes(register: Register, raw: float) -> bytes:
    size = 2 * register.width
    if register.type.startswith("float"):
        return struct.pack(">f" if size == 4 else ">d", raw)
    if register.type.startswith("bcd"):
        return bytes.fromhex(f"{int(raw):0{2 * size}d}"[-2 * size :])
    bits = 8 * size - register.type.startswith("int")
    return max(-(1 << bits - 1), min(int(raw), (1 << bits) - 1)).to_bytes(size, "big", signed=raw < 0)
