"""Two hosts as they are at one moment, copied and left alone with each other over a link on which nothing goes wrong.

Eventual convergence is too kind a judge: what one session leaves, the next may mend. Here there is one session. After
it both must hold what the plain sets of both make together, and it may take only so many frames.
"""

from __future__ import annotations

from random import Random
from typing import Any

from p2pcommons.commons.charter import Charter, judge
from p2pcommons.commons.meaning import CommonsMeaning
from p2pcommons.core.clock import is_later
from p2pcommons.core.record import Record
from p2pcommons.store.memory import MemoryStore
from p2pcommons.store.sqlite import SqliteStore
from p2pcommons.sync.events import Completed, Differed, RecordsReceived, SessionEnded
from p2pcommons.sync.message import Open, starts_like
from p2pcommons.sync.replica import Replica
from simulation.host import Host, verify_once
from simulation.universe import Universe
from simulation.world import Clock, Link, dice

OPENINGS_MAX = 6  # of both ends: each plane by symbols, a stream or ranges, once, and the last
FRAMES_FIXED = 24  # hellos, names, openings, done
FRAMES_PER_FRAME_OF_PACKS = 4  # symbols, wants and confirmations for each


def meet(world: Universe, host: Host, random: Random) -> None:
    """A host and another honest one, copied; one that holds something else, if there is one."""
    if not host.honest:
        return
    kept = world.kept(host)
    others = [one for one in world.honest if one is not host and world.kept(one) != kept]
    other = random.choice(others or world.honest)
    stores = [_opened(host), _opened(other) if random.random() < 0.7 else _empty(world)]
    random.shuffle(stores)
    try:
        if all(world.commons in store.followed() for store in stores):
            world.say(f"hosts {host.number} and {other.number} meet, copied: {_meet(world, stores, random)}")
    finally:
        for store in stores:
            store.close()


def _opened(host: Host) -> Any:
    copied = host.copied("meeting")
    return copied if host.path is None else SqliteStore(copied)


def _empty(world: Universe) -> Any:
    """One that has just begun to follow the commons."""
    store = MemoryStore()
    with store.transaction():
        store.follow(world.commons)
    return store


def _meet(world: Universe, stores: list[Any], random: Random) -> str:
    commons, now_ms = world.commons, round(world.now_ms)
    held = [{record.id: record for record in _records(world, store)} for store in stores]
    together = held[0] | held[1]
    if any(is_later(record.header.time, now_ms) for record in together.values()):
        return "too early"
    charter: Charter = judge([r for r in together.values() if r.header.plane == 0], commons)
    works = {
        one for one, record in together.items() if record.header.plane and record.header.author in charter.admitted
    }
    model = charter.set_ids | works
    lacking = sum(len(model ^ ids.keys()) for ids in held)
    replicas = [Replica(store, CommonsMeaning(), dice(number), verify_once) for number, store in enumerate(stores)]
    clock = Clock()
    clock.now_ms = now_ms
    link = Link(*replicas, clock=clock, choose=random.randrange, eager=(random.random() < 0.5, random.random() < 0.5))
    frames: list[bytes] = []
    for end in link.ends:
        end.carry = lambda frame: frames.append(frame) or frame  # type: ignore[func-returns-value]
    link.run()
    for replica, store in zip(replicas, stores, strict=True):
        kept = {record.id for record in _records(world, store)}
        assert kept == model, f"after a session on a good link {len(kept ^ model)} of {lacking} differences are left"
        replica.changes.clear()
    digests = [replica.digest(commons) for replica in replicas]
    assert digests[0] == digests[1], "two hold the same and show something else"
    for end in link.ends:
        assert not end.told(SessionEnded) and not end.told(Differed), "a session between two good ones ended badly"
        completed = [event for event in end.told(Completed) if isinstance(event, Completed)]
        assert completed and not completed[-1].but_for, "two hold the same, and do not say so"
    openings = sum(starts_like(frame, Open) for frame in frames)
    given = sum(len(end.told(RecordsReceived)) for end in link.ends)
    allowed = FRAMES_FIXED + FRAMES_PER_FRAME_OF_PACKS * given
    assert openings <= OPENINGS_MAX, f"{openings} openings for {lacking} differences"
    assert len(frames) <= allowed, f"{len(frames)} frames for {lacking} differences in {given} frames of packs"
    return f"{lacking} differences, {len(frames)} frames, {openings} openings"


def _records(world: Universe, store: Any) -> list[Record]:
    ids = [key.id for plane in (0, 1) for key in store.keys(world.commons, plane, None, 10**9)]
    return [sealed.record for sealed in store.sealed(ids)]
