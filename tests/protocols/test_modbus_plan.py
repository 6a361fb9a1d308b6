from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import RemoteError
from protocols.modbus_map import ORDERS, WIDTHS, Register
from protocols.modbus_plan import Block, Limits, Planner


def spans(planner):
    return [(block.function, block.address, block.count) for block in planner.blocks()]


def registers(*addresses, **more):
    return [Register(f"r{address}", address, **more) for address in addresses]


def test_neighbours_go_together_and_functions_apart():
    planner = Planner([*registers(0, 1, 2), Register("i", 3, function=4)])
    assert spans(planner) == [(3, 0, 3), (4, 3, 1)]


def test_unlisted_addresses_are_not_touched_unless_allowed():
    assert spans(Planner(registers(0, 3))) == [(3, 0, 1), (3, 3, 1)]
    assert spans(Planner(registers(0, 3), Limits(allow_gaps=True))) == [(3, 0, 4)]


def test_what_the_map_lists_may_be_read_across():
    everything = registers(0, 1, 2, 3)
    assert spans(Planner([everything[0], everything[3]], Limits(), everything)) == [(3, 0, 4)]
    assert spans(Planner(registers(0, 3), Limits(readable=((3, 1, 2),)))) == [(3, 0, 4)]
    assert spans(Planner(registers(0, 3), Limits(readable=((4, 1, 2),)))) == [(3, 0, 1), (3, 3, 1)]


def test_gap_and_span_are_bounded():
    wide = Limits(allow_gaps=True)
    assert spans(Planner(registers(0, 13), wide)) == [(3, 0, 14)]
    assert spans(Planner(registers(0, 14), wide)) == [(3, 0, 1), (3, 14, 1)]
    assert spans(Planner(registers(*range(200)))) == [(3, 0, 125), (3, 125, 75)]
    assert spans(Planner(registers(*range(20)), Limits(most=10))) == [(3, 0, 10), (3, 10, 10)]


def test_wide_values_are_never_cut():
    floats = [Register(f"f{n}", 2 * n, type="float32") for n in range(100)]
    assert spans(Planner(floats)) == [(3, 0, 124), (3, 124, 76)]


def test_bits_of_one_register_share_a_request():
    bits = [Register(f"b{n}", 7, type="bit", bit=n) for n in range(16)]
    planner = Planner(bits)
    (block,) = planner.blocks()
    assert (block.address, block.count, len(block.registers)) == (7, 1, 16)
    assert planner.learn(block) == []


def test_a_refused_block_is_split_at_its_widest_gap_and_stays_split():
    planner = Planner(registers(0, 1, 6, 7), Limits(allow_gaps=True))
    (whole,) = planner.blocks()
    assert [block.address for block in planner.learn(whole)] == [0, 6]
    assert spans(planner) == [(3, 0, 2), (3, 6, 2)]
    assert planner.splits == {(3, 6)}


def test_splitting_ends_at_single_registers():
    planner = Planner(registers(*range(8)))
    waiting, asked = planner.blocks(), 0
    while waiting:
        asked += 1
        waiting += planner.learn(waiting.pop())
    assert asked == 15  # a binary tree over eight leaves
    assert spans(planner) == [(3, address, 1) for address in range(8)]


@given(
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from(["uint16", "float32", "int64"])), min_size=1, max_size=40),
    st.integers(4, 125),
    st.integers(0, 12),
    st.booleans(),
)
def test_every_register_is_in_one_block_within_the_limits(rows, most, gap, allowed):
    wanted = [Register(f"r{n}", address, type=kind) for n, (address, kind) in enumerate(rows)]
    blocks = Planner(wanted, Limits(most, gap, allowed)).blocks()
    assert sorted(r.name for block in blocks for r in block.registers) == sorted(r.name for r in wanted)
    for block in blocks:
        assert block.count <= most
        answer = list(range(block.address, block.address + block.count))
        assert all(list(block.words(r, answer)) == list(range(r.address, r.address + r.width)) for r in block.registers)


WORD = st.integers(0, 0xFFFF)
REGISTERS = st.builds(
    Register,
    st.just("x"),
    st.just(3),
    st.just(3),
    st.sampled_from(sorted(WIDTHS)),
    st.sampled_from(ORDERS),
    st.sampled_from([1.0, 0.1, 0.01, -0.5, 1e300, 12.5]),
    st.sampled_from([0.0, -40.0, 0.25]),
    st.integers(0, 15),
    st.sampled_from([(), (0.0,), (-32768.0, 65535.0)]),
)


@given(REGISTERS, st.lists(WORD | st.sampled_from([0, 0x8000, 0xFFFF]), min_size=7, max_size=7))
def test_a_block_says_the_same_as_its_registers(register, answer):
    def whole():
        try:
            return {"x": register.decode(answer[2 : 2 + register.width])}, []
        except RemoteError as wrong:
            return {}, [wrong.reason]

    values, lacking = Block(3, 1, 7, (register,)).values(answer)
    assert (values, [one.reason for one in lacking]) == whole()
