import asyncio

from drivers.slot import Priority, Slot
from tests.drivers.modbus_world import run


def test_the_most_urgent_is_next_and_nobody_is_interrupted():
    async def main():
        slot, order = Slot(), []

        async def use(name, priority):
            async with slot.at(priority):
                order.append(name)
                await asyncio.sleep(0)
                order.append(f"{name} done")

        names = [("first", 2), ("poll", 2), ("technician", 1), ("siren", 0), ("poll2", 2)]
        await asyncio.gather(*(use(name, priority) for name, priority in names))
        assert order[::2] == ["first", "siren", "technician", "poll", "poll2"]
        assert all(order[n + 1] == f"{order[n]} done" for n in range(0, len(order), 2))

    run(main())


def test_who_is_cancelled_while_waiting_or_in_the_breath_of_its_turn_blocks_nobody():
    async def main():
        slot = Slot()
        await slot.acquire(Priority.POLL)
        gone = [asyncio.create_task(slot.acquire(Priority.ACTUATOR)) for _ in range(2)]
        last = asyncio.create_task(slot.acquire(Priority.POLL))
        await asyncio.sleep(0)
        gone[0].cancel()
        await asyncio.sleep(0)
        slot.release()  # hands the turn to the second
        gone[1].cancel()  # which is cancelled before it learns of it
        await asyncio.wait_for(last, 5)
        slot.release()
        await asyncio.wait_for(slot.acquire(Priority.POLL), 5)

    run(main())
