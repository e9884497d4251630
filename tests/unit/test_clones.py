"""Copied folders and forked chains are noticed, and nothing else is taken for one."""

from __future__ import annotations

from p2pcommons.core.identity import SigningKey
from p2pcommons.core.record import ZEROS, Plane, Record, build
from p2pcommons.node.clones import Clones, Sighting, key_twice
from p2pcommons.sync.chains import Chains

KEY = SigningKey(b"k" * 32)
COMMONS = b"c" * 32
NOW_MS = 1_000
LONG_MS = 10 * 60 * 1000


def _record(after: bytes, title: int, *, plane: int = Plane.CATALOGUE) -> Record:
    return build(
        commons=COMMONS, plane=plane, author=KEY.public, after=after, time=title << 16, subject=bytes(32),
        prev=(), kind="entry.edit", body={"set": {"n": title}}, salt=bytes(16),
    )  # fmt: skip


def test_two_records_behind_one_are_a_fork() -> None:
    chains = Chains()
    first = _record(ZEROS, 1)
    one, other = _record(first.id, 2), _record(first.id, 3)
    assert chains.note(COMMONS, first, NOW_MS) is None
    assert chains.note(COMMONS, one, NOW_MS) is None
    fork = chains.note(COMMONS, other, NOW_MS)
    assert fork is not None and (fork.after, set(fork.records)) == (first.id, {one.id, other.id})


def test_a_chain_in_any_order_twice_over_and_in_both_planes_is_none() -> None:
    chains = Chains()
    first = _record(ZEROS, 1)
    second = _record(first.id, 2)
    third = _record(second.id, 3)
    elsewhere = _record(ZEROS, 1, plane=Plane.CHARTER)
    assert [chains.note(COMMONS, each, NOW_MS) for each in (third, first, second, first, third, elsewhere)] == [
        None
    ] * 6
    assert chains.note(b"d" * 32, _record(first.id, 4), NOW_MS) is None  # another commons


def test_a_node_that_dials_itself_is_no_copy() -> None:
    clones = Clones()
    clones.speaks(b"n" * 32)
    assert clones.is_itself(b"n" * 32) and not clones.is_itself(b"m" * 32)


def test_places_of_copies_are_told_once_and_forgotten() -> None:
    clones = Clones()
    assert clones.met("192.0.2.1", 0) and not clones.met("192.0.2.1", 60_000)
    assert clones.places(60_000) == ["192.0.2.1"]
    assert clones.places(60_000 + 16 * 60_000) == []


def test_strangers_fill_a_bounded_memory_only() -> None:
    clones = Clones()
    for number in range(1000):
        clones.met(f"192.0.2.{number}", number)
        clones.speaks(number.to_bytes(32, "big"))
    assert len(clones.places(1000)) == 16
    assert not clones.is_itself((0).to_bytes(32, "big")) and clones.is_itself((999).to_bytes(32, "big"))


def test_a_key_at_two_places_for_long_is_a_copy_and_a_machine_that_moved_is_not() -> None:
    one, other = SigningKey(b"1" * 32).public, SigningKey(b"2" * 32).public
    here, there = Sighting(one, "192.0.2.1", 0), Sighting(one, "192.0.2.2", 0)
    assert key_twice([here, there], LONG_MS) == {one: ["192.0.2.1", "192.0.2.2"]}
    assert key_twice([here, there._replace(since_ms=LONG_MS - 1)], LONG_MS) == {}
    assert key_twice([here, here], LONG_MS) == {}
    assert key_twice([here, there._replace(key=other)], LONG_MS) == {}
