"""Who only costs is served late: the balance of a session."""

from __future__ import annotations

from p2pcommons.node.worth import FREE_S, FREE_SHARE, Worth


def test_who_only_costs_is_late_as_soon_as_what_is_free_is_used_up() -> None:
    one = Worth(0.0)
    one.note(FREE_S, 0.0, brought=False)
    assert not one.is_late
    one.note(0.001, 0.0, brought=False)
    assert one.is_late


def test_who_brings_records_is_never_late_whatever_else_they_ask() -> None:
    one = Worth(0.0)
    for second in range(100):
        one.note(0.04, second / 10, brought=True)
        one.note(0.02, second / 10, brought=False)
        assert not one.is_late


def test_one_good_record_does_not_pay_for_a_flood() -> None:
    one = Worth(0.0)
    for second in range(100):
        one.note(0.05, second / 10, brought=False)
        one.note(0.0002, second / 10, brought=True)
    assert one.is_late


def test_a_quiet_neighbour_is_never_late_and_who_stops_flooding_is_served_again() -> None:
    one = Worth(0.0)
    for second in range(1000):
        one.note(FREE_SHARE, float(second + 1), brought=False)
        assert not one.is_late
    one.note(1.0, 1000.0, brought=False)
    assert one.is_late
    one.note(0.0, 1000.0 + 1 / FREE_SHARE, brought=False)
    assert not one.is_late
