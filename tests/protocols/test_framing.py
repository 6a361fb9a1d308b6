from hypothesis import given
from hypothesis import strategies as st

from protocols.framing import Lines


def test_lines_end_at_cr_or_lf_and_empty_ones_are_nothing():
    assert Lines(80).feed(b"one\r\ntwo\n\nthree\rfour") == [b"one", b"two", b"three"]


def test_a_line_that_is_too_long_is_dropped_and_the_next_one_read():
    lines = Lines(8)
    assert lines.feed(b"0123456789") == []
    assert lines.feed(b"0123456789\nnext\n") == [b"next"]
    assert lines.lost == 20


def test_its_tail_is_kept_where_a_language_marks_its_beginnings():
    lines = Lines(8, keep_tail=True)
    assert lines.feed(b"x" * 100) == []
    assert lines.feed(b"$abc\n") == [b"xxxx$abc"]


@given(st.lists(st.binary(max_size=40), max_size=30), st.booleans())
def test_what_is_kept_is_bounded(chunks, keep_tail):
    lines = Lines(16, keep_tail=keep_tail)
    for chunk in chunks:
        assert all(len(line) <= 16 for line in lines.feed(chunk))
        assert len(lines._rest) <= 16


@given(st.binary(max_size=200), st.integers(1, 50))
def test_how_bytes_are_cut_does_not_matter(data, size):
    whole, split = Lines(1000), Lines(1000)
    pieces = [data[n : n + size] for n in range(0, len(data), size)]
    assert [line for piece in pieces for line in split.feed(piece)] == whole.feed(data)
