"""Telephone numbers as they are written and as they arrive: whether two of them are one. Pure.

A number is compared whole: an ending that fits proves nothing, since a service can be given 106 and anybody's number.
"""

from collections.abc import Iterable

MOST = 15  # digits of an international number (E.164)
SHORT = 7  # digits below which a number is a service of one network and has no country


def international(number: str, country: str = "86") -> str:
    """Digits with the country in front; letters of a name as they are; a short code is itself."""
    if number.startswith("+"):
        return number[1:]
    if not (number.isascii() and number.isdecimal()):
        return number
    if number.startswith("00"):
        return number[2:]
    if len(number) < SHORT or (number.startswith(country) and len(number) == len(country) + 11):
        return number  # the latter: an international one that lost its sign on the way
    return country + number.removeprefix("0")


def is_number(text: str) -> bool:
    """Something that a message can be sent to: +8613912345678, 10086."""
    digits = text.removeprefix("+")
    return digits.isascii() and digits.isdecimal() and 3 <= len(digits) <= 20


class Numbers:
    """A list of numbers, each under the spelling it was given in."""

    def __init__(self, numbers: Iterable[str] = (), country: str = "86") -> None:
        self._country = country
        self._spelling: dict[str, str] = {}
        self.add(numbers)

    def add(self, numbers: Iterable[str]) -> None:
        for number in numbers:
            if number:
                self._spelling.setdefault(international(number, self._country), number)

    def find(self, number: str) -> str | None:
        """As it was given, where it is in the list."""
        return self._spelling.get(international(number, self._country))
