"""What must hold in a universe at every moment: looked at after each step, or after some of them where worlds are large.

Every host's sets are compared with what was ever sealed and with a plain set of ids, its sums and views with what those
ids alone give; sessions with what both ends hold when they say that it is the same, with bounds on frames, bytes and
repetitions, and with who is to blame when one ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from p2pcommons.core.limits import (
    FRAME_BYTES_MAX,
    GOSSIP_IDS_MAX,
    PENDING_RECORDS_MAX,
    ROUND_EVERY_MS,
    ROUND_WAIT_MS_MAX,
    VERIFIED_SEALS_MAX,
    WINDOW_BYTES,
)
from p2pcommons.sync.digest import published
from p2pcommons.sync.events import CollisionFound, Completed, Event, RecordsReceived, SessionEnded
from p2pcommons.sync.message import Open, Opening, decode_message, starts_like
from simulation.plain import Plain
from simulation.weight import weight
from simulation.wire import BYTES_WAITING_MAX, Wire

if TYPE_CHECKING:
    from simulation.host import Host
    from simulation.universe import Universe

EACH_STEP = 4_000  # records times hosts up to which every change of every host is looked at
ROUNDS_FRAMES = 24  # of a session, both ways, from being the same to being the same again
FRAMES_PER_CHANGE = 4  # and for each time that one of both ends changed meanwhile, or was given records
FRAMES_PER_ROUND = 4  # and for each half minute: the check that news got through
SAID_MS_MAX = ROUND_WAIT_MS_MAX + ROUND_EVERY_MS  # after which a session at rest must have compared again
BODIES_TWICE = 1  # records that may come again for each that is new, in a world without hostile nodes
SESSION_BYTES_MAX = WINDOW_BYTES + 4 * 1024 * 1024  # held for one peer: what it asked for, ids, refusals, frames
_WEIGH_EVERY = 400  # frames
_LARGE_BYTES = 128 * 1024  # each of these, too
_PROTOCOL = Path(__file__).resolve().parents[2] / "protocol"


class _Same(NamedTuple):
    """What a host had when its session said that both have the same."""

    digests: tuple[tuple[int, bytes], ...]


class Laws:
    """They are told what happens, and raise AssertionError in words."""

    def __init__(self, world: Universe) -> None:
        self._world = world
        self.plain = Plain(world)
        self._skipped: dict[int, int] = {}
        self._opened: dict[tuple[Wire, int], Opening] = {}
        self._same: dict[tuple[Wire, int], _Same] = {}
        self._changes: dict[int, int] = {}  # of a host, since the world began
        self._given: dict[Wire, int] = {}  # frames of packs taken in this session
        self._since: dict[Wire, tuple[int, int, float]] = {}  # frames, changes of both, when they were the same
        self._said: dict[tuple[Wire, int], float] = {}  # when a host last said that both have the same, but for some
        self._met_ms: dict[Wire, float] = {}
        self._blamed: dict[int, int] = {}  # sessions that a host ended for a violation, since it started
        self._weighed = 0
        self.checked = 0
        """States of hosts that were compared with the plain sets."""
        self.agreed = 0
        """Times two ends were found to hold the same when both said so."""
        self.came = 0
        """Records that came to honest hosts, those that were there or refused included."""
        self.new = 0
        self.heaviest = 0
        """Bytes that the heaviest session held when it was weighed."""
        self.worst = 0.0
        """Frames between two times of being the same, as a part of what is allowed."""

    @property
    def again(self) -> float:
        """Records that came to honest hosts again, for each that was new or refused."""
        return (self.came - self.new) / max(self.new, 1)

    # -- hosts

    def changed(self, host: Host) -> None:
        """A host's sets changed, or were read anew from its disk."""
        self._changes[host.number] = self._changes.get(host.number, 0) + 1
        skipped = self._skipped.get(host.number, 0)
        if host.honest and skipped * EACH_STEP >= len(self._world.written) * len(self._world.hosts):
            self._skipped[host.number] = 0
            self.check(host)
        else:
            self._skipped[host.number] = skipped + 1

    def check(self, host: Host) -> None:
        """This host's sets, sums, views and what it was told to keep, against plain sets."""
        self.checked += 1
        self.plain.check(host)

    def crashed(self, host: Host) -> None:
        """What became durable although nobody was told is known, if its own person wrote it."""
        own = {key.public for key in (*host.keys, host.writing) if key is not None}
        fresh = [one for one in sorted(self._world.kept(host)) if one not in self._world.written]
        for sealed in host.store.sealed(fresh):
            header = sealed.record.header
            assert header.author in own, f"host {host.number} keeps a record of nobody"
            self._world.written[sealed.record.id] = (header.plane, header.author, header.subject)

    def stops(self, host: Host) -> None:
        """The end of one of a host's lives: what it did twice in it."""
        good = host.checks.good
        if len(good) <= VERIFIED_SEALS_MAX:
            twice = [count for count in good.values() if count > 1]
            assert not twice, f"host {host.number} checked a good seal {max(twice)} times"
        bad, blamed = host.checks.bad, self._blamed.pop(host.number, 0)
        assert not host.honest or bad <= blamed, f"host {host.number} met {bad} bad seals and blamed {blamed} peers"
        if host.replica is not None:
            host.forks += len(host.replica.forks)
            if host.honest:
                self.came += host.replica.came
                self.new += host.replica.new

    # -- sessions

    def met(self, wire: Wire) -> None:
        """A session begins at both ends."""
        for end in (wire.a, wire.b):
            self._opened.pop((wire, end), None)
            self._same.pop((wire, end), None)
        self._since.pop(wire, None)
        self._met_ms[wire] = self._world.now_ms

    def said(self, wire: Wire, host: Host, frames: Iterable[bytes]) -> None:
        """A host's session says these, before anybody tampers with them."""
        for frame in frames:
            assert len(frame) <= FRAME_BYTES_MAX, "a frame is too large"
            if starts_like(frame, Open):
                self._note_opening(wire, host, frame)

    def _note_opening(self, wire: Wire, host: Host, frame: bytes) -> None:
        message = decode_message(frame)
        assert isinstance(message, Open)
        for one in message.openings:
            theirs = self._opened.get((wire, wire.other(host.number)))
            opening = one if isinstance(one, Opening) else theirs
            if opening is not None:
                self._opened[wire, host.number] = opening

    def waits(self, wire: Wire, host: Host) -> None:
        """A frame goes into a link behind others."""
        there = wire.other(host.number)
        waiting = wire.unread[there]
        most = BYTES_WAITING_MAX + 2 * WINDOW_BYTES
        assert not host.honest or waiting <= most, f"{waiting} bytes of host {host.number} wait for {there}"

    def took(self, wire: Wire, host: Host, frame: bytes) -> None:
        """A host took a frame: what it holds for this peer now."""
        self._weighed += 1
        session = wire.sessions.get(host.number)
        often = len(frame) > _LARGE_BYTES or self._weighed % _WEIGH_EVERY == 0
        if often and host.honest and session is not None:
            held = weight(session)
            self.heaviest = max(self.heaviest, held)
            assert held <= SESSION_BYTES_MAX, f"host {host.number} holds {held} bytes for {wire.other(host.number)}"
            self._check_rooms(host)

    def _check_rooms(self, host: Host) -> None:
        if host.replica is not None and self._world.commons in host.replica.followed():
            spread = weight(host.replica.spread(self._world.commons))
            assert spread <= 600 * GOSSIP_IDS_MAX, f"host {host.number} holds {spread} bytes of news"
            waiting = host.replica.waiting(self._world.commons)
            assert waiting <= PENDING_RECORDS_MAX, f"{waiting} records wait at host {host.number}"

    def heard(self, wire: Wire, host: Host, event: Event) -> bool:
        """A session told this; whether the peer is to be avoided for a while."""
        there = self._world.hosts[wire.other(host.number)]
        if isinstance(event, SessionEnded):
            self._world.say(f"host {host.number} ends with {there.number}: {event.code}")
            if event.violation:
                self._blame(host, there, event)
                return True
        elif isinstance(event, Completed):
            self._said[wire, host.number] = self._world.now_ms
            if not event.but_for and host.honest and there.honest:
                self._note_same(wire, host, there)
        elif isinstance(event, RecordsReceived):
            self._given[wire] = self._given.get(wire, 0) + 1
        elif isinstance(event, CollisionFound):
            raise AssertionError(f"host {host.number} found ids that nobody can have made")
        return False

    def _blame(self, host: Host, there: Host, event: SessionEnded) -> None:
        self._blamed[host.number] = self._blamed.get(host.number, 0) + 1
        assert event.code in codes(), f"{event.code} stands in no chapter"
        honest = host.honest and there.honest
        assert not honest, f"host {host.number} calls {there.number}, an honest one, {event.code}: {event.detail}"
        host.offenders[there.number] = event.code

    def _note_same(self, wire: Wire, host: Host, there: Host) -> None:
        """Both ends said so, and neither changed since: then it is so, and it took no more frames than it may."""
        opened, now = self._opened.get((wire, host.number)), self._digests(host)
        if opened is None or now != self._digests_of(opened):
            return
        before = self._same.get((wire, host.number))
        if before is None or before.digests != now:
            self._world.say(f"host {host.number} has the same as {there.number}")
        self._same[wire, host.number] = _Same(now)
        theirs = self._same.get((wire, there.number))
        if theirs is None or not there.up or theirs.digests != self._digests(there):
            return
        assert theirs.digests == now, f"hosts {wire} say they have the same, and have not"
        self.agreed += 1
        changes = sum(self._changes.get(end, 0) for end in (wire.a, wire.b)) + self._given.get(wire, 0)
        if wire in self._since:
            frames, changed, at_ms = self._since[wire]
            took, rounds = wire.frames - frames, (self._world.now_ms - at_ms) / ROUND_EVERY_MS
            allowed = ROUNDS_FRAMES + FRAMES_PER_CHANGE * (changes - changed) + FRAMES_PER_ROUND * rounds
            self.worst = max(self.worst, took / allowed)
            assert took <= allowed, f"hosts {wire} took {took} frames to be the same, and {changes - changed} changes"
        self._since[wire] = (wire.frames, changes, self._world.now_ms)

    def _digests(self, host: Host) -> tuple[tuple[int, bytes], ...]:
        if host.replica is None or self._world.commons not in host.replica.followed():
            return ()
        states = [host.replica.set_state(self._world.commons, plane) for plane in (0, 1)]
        return tuple((state.count, published(state)) for state in states)

    def _digests_of(self, opening: Opening) -> tuple[tuple[int, bytes], ...]:
        return tuple((one.count, one.digest) for one in (opening.charter, opening.catalogue))

    # -- the end

    def rested(self) -> None:
        """All honest hosts have held the same for a while: sessions between them must have said so."""
        world = self._world
        for wire in world.wires.all:
            ends = [world.hosts[wire.a], world.hosts[wire.b]]
            if not wire.sessions or not all(end.honest for end in ends):
                continue
            for end in ends:
                since = max(self._said.get((wire, end.number), 0.0), self._met_ms[wire])
                lately = world.now_ms - since <= SAID_MS_MAX
                assert lately, f"host {end.number} has not said to {wire.other(end.number)} that both have the same"

    def finish(self) -> None:
        """All hosts end their lives; how much came twice."""
        for host in self._world.hosts:
            self.stops(host)
        if not any(host.tamper for host in self._world.hosts) and self.new > 200:
            assert self.again <= BODIES_TWICE, f"{self.again:.0%} of the records came again"


@cache
def codes() -> frozenset[str]:
    """Every code that a chapter of the protocol names."""
    chapters = "".join(path.read_text(encoding="utf-8") for path in sorted(_PROTOCOL.glob("*.md")))
    return frozenset(re.findall(r"`([a-z][a-z0-9_]*)`", chapters))
