"""The seal: what makes an alert believed. Pure; keys and time are arguments."""

from protocols.alert import ClockReading, Refusal, VerifiedAlert
from protocols.keyring import Keyring


def verify(data: bytes, keyring: Keyring, clock: ClockReading) -> VerifiedAlert | Refusal:
    """What these bytes are worth: a sealed alert, bare or in a carrier with its text."""
    raise NotImplementedError
