"""A written condition → its tree, or where it went wrong and what was expected. RemoteError's `offset` is the place of the
character (from 0), its `detail` what was found there.

Every loop takes a token and recursion is bounded, so that a text costs no more than its length.
"""

import re
from math import isfinite
from typing import NamedTuple, NoReturn

from protocols import rules
from protocols.errors import RemoteError
from protocols.reading import is_series_name
from protocols.rules import And, Compare, Condition, Newest, Not, Number, Operand, Or, Over

_TOKEN = re.compile(
    r"""(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<word>[\w.]+)
      | (?P<text>"[^"\n]*")
      | (?P<sign>>=|<=|>|<|\(|\)|,)""",
    re.ASCII | re.VERBOSE,
)
_SPACE = re.compile(r"[ \t\r\n]*")
_DURATION = re.compile(r"(\d{1,7})\s*(s|min|m|h|d)", re.ASCII)


class Token(NamedTuple):
    kind: str  # number | word | text | sign | end
    text: str
    offset: int


def parse(written: str) -> Condition:
    """The condition; RemoteError says why there is none."""
    if len(written) > rules.MAX_TEXT:
        raise RemoteError("rule.long", str(len(written)), rules.MAX_TEXT)
    parser = _Parser(tokens(written))
    condition = parser.condition()
    parser.end()
    if sum(1 for _ in rules.comparisons(condition)) > rules.MAX_COMPARISONS:
        raise RemoteError("rule.comparisons", str(rules.MAX_COMPARISONS), 0)
    return condition


def tokens(written: str) -> list[Token]:
    found, at = [], _skipped(written, 0)
    while at < len(written):
        match = _TOKEN.match(written, at)
        if match is None:
            raise RemoteError("rule.character", written[at], at)
        found.append(Token(str(match.lastgroup), match[0], at))
        at = _skipped(written, match.end())
    return [*found, Token("end", "", len(written))]


def _skipped(written: str, at: int) -> int:
    match = _SPACE.match(written, at)
    return match.end() if match else at


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens, self._place, self._depth = tokens, 0, 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _take(self) -> Token:
        token = self._next
        self._place += token.kind != "end"
        return token

    def _takes(self, text: str) -> bool:
        if self._next.text != text:
            return False
        self._take()
        return True

    def _want(self, text: str, code: str) -> None:
        if not self._takes(text):
            _refuse(code, self._next)

    def end(self) -> None:
        if self._next.kind != "end":
            _refuse("rule.expected_end", self._next)

    def condition(self) -> Condition:
        parts = [self._both()]
        while self._takes("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _both(self) -> Condition:
        parts = [self._one()]
        while self._takes("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self) -> Condition:
        if self._next.text not in ("not", "("):
            return self._comparison()
        opening = self._take()
        self._depth += 1
        if self._depth > rules.MAX_DEPTH:
            _refuse("rule.deep", opening)
        if opening.text == "not":
            inner: Condition = Not(self._one())
        else:
            inner = self.condition()
            self._want(")", "rule.expected_close")
        self._depth -= 1
        return inner

    def _comparison(self) -> Compare:
        first = self._next
        left = self._operand()
        sign = self._take()
        if sign.text not in rules.OPERATORS:
            _refuse("rule.expected_comparison", sign)
        right = self._operand()
        if isinstance(left, Number) and isinstance(right, Number):
            _refuse("rule.constant", first)
        return Compare(left, sign.text, right)

    def _operand(self) -> Operand:
        token = self._take()
        if token.kind == "number":
            return _number(token)
        if token.kind == "word" and self._next.text == "(":
            return self._function(token)
        if token.kind != "word" or token.text in rules.KEYWORDS or not is_series_name(token.text):
            _refuse("rule.expected_operand", token)
        return Newest(token.text)

    def _function(self, name: Token) -> Over:
        if name.text not in rules.FUNCTIONS:
            _refuse("rule.function", name)
        self._take()
        series = self._take()
        if series.kind not in ("word", "number") or not is_series_name(series.text):
            _refuse("rule.expected_series", series)
        self._want(",", "rule.expected_comma")
        seconds = _seconds(self._take())
        self._want(")", "rule.expected_close")
        return Over(name.text, series.text, seconds)


def _number(token: Token) -> Number:
    value = float(token.text)
    if not isfinite(value):
        _refuse("rule.number", token)
    return Number(value + 0.0)  # no negative zero: it would be written as 0


def _seconds(token: Token) -> int:
    match = _DURATION.fullmatch(token.text.strip('"')) if token.kind == "text" else None
    if match is None:
        _refuse("rule.expected_duration", token)
    seconds = int(match[1]) * rules.UNITS[match[2][0]]
    if not rules.SHORTEST <= seconds <= rules.LONGEST:
        _refuse("rule.window", token)
    return seconds


def _refuse(code: str, token: Token) -> NoReturn:
    raise RemoteError(code, token.text, token.offset)
