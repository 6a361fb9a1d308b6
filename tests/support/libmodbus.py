"""A Modbus server that is not ours: libmodbus (Debian package libmodbus5, which mbpoll brings), driven from a process of its own.

Called by ctypes, since a test machine has no compiler: `modbus_receive` and `modbus_reply` of its documented interface do all
the work, in C.
"""

import asyncio
import contextlib
import ctypes.util
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CHILD = """
import ctypes, sys
lib = ctypes.CDLL(sys.argv[1])
port, unit = sys.argv[2].encode(), int(sys.argv[3])
class Mapping(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in (
        "nb_bits", "start_bits", "nb_input_bits", "start_input_bits",
        "nb_input_registers", "start_input_registers", "nb_registers", "start_registers")]
    _fields_ += [("tab_bits", ctypes.POINTER(ctypes.c_uint8)), ("tab_input_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_registers", ctypes.POINTER(ctypes.c_uint16)), ("tab_registers", ctypes.POINTER(ctypes.c_uint16))]
for name in ("modbus_new_rtu", "modbus_new_tcp", "modbus_mapping_new"):
    getattr(lib, name).restype = ctypes.c_void_p
lib.modbus_mapping_new.restype = ctypes.POINTER(Mapping)
rtu = not port.isdigit()
if rtu:
    server = ctypes.c_void_p(lib.modbus_new_rtu(port, 9600, ctypes.c_char(b"N"), 8, 1))
else:
    server = ctypes.c_void_p(lib.modbus_new_tcp(b"127.0.0.1", int(port)))
lib.modbus_set_slave(server, unit)
held = lib.modbus_mapping_new(40, 40, 40, 40)
for n in range(40):
    held.contents.tab_registers[n] = n
    held.contents.tab_input_registers[n] = 1000 + n
    held.contents.tab_bits[n] = n % 3 == 0
if rtu:
    assert lib.modbus_connect(server) == 0
    print("ready", flush=True)
else:
    listening = lib.modbus_tcp_listen(server, 1)
    assert listening >= 0
    print("ready", flush=True)
    lib.modbus_tcp_accept(server, ctypes.byref(ctypes.c_int(listening)))
query = (ctypes.c_uint8 * 260)()
while True:
    count = lib.modbus_receive(server, query)
    if count > 0:
        lib.modbus_reply(server, query, count, held)
    elif count < 0 and not rtu:
        break
"""


def library() -> str | None:
    return ctypes.util.find_library("modbus")


@asynccontextmanager
async def serving(port: str, unit: int) -> AsyncIterator[None]:
    """On a terminal by its name, or on a TCP port of this computer by its number: holding registers 0 to 39 count up, input
    registers from 1000, every third coil is on.
    """
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CHILD, str(library()), port, str(unit)), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"ready\n"
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
