"""A ModemManager that exists only in a test: its objects on a private bus, messages over a simulated network."""

import asyncio
import contextlib
from collections import Counter

from dbus_fast import ErrorType, Message, MessageType, RequestNameReply, Variant
from dbus_fast.aio import MessageBus

from protocols.sms_content import contents
from protocols.sms_fields import Address
from protocols.sms_pdu import Deliver, StatusReport, Submit

SERVICE = "org.freedesktop.ModemManager1"
ROOT, MODEM_PATH = "/org/freedesktop/ModemManager1", "/org/freedesktop/ModemManager1/Modem/3"
MODEM, MESSAGING, TIME, SMS = (
    f"{SERVICE}.Modem",
    f"{SERVICE}.Modem.Messaging",
    f"{SERVICE}.Modem.Time",
    f"{SERVICE}.Sms",
)
CONFIG = """<busconfig><type>custom</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"""


@contextlib.asynccontextmanager
async def private_bus(folder):
    """The address of a dbus-daemon of our own."""
    (folder / "bus.conf").write_text(CONFIG.format(path=folder / "bus"))
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        "dbus-daemon", "--nofork", "--print-address", f"--config-file={folder / 'bus.conf'}", stdout=pipe
    )
    try:
        yield (await child.stdout.readline()).decode().strip()
    finally:
        child.terminate()
        await child.wait()


class FakeModemManager:
    """One modem. `state` and `quality` as the real one says; `refuse` names the error of the next `Send`."""

    def __init__(self, network, number):
        self.network, self.number = network, number
        self.state, self.quality, self.refuse, self.hang = 8, 72, "", False
        self.messages, self.calls = {}, Counter()
        self.enabled = False
        self._bus, self._serial, self._reference = None, 0, 0
        self._methods = {
            "GetManagedObjects": self._on_get_managed_objects,
            "GetAll": self._on_get_all,
            "Enable": self._on_enable,
            "List": self._on_list,
            "Create": self._on_create,
            "Send": self._on_send,
            "Delete": self._on_delete,
            "GetNetworkTime": self._on_get_network_time,
        }
        network.attach(number, self._deliver)

    @contextlib.asynccontextmanager
    async def on(self, address):
        self._bus = await MessageBus(bus_address=address).connect()
        self._bus.add_message_handler(self._handle)
        assert await self._bus.request_name(SERVICE) is RequestNameReply.PRIMARY_OWNER
        beat = asyncio.create_task(self._beat())
        try:
            yield self
        finally:
            beat.cancel()
            self._bus.disconnect()

    def put(self, **properties):
        self._serial += 1
        path = f"{ROOT}/SMS/{self._serial}"
        self.messages[path] = {"PduType": Variant("u", 1), "State": Variant("u", 3), **properties}
        return path

    def announce(self, path):
        self._signal(MODEM_PATH, MESSAGING, "Added", "ob", [path, True])

    def complete(self, path):
        """The last part has come."""
        self.messages[path]["State"] = Variant("u", 3)
        self._signal(
            path,
            "org.freedesktop.DBus.Properties",
            "PropertiesChanged",
            "sa{sv}as",
            [SMS, {"State": Variant("u", 3)}, []],
        )

    def _signal(self, path, interface, member, signature, body):
        self._bus.send(
            Message(
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=body,
                message_type=MessageType.SIGNAL,
            )
        )

    async def _beat(self):
        while True:
            self.network.tick(asyncio.get_running_loop().time())
            await asyncio.sleep(0.01)

    def _deliver(self, pdu):
        tpdu = pdu.tpdu
        if isinstance(tpdu, StatusReport):
            path = self.put(PduType=Variant("u", 3), DeliveryState=Variant("u", tpdu.status))
        elif isinstance(tpdu, Deliver):
            content = tpdu.content
            body = (
                {"Text": Variant("s", content.text)}
                if content.text is not None
                else {"Data": Variant("ay", content.data)}
            )
            path = self.put(Number=Variant("s", tpdu.sender.text), **body)
        self.announce(path)
        return True

    def _handle(self, message):
        if message.message_type is not MessageType.METHOD_CALL or not str(message.path).startswith(ROOT):
            return None
        self.calls[message.member] += 1
        try:
            signature, body = self._methods[message.member](message)
        except KeyError:
            return Message.new_error(message, ErrorType.UNKNOWN_OBJECT, "gone")
        except PermissionError as refused:
            return Message.new_error(message, f"{SERVICE}.Error.Message.{refused}", "no")
        except TimeoutError:
            return True  # it never answers
        return Message.new_method_return(message, signature, body)

    def _on_get_managed_objects(self, _message):
        modem = {"EquipmentIdentifier": Variant("s", "861075021234567"), "PrimaryPort": Variant("s", "ttyUSB2")}
        return "a{oa{sa{sv}}}", [{MODEM_PATH: {MODEM: modem, MESSAGING: {}}}]

    def _on_get_all(self, message):
        if message.path == MODEM_PATH:
            return "a{sv}", [
                {"State": Variant("i", self.state), "SignalQuality": Variant("(ub)", [self.quality, True])}
            ]
        return "a{sv}", [self.messages[message.path]]

    def _on_enable(self, message):
        self.enabled = message.body[0]
        self.state = 8
        return "", []

    def _on_list(self, _message):
        return "ao", [list(self.messages)]

    def _on_create(self, message):
        self._serial += 1
        path = f"{ROOT}/SMS/{self._serial}"
        self.messages[path] = {"PduType": Variant("u", 2), "State": Variant("u", 0), "created": message.body[0]}
        return "o", [path]

    def _on_send(self, message):
        if self.hang:
            raise TimeoutError
        if self.refuse:
            refuse, self.refuse = self.refuse, ""
            raise PermissionError(refuse)
        made = self.messages[message.path].pop("created")
        body = bytes(made["data"].value) if "data" in made else made["text"].value
        self._reference += 1
        for content in contents(body, self._reference):
            tpdu = Submit(Address.of(made["number"].value), content, report=made["delivery-report-request"].value)
            self.network.submit(self.number, tpdu, self._reference, asyncio.get_running_loop().time())
        self.messages[message.path]["MessageReference"] = Variant("u", self._reference)
        return "", []

    def _on_delete(self, message):
        del self.messages[message.body[0]]
        return "", []

    def _on_get_network_time(self, _message):
        return "s", ["2026-11-02T08:30:15+08"]
