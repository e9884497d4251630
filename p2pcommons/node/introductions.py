"""Introductions: this node's own record, those of others, and the links dialled by hearsay (chapter 35).

Drives `AddressBook` (what is known) and `Reachability` (whether we are reached), and `HeardLinks` (who is dialled).
Sessions tell what was said in them; how a session is held is `node.neighbours`' business.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from p2pcommons.core.address import Address, parse_address
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.limits import (
    CHECK_EVERY_MS,
    CHECKS_AT_ONCE_MAX,
    INTRODUCE_EVERY_MS,
    PEERS_EVERY_MS,
    PEERS_MET_MAX,
)
from p2pcommons.core.outside import group_of, is_near
from p2pcommons.errors import P2PCommonsError
from p2pcommons.node.contacts import Contact
from p2pcommons.node.heard_links import HeardLinks
from p2pcommons.node.meeting import Meeting
from p2pcommons.node.neighbours import Neighbours
from p2pcommons.node.own_record import OwnRecord
from p2pcommons.node.probe import dial_back
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.talk import Talk
from p2pcommons.node.values import Address as Place
from p2pcommons.node.values import Instant, Reachable
from p2pcommons.sync.address_book import AddressBook
from p2pcommons.sync.message import Peers, Reached
from p2pcommons.sync.peer_record import Checked, Heard, Introduced, PeerRecord, Told
from p2pcommons.sync.peering import introduce
from p2pcommons.sync.reachability import Reachability

logger = logging.getLogger(__name__)

_BOOK: Final = "peers/heard"
_LOOK_S: Final = 15.0  # what nothing stirs is looked at so often: renewals, back-offs, places to fill
_PAUSE_S: Final = 0.5  # what comes within it is looked at once
_SAVE_S: Final = 60.0
_TOLD_MAX: Final = 4 * PEERS_MET_MAX  # remembered for one session; then some are told again
_SEEN: Final = "as others see this node"
_CHECK_AGAIN_MS: Final = 3600 * 1000  # after a dial back that nothing was tried in
_FRESH_MS: Final = 30 * 60 * 1000  # an address proved within it need not be dialled back


class Introductions:
    """Within `async with`, inside that of its neighbours."""

    def __init__(self, runtime: Runtime, neighbours: Neighbours) -> None:
        self._runtime, self._neighbours = runtime, neighbours
        self.reachability = Reachability()
        """Whether this node is reached from outside, as others say."""
        self.own = OwnRecord(runtime.keys.node, self.reachability, neighbours.outside)
        """What this node says of itself."""
        self._book = AddressBook(runtime.keys.node.public, secrets.token_bytes(32))
        self._talks: dict[int, Talk] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE_MAX)
        self._stirred = asyncio.Event()
        self._dirty = False
        self._news = 0  # grows when there may be something new to tell
        neighbours.introductions = self

    async def load(self) -> None:
        """What was known when the node stopped: before the first session begins."""
        self._book = await self._runtime.run(self._load)

    async def __aenter__(self) -> Introductions:
        self._links = HeardLinks(self._runtime, self._neighbours, self._book, self._start, self._freed)
        self._book.refused = self._neighbours.blocked_keys
        self._neighbours.on_follow(self._follow_changed)
        self._start(self._tend())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._links.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._save()

    @property
    def known(self) -> int:
        """How many nodes were heard of or met."""
        return len(self._book)

    @property
    def proved(self) -> int:
        """How many of them proved their address to this node."""
        return len(self._book.met())

    def stir(self) -> None:
        """Something changed: look again soon what is to be said and dialled."""
        self._stirred.set()

    def forget(self, key: PublicKey) -> None:
        """A person wants no session with it."""
        self._book.forget(key)
        self._dirty = True

    # -- what sessions tell

    def joined(self, meeting: Meeting, contact: Contact | None) -> None:
        """A commons is shared: introduce this node, and prove where the other was reached."""
        if meeting.speaks_of_peers:
            self._talks.setdefault(id(meeting), Talk(meeting, contact))
        if meeting.peer is not None:
            self._book.share(meeting.peer, meeting.standings)
        if contact is None:
            here = [one for one in self.own.given if one.host == meeting.link.local]  # it came in just now
            self._believe(meeting, "", here, here)
        self._news += 1
        self.stir()

    def spoke(self, meeting: Meeting, contact: Contact | None, said: Heard) -> None:
        """The other end said something about peers. Of who shares nothing with us, nothing is taken."""
        talk = self._talks.get(id(meeting))
        match said:
            case Introduced():
                if talk is not None:
                    talk.wants_peers = said.wants_peers
                    if said.record is not None:
                        self._hear(said.record, said.record.all_bits, talk)
                        self._prove_dialled(talk, said.record)
                if said.wants_check:
                    self._start(self._check(talk, meeting, said.record))
            case Told() if talk is not None:
                for record, bits in said.records:
                    self._hear(record, bits, talk)
            case Checked():
                if talk is not None:
                    self._take_word(talk, said)
        self.stir()

    def ended(self, meeting: Meeting, contact: Contact | None) -> None:
        """A session is over: what it was good for."""
        self._talks.pop(id(meeting), None)
        now_ms = self._runtime.now_ms()
        if meeting.peer is not None and meeting.connected_at is not None:
            if meeting.violation:
                self._book.shun(meeting.peer, now_ms)
            elif meeting.matched and contact is not None:
                self._book.serve(meeting.peer, meeting.standings, now_ms - meeting.connected_at, now_ms)
            if meeting.peer in self._neighbours.strangers:
                self._book.find_useless(meeting.peer)
            self._dirty = True
        self.stir()

    def _freed(self) -> None:
        self._dirty = True
        self.stir()

    def _follow_changed(self) -> None:
        self._book.follow_changed()
        self.stir()

    def _take_word(self, talk: Talk, said: Checked) -> None:
        talk.checking = False
        talk.seen = said.seen if _leads(self._neighbours, said.seen) else ""
        if talk.record is not None and not said.tried:  # it had too much to do: asked again in an hour
            talk.checked_ms = self._runtime.now_ms() - CHECK_EVERY_MS + _CHECK_AGAIN_MS
        self._believe(talk.meeting, talk.seen, said.tried, said.reached)

    def _believe(self, meeting: Meeting, seen: str, tried: Sequence[Address], reached: Sequence[Address]) -> None:
        """One node's word on whether we are reached, where it is outside itself: not in our own network."""
        ip = meeting.link.ip
        home = [meeting.link.local, *(one.host for one in self.own.given)]
        if meeting.peer is None or not _leads(self._neighbours, ip) or any(is_near(ip, host) for host in home):
            return
        far = [one for one in tried if not is_near(ip, one.host)]
        self.reachability.take(meeting.peer, seen, far, reached, self._runtime.now_ms())

    def _hear(self, record: PeerRecord, bits: int, talk: Talk) -> None:
        if self._book.hear(record, bits, talk.group, self._runtime.now_ms(), chosen=talk.chosen):
            self._dirty = True

    def _prove_dialled(self, talk: Talk, record: PeerRecord) -> None:
        """Its key proved itself at the address that we dialled."""
        if talk.contact is not None and talk.contact.meeting is talk.meeting:
            self._prove(record, talk.contact.address, talk.meeting)

    def _prove(self, record: PeerRecord, address: Address, meeting: Meeting) -> None:
        group = group_of(meeting.link.ip or address.host)
        self._book.prove(record, address, group, meeting.standings, self._runtime.now_ms())
        self._dirty = True
        self._news += 1
        self.stir()

    # -- dialling back

    async def _check(self, talk: Talk | None, meeting: Meeting, record: PeerRecord | None) -> None:
        """Try what the other end says of itself, where that leads to itself, and tell it."""
        ip = meeting.link.ip
        tried, reached = 0, 0
        if record is not None and talk is not None:
            known = record.bits(self._book.proved_since(record.key, self._runtime.now_ms() - _FRESH_MS))
            async with self._checks:
                if id(meeting) not in self._talks:
                    return  # it is over
                tried, reached = await dial_back(self._neighbours, record, ip, known, self._runtime.now_ms())
            for address in record.chosen(reached & ~known):
                self._prove(record, address, meeting)
        await meeting.speak(Reached(ip if _leads(self._neighbours, ip) else "", tried, reached))

    # -- what is said and dialled

    async def _tend(self) -> None:
        saved_s = asyncio.get_running_loop().time()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._stirred.wait()
            self._stirred.clear()
            try:
                self._look(self._runtime.now_ms())
            except Exception:  # the edge of one look: its fault is told, the next one comes
                logger.exception("a look at what is to be said of peers failed")
            if self._dirty and asyncio.get_running_loop().time() - saved_s > _SAVE_S:
                saved_s = asyncio.get_running_loop().time()
                await self._save()
            await asyncio.sleep(_PAUSE_S)

    def _look(self, now_ms: int) -> None:
        self._book.sweep(now_ms)
        self._refresh(now_ms)
        for talk in list(self._talks.values()):
            self._talk(talk, now_ms)
        self._links.look(now_ms)

    def _talk(self, talk: Talk, now_ms: int) -> None:
        """Say what is to be said in one session, each in a task of its own: a slow reader delays nobody else."""
        meeting = talk.meeting
        if not meeting.standings or not meeting.speaks_of_peers:
            return
        if _due(talk.introduced_ms, INTRODUCE_EVERY_MS, now_ms):
            record = self.own.record(now_ms, talk.seen)
            places = () if record is None else record.addresses
            check = not talk.checking and (places != talk.checked or _due(talk.checked_ms, CHECK_EVERY_MS, now_ms))
            if check or record != talk.record:
                talk.introduced_ms, talk.record = now_ms, record
                if check:
                    talk.checked_ms, talk.checked, talk.checking = now_ms, places, True
                self._start(meeting.speak(introduce(record, wants_peers=True, wants_check=check)))
        waits = talk.wants_peers and talk.looked < self._news
        if waits and meeting.peer is not None and _due(talk.told_ms, PEERS_EVERY_MS, now_ms):
            talk.looked = self._news
            found = self._book.to_tell(meeting.peer, meeting.standings, now_ms, secrets.randbelow)
            new = [(record, bits) for record, bits in found if talk.told.get(record.key) != (record.made_ms, bits)]
            if new:
                talk.told_ms = now_ms
                if len(talk.told) > _TOLD_MAX:
                    talk.told.clear()
                talk.told.update({record.key: (record.made_ms, bits) for record, bits in new})
                self._start(meeting.speak(Peers(tuple((record.sealed, bits) for record, bits in new))))

    def _refresh(self, now_ms: int) -> None:
        """A link that we dialled and that is up still proves its address."""
        for talk in self._talks.values():
            peer = talk.meeting.peer
            if talk.contact is not None and peer is not None and _due(talk.proved_ms, _FRESH_MS, now_ms):
                talk.proved_ms = now_ms
                known = self._book.known(peer, now_ms)
                if known is not None:
                    self._prove_dialled(talk, known.record)

    # -- what is told to people

    def reachable(self) -> Reachable:
        """Whether this node is reached from outside."""
        found = self.reachability.summary(self._runtime.now_ms())
        return Reachable(
            found.state, found.address, found.told_by, None if found.at_ms is None else Instant(found.at_ms)
        )

    def judged(self, places: Sequence[Place]) -> tuple[Place, ...]:
        """This node's addresses with what others say of each; first those found to lead here through a router."""
        now_ms, key = self._runtime.now_ms(), self._runtime.keys.node.public
        told = [Place(str(one._replace(key=key)), "outside", _SEEN) for one in self.own.passed_on(now_ms)]
        for place in places:
            state = self.reachability.of(parse_address(place.address).target, now_ms).state
            reach = {"yes": "outside", "no": "nowhere"}.get(state, place.reach)
            told.append(replace(place, reach=reach))
        return tuple(told)

    # -- upkeep

    def _load(self) -> AddressBook:
        data = self._runtime.store.value(_BOOK)
        try:
            if data is not None:
                return AddressBook.load(self._runtime.keys.node.public, data, self._runtime.now_ms())
        except (P2PCommonsError, ValueError, TypeError, AttributeError):  # of another version: it is heard again
            logger.warning("the addresses heard of before could not be read; they are heard anew")
        return self._book

    async def _save(self) -> None:
        if not self._dirty:
            return
        self._dirty = False
        data, runtime = self._book.dump(), self._runtime

        def save() -> None:
            with runtime.store.transaction():
                runtime.store.put_value(_BOOK, data)

        try:
            await runtime.run(save)
        except P2PCommonsError as error:  # a full disk: they are heard again
            logger.error("addresses heard of could not be kept: %s", error.detail)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:  # the edge of a task of introductions: its fault is told, the node goes on
            logger.exception("a task of introductions ended")


def _due(last_ms: int | None, pause_ms: int, now_ms: int) -> bool:
    return last_ms is None or not 0 <= now_ms - last_ms < pause_ms


def _leads(neighbours: Neighbours, ip: str) -> bool:
    try:
        return neighbours.outside(ip)
    except ValueError:
        return False
