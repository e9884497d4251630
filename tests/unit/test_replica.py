"""What a replica takes and what it refuses, one rule at a time."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from p2pcommons.commons.charter import Charter
from p2pcommons.commons.charter_bodies import found, join_open
from p2pcommons.commons.doors import recovery_hash
from p2pcommons.commons.draft import draft_from_json, edit_body_new
from p2pcommons.commons.edit import EDIT
from p2pcommons.commons.meaning import CommonsMeaning
from p2pcommons.commons.stamp import search_stamp
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import AHEAD_MS_MAX
from p2pcommons.core.record import CommonsId, Plane
from p2pcommons.store.memory import MemoryStore
from p2pcommons.sync.replica import Draft, Replica

NOW_MS = 1_790_000_000_000
ALICE, BOB = (SigningKey(sha256(name).digest()) for name in (b"alice", b"bob"))
RECOVERY = recovery_hash(bytes(32))


def dice() -> Callable[[int], bytes]:
    numbers = iter(range(10**6))
    return lambda size: b"".join(sha256(b"%d" % next(numbers)).digest() for _ in range(-(-size // 32)))[:size]


def pair() -> tuple[Replica[Charter], Replica[Charter], CommonsId]:
    """Who founded an open commons, and who follows it and has all of its charter."""
    first, second = (Replica(MemoryStore(), CommonsMeaning(), dice()) for _ in range(2))
    made = found("A world", entropy=bytes(32), recovery=RECOVERY, join="open", stamp_bits=0)
    commons = first.found(ALICE, made.kind, made.body, NOW_MS)
    second.follow(commons)
    give(first, second, commons, Plane.CHARTER)
    return first, second, commons


def give(giver: Replica[Charter], taker: Replica[Charter], commons: CommonsId, plane: int, now_ms: int = NOW_MS) -> Any:
    packs, _, _ = giver.page(commons, plane, None, 1 << 20)
    receipt = taker.receive(commons, packs, now_ms)
    taker.settle(commons)
    return receipt


def write(replica: Replica[Charter], commons: CommonsId, title: str, now_ms: int) -> bytes:
    body = edit_body_new(draft_from_json({"type": "book", "title": title}))
    draft = Draft(Plane.CATALOGUE, sha256(title.encode()).digest(), (), EDIT, body)
    return replica.write(commons, ALICE, [draft], now_ms)[0].id


@pytest.mark.parametrize("ahead_ms", [AHEAD_MS_MAX, AHEAD_MS_MAX + 1_000])
def test_what_is_too_far_ahead_of_the_clock_waits_for_its_time(ahead_ms: int) -> None:
    first, second, commons = pair()
    ahead = write(first, commons, "ahead", NOW_MS + ahead_ms)
    before = second.digest(commons)
    receipt = give(first, second, commons, Plane.CATALOGUE)
    if ahead_ms <= AHEAD_MS_MAX:
        assert receipt.ids == [ahead] and not receipt.refused
        return
    assert receipt.refused == {ahead: "later"} and second.digest(commons) == before
    assert give(first, second, commons, Plane.CATALOGUE, NOW_MS + 2_000).new == 1
    assert second.digest(commons) == first.digest(commons)


def test_a_charter_record_too_far_ahead_waits_too() -> None:
    first, second, commons = pair()
    stamp = search_stamp(commons, commons, BOB.public, 0)
    assert stamp is not None
    made = join_open(recovery=RECOVERY, stamp=stamp)
    draft = Draft(Plane.CHARTER, BOB.public, (commons,), made.kind, encode_body(made.body))
    (joined,) = first.write(commons, BOB, [draft], NOW_MS + AHEAD_MS_MAX + 1_000)
    assert give(first, second, commons, Plane.CHARTER).refused == {joined.id: "later"}
    assert give(first, second, commons, Plane.CHARTER, NOW_MS + 2_000).new == 1
    assert second.digest(commons) == first.digest(commons)
