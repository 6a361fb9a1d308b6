"""A second reader of digests and details, written from docs/platform/digest.md alone: plain, and of one mind with the first."""

import hashlib
import json
import struct
from pathlib import Path

import pytest

from protocols.narrow import detail
from tests.contract.documents import blocks, errors, text
from tests.support.narrow_series import CONTEXT, SIX_SCHEMA, six_at_five_minutes

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "digest.json").read_text(encoding="utf-8"))


class Bits:
    def __init__(self, data):
        self.text, self.at = "".join(f"{byte:08b}" for byte in data), 0

    def fixed(self, width):
        self.at += width
        return int("0" + self.text[self.at - width : self.at], 2)

    def flag(self):
        return self.fixed(1) == 1

    def code(self, k):
        zeros = 0
        while self.text[self.at] == "0":
            zeros, self.at = zeros + 1, self.at + 1
        return self.fixed(zeros + 1 + k) - 2**k

    def signed(self, k):
        return unzigzag(self.code(k))

    def sequence(self, count, middle, k, step):
        if count == 1:
            return [middle + self.signed(k)]
        order, p = self.fixed(2), self.fixed(4)
        starts = [middle + self.signed(k)]
        if order == 2:
            starts.append(self.signed(step))
        residuals = [0 if p == 15 else self.code(p) for _ in range(count - order)]
        if order == 0:
            return [starts[0] + residual for residual in residuals]
        steps = [unzigzag(residual) for residual in residuals]
        for start in reversed(starts):
            numbers = [start]
            for one in steps:
                numbers.append(numbers[-1] + one)
            steps = numbers
        return steps

    def end(self):
        assert len(self.text) - self.at < 8
        assert "1" not in self.text[self.at :]


def unzigzag(number):
    return number // 2 if number % 2 == 0 else -(number + 1) // 2


def series_of(schema):
    words = [line.split(" ") for line in schema.split("\n")]
    return [(name, unit, int(decimals), int(middle), int(k)) for name, unit, decimals, middle, k in words]


def identifier(schema):
    return hashlib.sha256(schema.encode()).digest()[:2]


def read_digest(body, schema):
    bits, series = Bits(body), series_of(schema)
    assert bits.fixed(3) == 1
    assert bits.fixed(16) == int.from_bytes(identifier(schema))
    trusted, at, window, alike = bits.flag(), bits.fixed(32), bits.code(8), bits.flag()
    order = []
    if bits.flag():
        order = [bits.fixed((len(series) - 1).bit_length()) for _ in range(bits.code(1) + 1)]
    order += [place for place in range(len(series)) if place not in order]
    shown, a = order[: bits.code(4)], bits.fixed(4)
    found = {}
    for place in shown:
        if not bits.flag():
            continue
        _, _, decimals, middle, k = series[place]
        age, steps, quality = bits.code(a), bits.signed(k) + middle, 1
        if not alike and not bits.flag():
            flag = bits.fixed(4)
            quality = flag + 16 * bits.fixed(7)
        found[place] = {"steps": steps, "age": age, "q": quality, "ends": None, "seen": None, "d": decimals}
    unit = window // 128 + 1
    lively = [one for one in found.values() if one["age"] <= window and one["q"] % 16 < 4]
    count, d = bits.code(3), bits.fixed(4)
    for one in lively[:count]:
        one["ends"] = [(one["steps"], one["age"])] * 2
        if bits.flag():
            low = one["steps"] - bits.code(d), bits.fixed(7) * unit
            high = one["steps"] + bits.code(d), bits.fixed(7) * unit
            one["ends"] = [low, high]
    seen = 0
    for nth, one in enumerate(list(found.values())[: bits.code(3)]):
        seen = seen + bits.signed(0) if nth else bits.code(6)
        one["seen"] = seen
    bits.end()
    return at, trusted, window, {place: plain(one) for place, one in found.items()}


def plain(one):
    power = 10 ** one["d"]
    ends = [[steps / power, age] for steps, age in one["ends"]] if one["ends"] else [None, None]
    return [one["steps"] / power, one["age"], one["q"], *ends, one["seen"]]


@pytest.mark.parametrize("vector", VECTORS["digests"], ids=lambda vector: vector["name"])
def test_the_text_tells_enough_to_read_every_digest(vector):
    at, trusted, window, series = read_digest(bytes.fromhex(vector["body"]), vector["schema"])
    assert (at, trusted, window) == (vector["at"], vector["trusted"], vector["window"])
    assert {str(place): one for place, one in series.items()} == vector["series"]


def value(form, number):
    if form < 16:
        return number / 10**form
    if form < 32:
        return struct.unpack("<f", struct.pack("<f", number / 10 ** (form - 16)))[0]
    layout = {64: ("<q", "<d"), 65: ("<i", "<f")}[form]
    return struct.unpack(layout[1], struct.pack(layout[0], number))[0]


def read_detail(body, schema):
    """First number, and the readings of each; the context is checked by whoever knows it."""
    assert body[0] // 2 == 1
    at = 1 + (23 if body[0] % 2 else 3)
    assert body[at : at + 2] == identifier(schema)
    bits, series = Bits(body[at + 2 :]), series_of(schema)
    first, numbers = bits.code(12) + 1, bits.code(3) + 1
    counts = [1] * numbers if bits.flag() else bits.sequence(numbers, 1, 1, 2)
    shapes = [read_shape(bits, len(series)) for _ in range(bits.code(0) + 1)]
    rows = sum(counts)
    order = bits.sequence(rows, 0, 1, 2) if len(shapes) > 1 else [0] * rows
    times, middle, k = [], 0, 26
    for shape in range(len(shapes)):
        times.append(bits.sequence(order.count(shape), middle, k, 16))
        middle, k = times[-1][0], 16
    common = 1
    if not bits.flag():
        common = bits.code(4) if bits.flag() else None
    cells = {}
    for place in sorted({place for shape in order for place in shapes[shape]}):
        length = sum(place in shapes[shape] for shape in order)
        cells[place] = (read_values(bits, series[place], length), [common] * length)
        if common is None:
            cells[place] = cells[place][0], bits.sequence(length, 1, 0, 4)
    bits.end()
    left = iter(order)
    return first, [
        [
            [series[place][0], instant, cells[place][0].pop(0), series[place][1], cells[place][1].pop(0)]
            for shape in [next(left) for _ in range(count)]
            for instant in [times[shape].pop(0)]
            for place in shapes[shape]
        ]
        for count in counts
    ]


def read_shape(bits, series):
    if bits.flag():
        return list(range(series))
    size, shape = bits.code(2) + 1, [bits.code(2)]
    while len(shape) < size:
        shape.append(shape[-1] + 1 + bits.code(0))
    return shape


def read_values(bits, series, length):
    _, _, decimals, middle, k = series
    if bits.flag():
        return [value(decimals, number) for number in bits.sequence(length, middle, k, 2)]
    form = bits.fixed(7)
    return [value(form, number) for number in bits.sequence(length, 0, 16, 2)]


@pytest.mark.parametrize("vector", VECTORS["details"], ids=lambda vector: vector["name"])
def test_the_text_tells_enough_to_read_every_detail(vector):
    first, numbers = read_detail(bytes.fromhex(vector["body"]), vector["schema"])
    assert first == vector["first"]
    assert exact(numbers) == exact(vector["numbers"])


def exact(numbers):
    return [[(name, at, struct.pack("<d", one), unit, q) for name, at, one, unit, q in its] for its in numbers]


def test_and_a_real_day():
    day = six_at_five_minutes()
    first, numbers = read_detail(detail.pack(SIX_SCHEMA, CONTEXT, 77, day), SIX_SCHEMA.text)
    assert first == 77
    places = SIX_SCHEMA.places
    assert numbers == [[list(one) for one in sorted(row, key=lambda one: places[one.series, one.unit])] for row in day]


def test_the_examples_in_the_text():
    schema = blocks("digest.md", "")[0].strip()
    assert f"`{identifier(schema).hex()}` here" in text("digest.md")
    (example,) = (json.loads(block) for block in blocks("digest.md", "json"))
    assert errors("digest.json", example) == []
    assert example["schema"] == identifier(schema).hex()


def test_what_is_no_digest():
    (example,) = (json.loads(block) for block in blocks("digest.md", "json"))
    newest = example["series"][0]
    for changed in ({"at": 5}, {"window": -1}, {"schema": "xyz"}, {"series": [newest | {"min": 3}]}, {"trusted": None}):
        assert errors("digest.json", example | changed)
    assert errors("digest.json", example | {"series": [{name: newest[name] for name in newest if name != "max"}]})
