"""Two machines, wire to wire, in a time that only they make pass: a month of sessions in a second, no loop and no clock."""

from collections import deque

from protocols.framing import Send


class Pair:
    """`near` is the machine under test: what it says beside `Send` is in `events`, with the time it was said."""

    def __init__(self, near, far, delay=0.0):
        self.near, self.far, self.delay = near, far, delay
        self.now = 0.0
        self.events = []
        self.written = []  # by the near one
        self._seen = 0
        self._wire = deque()  # (due, to the near one?, bytes)

    def tell(self, command):
        """`command(now)` of the near machine."""
        self._sort(command(self.now), to_near=False)

    def run(self, seconds, until=None):
        """For so long, or until there is an event of this type that no run has passed yet; gives that event."""
        end = self.now + seconds
        while True:
            while self._seen < len(self.events):
                self._seen += 1
                if until is not None and isinstance(self.events[self._seen - 1][1], until):
                    return self.events[self._seen - 1][1]
            due = self._due()
            if due is None or due > end:
                self.now = end
                assert until is None, f"no {until} in {seconds} s; {self.events[-5:]}"
                return None
            self.now = max(self.now, due)
            self._step()

    def _due(self):
        times = [self.near.deadline, self.far.deadline, self._wire[0][0] if self._wire else None]
        return min([time for time in times if time is not None], default=None)

    def _step(self):
        if self._wire and self._wire[0][0] <= self.now:
            _, to_near, data = self._wire.popleft()
            machine = self.near if to_near else self.far
            self._sort(machine.receive(data, self.now), to_near=not to_near)
        elif self.far.deadline is not None and self.far.deadline <= self.now:
            self._sort(self.far.tick(self.now), to_near=True)
        elif self.near.deadline is not None and self.near.deadline <= self.now:
            self._sort(self.near.tick(self.now), to_near=False)

    def _sort(self, events, *, to_near):
        for event in events:
            if isinstance(event, Send):
                self._wire.append((self.now + self.delay, to_near, event.data))
                if not to_near:
                    self.written.append(event.data)
            elif not to_near:
                self.events.append((self.now, event))

    def of(self, kind):
        return [event for _, event in self.events if isinstance(event, kind)]
