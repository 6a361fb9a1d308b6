"""What a silent server bears is learnt, and not forgotten for nothing."""

from agent.links.bearable import LEAST, NO_LIMIT, PROOFS, Bearable


def test_a_server_that_hangs_up_is_given_less_until_it_bears_it():
    server, limit, size = 20_480, Bearable(), 70_000
    tries = 0
    while min(size, limit.limit) > server:
        limit.hung_up(min(size, limit.limit))
        tries += 1
    limit.accepted(limit.limit)
    assert tries <= 3
    assert server // 2 <= limit.limit <= server


def test_a_loss_with_nothing_larger_than_was_accepted_proves_nothing():
    limit = Bearable()
    limit.accepted(60_000)
    limit.hung_up(60_000)
    assert limit.limit == NO_LIMIT


def test_never_less_than_any_server_bears():
    limit = Bearable()
    for _ in range(50):
        limit.hung_up(limit.limit)
    assert limit.limit == LEAST


def test_after_long_good_service_more_is_tried():
    limit = Bearable()
    limit.hung_up(40_000)
    for _ in range(PROOFS):
        limit.accepted(19_000)
    assert limit.limit == 40_000
