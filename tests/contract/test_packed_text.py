"""A second reader of packed bodies, written from docs/platform/packed.md alone: slow, plain, and of one mind with the first."""

import json
import re
import struct
import zlib
from pathlib import Path

import pytest

from protocols import columns
from tests.contract.documents import blocks
from tests.support.surfrad import BOOT, minutes

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "packed.json").read_text(encoding="utf-8"))["bodies"]


class Body:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        return self.data[self.at - count : self.at]

    def varint(self):
        value = shift = 0
        while True:
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def zigzag(self):
        value = self.varint()
        return value // 2 if value % 2 == 0 else -(value + 1) // 2

    def head(self):
        (mode,) = self.take(1)
        order, k = mode & 3, mode >> 2
        return order, k, [self.zigzag() for _ in range(max(order, 1))]


class Bits:
    def __init__(self, data):
        self.text, self.at = "".join(f"{byte:08b}" for byte in data), 0

    def one(self):
        self.at += 1
        return self.text[self.at - 1]

    def golomb(self, count, k):
        classes = []
        for _ in range(count):
            zeros = 0
            while self.one() == "0":
                zeros += 1
            classes.append(zeros)
        found = []
        for zeros in classes:
            y = 1
            for _ in range(zeros + k):
                y = 2 * y + int(self.one())
            found.append(y - 2**k)
        return found

    def sequence(self, head, count):
        order, k, starts = head
        residuals = [0] * (count - order) if k == 63 else self.golomb(count - order, k)
        if order == 0:
            return [starts[0] + residual for residual in residuals]
        steps = [z // 2 if z % 2 == 0 else -(z + 1) // 2 for z in residuals]
        for start in reversed(starts):
            numbers = [start]
            for step in steps:
                numbers.append(numbers[-1] + step)
            steps = numbers
        return steps


def value(form, number):
    if form < 16:
        return number / 10**form
    if form < 32:
        return struct.unpack("<f", struct.pack("<f", number / 10 ** (form - 16)))[0]
    layout = {64: ("<q", "<d"), 65: ("<i", "<f")}[form]
    return struct.unpack(layout[1], struct.pack(layout[0], number))[0]


def read(data):
    body = Body(data)
    assert body.take(1) == b"\x01"
    body.take(8)
    lines = zlib.decompress(body.take(body.varint()), -15).decode().split("\n")
    words = lines[0].split(" ")
    series = list(zip(words[::2], words[1::2], strict=True))
    shapes = [list(map(int, line.split(" "))) for line in lines[1:]] or [list(range(len(series)))]
    numbers, rows = body.varint(), body.varint()
    counts_head = body.head()
    order_head = body.head() if len(shapes) > 1 else (0, 63, [0])
    time_heads = [body.head() for _ in shapes]
    common = body.varint()
    heads = [(body.take(1)[0], body.head(), None if common else body.head()) for _ in series]
    bits = Bits(data[body.at :])
    counts = bits.sequence(counts_head, numbers)
    order = bits.sequence(order_head, rows)
    times = [bits.sequence(head, order.count(shape)) for shape, head in enumerate(time_heads)]
    cells = []
    for index, (form, head, quality_head) in enumerate(heads):
        length = sum(index in shapes[shape] for shape in order)
        values = [value(form, number) for number in bits.sequence(head, length)]
        cells.append((values, bits.sequence(quality_head, length) if quality_head else [common] * length))
    left = iter(order)
    return [
        [
            (*series[index][:1], at, cells[index][0].pop(0), series[index][1], cells[index][1].pop(0))
            for shape in [next(left) for _ in range(count)]
            for at in [times[shape].pop(0)]
            for index in shapes[shape]
        ]
        for count in counts
    ]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_text_tells_enough_to_read_every_vector(vector):
    assert read(bytes.fromhex(vector["body"])) == [[tuple(r) for r in its] for its in vector["numbers"]]


def test_and_a_real_day():
    rows = minutes()
    for at in range(0, len(rows), 240):
        body = columns.merge([columns.pack(BOOT, row) for row in rows[at : at + 240]])
        assert read(body) == [[tuple(r) for r in row] for row in rows[at : at + 240]]


def test_the_example_in_the_text():
    example = next(block for block in blocks("packed.md", "") if block.startswith("01 "))
    octets = re.findall(r"^((?:[0-9a-f]{2})+(?: [0-9a-f]+)*)  ", example, re.MULTILINE)
    assert "".join(octets).replace(" ", "") == VECTORS[0]["body"]
