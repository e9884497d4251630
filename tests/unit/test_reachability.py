"""Whether a node is reached from outside, by what others say."""

from __future__ import annotations

import pytest

from p2pcommons.cli.node import reached_line
from p2pcommons.core.address import parse_address
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.outside import is_near, is_outside
from p2pcommons.node.own_record import OwnRecord
from p2pcommons.node.values import Instant, Reachable
from p2pcommons.sync.reachability import TOLD_MS, Reachability

NOW = 1_750_000_000_000
KEYS = [SigningKey(bytes([number]) * 32) for number in range(1, 10)]
HOME, NAME = parse_address("5.1.0.7:7421"), parse_address("wss://commons.example.org/p2p")


def test_one_who_reached_it_outweighs_all_who_did_not() -> None:
    told = Reachability()
    assert told.summary(NOW).state == "unknown"
    for key in KEYS[:3]:
        told.take(key.public, "", [HOME], [], NOW)
    assert told.summary(NOW) == ("no", "5.1.0.7:7421", 3, NOW)
    told.take(KEYS[4].public, "", [HOME, NAME], [NAME], NOW + 5)
    told.take(KEYS[5].public, "", [HOME], [HOME], NOW + 6)
    told.take(KEYS[6].public, "", [HOME], [HOME], NOW + 7)
    assert told.summary(NOW + 9) == ("yes", "5.1.0.7:7421", 2, NOW + 7)
    assert told.of(NAME.target, NOW + 9).told_by == 1


def test_the_last_word_of_a_node_counts_once_and_not_for_ever() -> None:
    told = Reachability()
    told.take(KEYS[0].public, "", [HOME], [HOME], NOW)
    told.take(KEYS[0].public, "", [HOME], [HOME], NOW + 1)
    assert told.summary(NOW + 1).told_by == 1
    told.take(KEYS[0].public, "", [HOME], [], NOW + 2)
    assert told.summary(NOW + 2).state == "no"
    assert told.summary(NOW + 2 + TOLD_MS).state == "unknown"


def test_what_strangers_say_is_bounded() -> None:
    told = Reachability()
    for number in range(1, 400):
        places = [parse_address(f"5.{number % 200}.{n}.7:7421") for n in range(8)]
        told.take(SigningKey(number.to_bytes(32, "big")).public, f"5.0.0.{number % 250}", places, [], NOW)
        told.take(SigningKey(number.to_bytes(32, "big")).public, "", [HOME], [], NOW)
    assert told.of(HOME.target, NOW).told_by == 256
    assert len(told.seen(NOW)) <= 256


def test_an_address_that_others_see_is_told_only_to_them_until_one_reached_it() -> None:
    told = Reachability()
    own = OwnRecord(KEYS[8], told, is_outside)
    own.set_places([parse_address("192.168.1.7:7421")], 7421)
    assert own.record(NOW) is None  # a private address is never told
    told.take(KEYS[0].public, "5.1.0.7", [], [], NOW)
    assert own.record(NOW) is None
    there = own.record(NOW, "5.1.0.7")
    assert there is not None and [one.target for one in there.addresses] == ["5.1.0.7:7421"]
    told.take(KEYS[0].public, "5.1.0.7", there.addresses, there.addresses, NOW + 1)
    assert own.record(NOW + 1) == there
    assert [one.target for one in own.passed_on(NOW + 1)] == ["5.1.0.7:7421"]


def test_an_address_that_several_tried_in_vain_is_not_told_again() -> None:
    told = Reachability()
    own = OwnRecord(KEYS[8], told, is_outside)
    own.set_places([], 7421)
    for key in KEYS[:2]:
        told.take(key.public, "5.1.0.7", [HOME], [], NOW)
    assert own.record(NOW, "5.1.0.7") is None


def test_a_record_is_made_anew_when_addresses_change_and_once_a_day() -> None:
    own = OwnRecord(KEYS[8], Reachability(), is_outside)
    own.set_places([HOME], None)
    first = own.record(NOW)
    assert first is not None and own.record(NOW + 3600_000) == first
    renewed = own.record(NOW + 25 * 3600_000)
    assert renewed is not None and renewed.is_newer(first) and renewed.addresses == first.addresses
    own.set_places([HOME, NAME], None)
    moved = own.record(NOW + 25 * 3600_000)
    assert moved is not None and moved.is_newer(renewed) and moved.addresses == (HOME, NAME)


def test_more_names_than_fit_a_record_are_left_out() -> None:
    own = OwnRecord(KEYS[8], Reachability(), is_outside)
    own.set_places([parse_address(f"wss://n{n}.example.org/{'p' * 200}") for n in range(12)], None)
    record = own.record(NOW)
    assert record is not None and 3 <= len(record.addresses) < 8 and len(record.statement) <= 1024


def test_a_neighbour_is_not_outside() -> None:
    assert is_near("5.1.0.7", "5.1.0.99") and not is_near("5.1.0.7", "5.1.1.7")
    assert is_near("2a01:4f8:1::1", "2a01:4f8:1:ff::1") and not is_near("2a01:4f8:1::1", "2a01:4f8:2::1")
    assert not is_near("5.1.0.7", "commons.example.org")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Reachable(), "not known: no other node was asked, or could tell"),
        (Reachable("yes", "5.1.0.7:7421", 1, Instant(NOW)), "reached by 1 node at 5.1.0.7:7421, last at "),
        (Reachable("no", "5.1.0.7:7421", 3, Instant(NOW)), "not reached: 3 nodes tried 5.1.0.7:7421 in vain, last at "),
    ],
)
def test_status_says_it_in_one_line(found: Reachable, said: str) -> None:
    assert reached_line(found).startswith(said)
