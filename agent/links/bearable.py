"""How large a message a server bears that does not say so: MQTT 3.1.1 has no Maximum Packet Size, and some servers just
hang up on a large one. Learnt from connections that ended with one in flight. Pure.
"""

LEAST = 4096  # bytes; no server we know refuses less
NO_LIMIT = 256 << 20  # bytes; MQTT's own largest packet
PROOFS = (
    1000  # acceptances near the limit until twice as much is tried again: a lost connection may have had other causes
)


class Bearable:
    """For one link, over all its connections."""

    def __init__(self) -> None:
        self.limit = NO_LIMIT
        self._largest = 0  # bytes of the largest message ever accepted
        self._proofs = 0

    def accepted(self, size: int) -> None:
        self._largest = max(self._largest, size)
        if 2 * size >= self.limit:
            self._proofs += 1
        if self._proofs >= PROOFS:
            self.limit, self._proofs = min(NO_LIMIT, self.limit * 2), 0

    def hung_up(self, heaviest: int) -> None:
        """The server closed the connection with messages in flight, the largest of so many bytes."""
        if heaviest > max(self._largest, LEAST):
            self.limit, self._proofs = max(LEAST, heaviest // 2), 0
