"""Neighbours: the addresses a node keeps and dials, the links that come in, and one session with each peer.

A kept address is dialled for as long as the node runs: after 0.2 s, doubling to 60 s, with jitter. A key met at an
address is pinned to it; another key there is let in with a warning and is not pinned until a person says so.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final

from p2pcommons.core.address import Address, parse_address
from p2pcommons.core.identity import PublicKey, did_key, parse_did_key
from p2pcommons.core.limits import AHEAD_MS_MAX, LAN_HEARD_MAX, LAN_YIELD_MS, PENALTY_MS
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import NotFound
from p2pcommons.network.dial import DialFailed, Dialler
from p2pcommons.network.link import Link
from p2pcommons.node.clones import (
    COPY,
    ITSELF,
    KEY_TWICE,
    OWN_KEY,
    Clones,
    Sighting,
    key_twice,
    own_told,
    twice_told,
)
from p2pcommons.node.meeting import CANNOT_KEEP, NO_ROOM, Meeting, Why
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import Instant, Notice, PeerInfo
from p2pcommons.sync.holding import Change

logger = logging.getLogger(__name__)

BACKOFF_S_MIN: Final = 0.2
BACKOFF_S_MAX: Final = 60.0
STABLE_S: Final = 5.0  # a session that lasted so long was a good one: the next pause is short again
_KEPT: Final = "peers"
_EAGER_MAX: Final = 2  # neighbours that new records are had from whole
_STOP_S_MAX: Final = 2.0
_PAUSED_S: Final = (
    300.0  # whom we could not keep pace with for want of room is not met again for so long, or until there is
)
_UNABLE_S: Final = 30.0  # nor who brought what our store could not keep: every try costs it a few frames
MET_ALREADY: Final = "this neighbour is met already"
_UNABLE_MAX: Final = 1000  # such keys remembered


@dataclass(slots=True)
class Contact:
    """One address to dial."""

    address: Address
    kept: bool
    lan: bool = False  # found on the local network; dialled by `node.lan`
    places: tuple[Address, ...] = ()  # all addresses that it announces there
    pinned: PublicKey | None = None
    state: str = "connecting"
    why: str = ""
    code: str = ""
    next_try_at: Instant | None = None
    meeting: Meeting | None = None
    task: asyncio.Task[None] | None = None

    def say(self, why: str, code: str = "") -> None:
        """What it waits for or ran into: for people, and for programs (`values.PEER_CODES`)."""
        self.why, self.code = why, code


class Neighbours:
    """All peers of a node, within `async with`."""

    def __init__(self, runtime: Runtime, *, dials: bool, hosts: tuple[str, ...] = ()) -> None:
        self._runtime = runtime
        self.dials = dials
        """Whether kept addresses are dialled; where not, they are only kept."""
        self._hosts = hosts
        self._dialler = Dialler()
        self._contacts: dict[str, Contact] = {}
        self._incoming: list[Meeting] = []
        self._blocked: set[bytes] = set()
        self.sessions = 0
        """Sessions that came about since the start."""
        self.violations = 0
        """Sessions that ended because the peer broke the protocol."""
        self._unable: dict[bytes, float] = {}  # key: not before
        self._ended_bytes = (0, 0)
        self.strangers: set[PublicKey] = set()
        """Those whose last session showed no commons in common."""
        self.listings: dict[PublicKey, tuple[tuple[bytes, str], ...]] = {}
        """What nodes met lately announce, by their word."""
        self._follows = 0  # changes of what this node follows
        self._follow_listeners: list[Callable[[], None]] = []
        self._clones = Clones()
        self._twice: set[PublicKey] = set()  # keys told to be at two places
        self._passing = asyncio.Event()  # set, and made anew, when a session begins or ends
        self._giving_way: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Neighbours:
        await self._dialler.__aenter__()
        kept = await self._runtime.run(lambda: self._runtime.store.value(_KEPT))
        saved: dict[str, Any] = json.loads(kept) if kept else {}
        self._blocked = {parse_did_key(key) for key in saved.get("blocked", [])}
        for text, pinned in saved.get("kept", {}).items():
            self._add(parse_address(text), kept=True, pinned=parse_did_key(pinned) if pinned else None)
        self._runtime.listen(self._tell)
        self._runtime.watch.ask_peers(self._clocks_ahead)
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [contact.task for contact in self._contacts.values() if contact.task is not None]
        meetings = self._meetings()
        closing = [asyncio.ensure_future(m.end("stopping", "this node stops")) for m in meetings]
        if closing:
            await asyncio.wait(closing, timeout=_STOP_S_MAX)
        tasks += self._giving_way
        for task in (*closing, *tasks):
            task.cancel()
        await asyncio.gather(*closing, *tasks, return_exceptions=True)
        await self._dialler.__aexit__(None, None, None)

    def _clocks_ahead(self) -> list[int]:
        """How far the clocks of connected nodes are ahead of ours, in milliseconds: of those that a person chose.

        Anybody may dial in with as many keys as they like; they must not be able to keep a person from writing.
        """
        chosen = [c.meeting for c in self._contacts.values() if c.kept and c.meeting is not None]
        return list({m.peer: m.clock_ms for m in chosen if m.peer is not None}.values())

    # -- verbs

    def infos(self) -> tuple[PeerInfo, ...]:
        """Kept ones first, by address, then those that came in, by key."""
        came = {meeting.peer for meeting in self._incoming}
        out = [self._contact_info(c) for _, c in sorted(self._contacts.items()) if not (c.lan and c.pinned in came)]
        out += [
            self._incoming_info(m) for m in sorted(self._incoming, key=lambda m: m.peer or b"") if m.peer is not None
        ]
        here = {info.key for info in out}
        out += [
            PeerInfo(None, PublicKey(key), "blocked", code="blocked")
            for key in sorted(self._blocked)
            if key not in here
        ]
        return tuple(out)

    async def add(self, text: str, *, kept: bool = True) -> PeerInfo:
        """Dial an address from now on. FormError for one that is none."""
        address = parse_address(text)
        contact = self._add(address, kept=kept)
        if kept and not contact.kept:
            contact.kept = True
        if address.key is not None:  # a person says who is meant there, from now on
            contact.address = address
        contact.pinned = address.key or contact.pinned
        await self._save()
        return self._contact_info(contact)

    async def remove(self, text: str) -> None:
        """Forget an address. NotFound `unknown-peer`."""
        contact = self._contacts.pop(parse_address(text).target, None)
        if contact is None:
            raise NotFound("unknown-peer", "No such address is kept. `p2pcommons peer list` shows those that are.")
        if contact.task is not None:
            contact.task.cancel()
        await self._save()

    async def block(self, key: PublicKey) -> None:
        """End the sessions of this key and refuse new ones."""
        self._blocked.add(key)
        await self._save()
        for meeting in self._meetings():
            if meeting.peer == key:
                await meeting.end("blocked", "this node does not meet yours")

    def following(self, commons: CommonsId) -> int:
        """How many nodes met now follow this commons too. Two that dialled each other hold two sessions and are one."""
        return len({meeting.peer for meeting in self._meetings() if commons in meeting.standings})

    def wholeness(self, commons: CommonsId) -> tuple[str, str]:
        """Why a copy may lack something that a neighbour has; empty where all that are connected hold the same."""
        for meeting in self._meetings():
            standing = meeting.standings.get(commons)
            if standing is not None and (standing.code or standing.state != "same"):
                return standing.code or standing.state, standing.why
        return "", ""

    def filling(self, commons: CommonsId) -> bool:
        """Whether records of this commons are coming in."""
        found = [m.standings[commons].state for m in self._meetings() if commons in m.standings]
        return "receiving" in found

    def traffic(self) -> tuple[int, int]:
        """Bytes received and sent since the start, by all links that there were."""
        links = [meeting.link for meeting in self._meetings()]
        received, sent = self._ended_bytes
        return received + sum(link.bytes_received for link in links), sent + sum(link.bytes_sent for link in links)

    def open_sessions(self) -> int:
        """Sessions under way, their peer's key proved."""
        return sum(meeting.connected_at is not None for meeting in self._meetings())

    async def room_again(self) -> None:
        """There is room on the disk again: meet anew those whose records were refused for want of it."""
        self._unable.clear()
        for meeting in self._meetings():
            if meeting.paused:
                await meeting.end("closing", "this node has room again; meet it anew")

    async def serve(self, link: Link) -> None:
        """A link that came in: hold a session over it."""
        meeting = self._meeting(link, None)
        self._incoming.append(meeting)
        try:
            await meeting.hold()
        finally:
            self._incoming.remove(meeting)
            if meeting.own_key:
                self._met_own_key(meeting, None)
            self._count(meeting)
            if meeting.violation:
                link.penalty_ms = PENALTY_MS

    def notices(self) -> tuple[Notice, ...]:
        """Copied folders, as far as sessions show them."""
        now_ms = self._runtime.now_ms()
        places = self._clones.places(now_ms)
        found = [Notice(OWN_KEY, own_told(places))] if places else []
        came = [
            Sighting(m.peer, m.link.remote.rpartition(":")[0], m.connected_at)
            for m in self._incoming
            if m.peer is not None and m.connected_at is not None
        ]
        twice = key_twice(came, now_ms)
        self._twice &= twice.keys()
        for key, hosts in twice.items():
            found.append(Notice(KEY_TWICE, twice_told(key, hosts)))
            if key not in self._twice:
                self._twice.add(key)
                logger.warning("%s", twice_told(key, hosts), extra={"event": "key_twice"})
        return tuple(found)

    def _met_own_key(self, meeting: Meeting, contact: Contact | None) -> None:
        """The other end has our key, it says: this very node, dialled by itself, or a copy of its folder."""
        if contact is None and self._clones.is_itself(meeting.peer_nonce):
            for other in self._contacts.values():
                if other.meeting is not None and other.meeting.nonce == meeting.peer_nonce:
                    other.meeting.itself = True
            return
        if meeting.itself or any(other.peer_nonce == meeting.nonce for other in self._incoming):
            assert contact is not None
            contact.say(ITSELF, "itself")
            return
        place = meeting.link.remote.rpartition(":")[0] if contact is None else contact.address.target
        if contact is not None:
            contact.say(COPY, OWN_KEY)
        if self._clones.met(place, self._runtime.now_ms()):
            logger.warning("%s", own_told([place]), extra={"event": "own_key", "fields": {"place": place}})

    # -- neighbours of the local network

    def show(self, contact: Contact) -> None:
        """Count a neighbour found on the local network among the peers; who found it dials it (`visit`)."""
        self._contacts[_lan_name(contact)] = contact

    def hide(self, contact: Contact) -> None:
        """It is not there any more."""
        self._contacts.pop(_lan_name(contact), None)

    async def visit(self, contact: Contact) -> bool:
        """Dial a contact once and hold the session that comes of it; whether there is no use in another one soon."""
        return await self._dial(contact)

    def connected(self, key: PublicKey) -> bool:
        """Whether a session with this node is under way."""
        return any(meeting.peer == key for meeting in self._meetings())

    def blocked(self, key: PublicKey) -> bool:
        """Whether a person wants no session with it."""
        return key in self._blocked

    async def wait_for(self, key: PublicKey, *, connected: bool) -> None:
        """Until a session with this node has begun, or the last one has ended."""
        while self.connected(key) != connected:
            await self._passing.wait()

    async def browse(self, key: PublicKey) -> None:
        """Ask a connected node again what it announces."""
        for meeting in self._meetings():
            if meeting.peer == key:
                await meeting.browse()
                return

    def cut(self, gone: Callable[[IPv4Address | IPv6Address], bool]) -> None:
        """Give up the links by addresses of this machine that are gone: nobody else would tell for a minute."""
        for meeting in self._meetings():
            local = meeting.link.local.partition("%")[0]
            if local and gone(ip_address(local)):
                meeting.link.cut()

    def on_follow(self, listener: Callable[[], None]) -> None:
        """Hear when the list of followed commons has changed."""
        self._follow_listeners.append(listener)

    def _passed(self) -> None:
        self._passing.set()
        self._passing = asyncio.Event()

    def _yield(self, meeting: Meeting, peer: PublicKey, contact: Contact | None) -> bool:
        """Two that found each other hold one session: what the smaller key dialled stays (DISCOVERY-12)."""
        smaller = self._runtime.keys.node.public < peer
        ours = contact is not None
        if contact is not None and contact.lan:
            return not smaller and any(m.peer == peer for m in self._meetings() if m is not meeting)
        for other in self._contacts.values():
            if not other.lan or other.meeting is None or other.meeting.peer != peer:
                continue
            if ours or not smaller:
                task = asyncio.create_task(other.meeting.end("closing", MET_ALREADY))
                self._giving_way.add(task)
                task.add_done_callback(self._giving_way.discard)
            elif self._runtime.now_ms() - (other.meeting.connected_at or 0) > 2 * LAN_YIELD_MS:
                other.meeting.link.cut()  # it would not dial if it knew of this one: it moved, or was started anew
        return False

    def _listed(self, meeting: Meeting) -> None:
        if meeting.peer is not None:
            self.listings.pop(meeting.peer, None)
            while len(self.listings) >= LAN_HEARD_MAX:
                self.listings.pop(next(iter(self.listings)))
            self.listings[meeting.peer] = meeting.listing or ()

    # -- dialling

    def _add(self, address: Address, *, kept: bool, pinned: PublicKey | None = None) -> Contact:
        contact = self._contacts.get(address.target)
        if contact is None:
            contact = Contact(address, kept, pinned=address.key or pinned)
            self._contacts[address.target] = contact
            if not self.dials:
                contact.state = "waiting"
                contact.say("no node runs", "no-node")
            else:
                contact.task = asyncio.get_running_loop().create_task(self._keep_dialling(contact))
        return contact

    async def _keep_dialling(self, contact: Contact) -> None:
        pause = BACKOFF_S_MIN
        while True:
            contact.state, contact.next_try_at = "connecting", None
            began = asyncio.get_running_loop().time()
            try:
                useless = await self._dial(contact)
            except Exception:  # the edge of an address' task: whatever happened, it is dialled again
                logger.exception("dialling %s failed", contact.address.target)
                contact.say("an error on this node; see its log", "error")
                useless = True
            if useless:
                pause = BACKOFF_S_MAX
            elif asyncio.get_running_loop().time() - began > STABLE_S:
                pause = BACKOFF_S_MIN
            wait = pause * random.uniform(0.8, 1.2)
            contact.state = "waiting"
            contact.next_try_at = Instant(self._runtime.now_ms() + int(wait * 1000))
            await asyncio.sleep(wait)
            pause = min(pause * 2, BACKOFF_S_MAX)

    async def _dial(self, contact: Contact) -> bool:
        """One try, and the session that comes of it; whether there is no use in another one soon."""
        try:
            link = await self._dialler.dial(contact.address)
        except DialFailed as error:
            contact.say(error.detail, error.code.replace("_", "-"))
            return False
        contact.meeting = meeting = self._meeting(link, contact)
        try:
            await meeting.hold()
        finally:
            contact.meeting = None
            contact.say(meeting.ended or "the link was lost", meeting.code or "link-lost")
            if meeting.own_key:
                self._met_own_key(meeting, contact)
            self._count(meeting)
        return meeting.violation or meeting.unable

    def _meeting(self, link: Link, contact: Contact | None) -> Meeting:
        def admit(meeting: Meeting, peer: PublicKey) -> Why | None:
            return self._admit(meeting, peer, contact)

        expected = contact.address.key if contact is not None else None
        parting = contact is not None and contact.lan
        # From the first two whole, from the others by id: a record then crosses this node's links about once.
        eager = sum(meeting.eager for meeting in self._meetings()) < _EAGER_MAX
        made = Meeting(self._runtime, link, expected, self._hosts, eager, admit, parting, self._listed, self._follows)
        self._clones.speaks(made.nonce)
        return made

    def _admit(self, meeting: Meeting, peer: PublicKey, contact: Contact | None) -> Why | None:
        self.sessions += 1
        if peer in self._blocked:
            return Why("this node does not meet yours", "blocked")
        if self._unable.get(peer, 0.0) > asyncio.get_running_loop().time():
            return Why(NO_ROOM, "disk-low") if self._runtime.replica.pauses else Why(CANNOT_KEEP, "cannot-keep")
        if self._yield(meeting, peer, contact):
            return Why(MET_ALREADY, "met-already")
        if contact is not None:
            contact.state = "connected"
            contact.say("")
            if contact.pinned is None:
                contact.pinned = peer
                self._spawn_save()
            elif contact.pinned != peer:
                told = "another node answers here than before; `peer add` with its key accepts it for good"
                contact.say(told, "another-key")
                logger.warning("%s: %s", contact.address.target, contact.why)
        self._passed()
        fields = {"peer": did_key(peer), "remote": meeting.link.remote, "dialled": contact is not None}
        text = "a session with %s began"
        logger.info(text, did_key(peer), extra={"event": "session_began", "fields": fields})
        return None

    def _count(self, meeting: Meeting) -> None:
        if meeting.peer is not None:
            if len(self.strangers) >= LAN_HEARD_MAX:
                self.strangers.clear()
            unchanged = meeting.follows == self._follows  # else what we follow now was not asked about
            told = meeting.listing is not None and not meeting.matched and unchanged
            (self.strangers.add if told else self.strangers.discard)(meeting.peer)
        self._passed()
        self.violations += meeting.violation
        received, sent = self._ended_bytes
        self._ended_bytes = (received + meeting.link.bytes_received, sent + meeting.link.bytes_sent)
        if meeting.peer is not None and meeting.connected_at is not None:
            fields = {
                "peer": did_key(meeting.peer),
                "reason": meeting.ended or "the link was lost",
                "seconds": (self._runtime.now_ms() - meeting.connected_at) / 1000,
                "received_bytes": meeting.link.bytes_received,
                "sent_bytes": meeting.link.bytes_sent,
            }
            text = "a session with %s ended: %s"
            extra = {"event": "session_ended", "fields": fields}
            logger.info(text, fields["peer"], fields["reason"], extra=extra)
        if meeting.unable and meeting.peer is not None:
            if len(self._unable) >= _UNABLE_MAX:
                self._unable.clear()
            wait_s = _PAUSED_S if self._runtime.replica.pauses else _UNABLE_S
            self._unable[meeting.peer] = asyncio.get_running_loop().time() + wait_s

    def _meetings(self) -> list[Meeting]:
        dialled = [contact.meeting for contact in self._contacts.values() if contact.meeting is not None]
        return [*dialled, *self._incoming]

    def _tell(self, changes: Sequence[Change]) -> None:
        for meeting in self._meetings():
            meeting.tell_change(changes)

    def follow_changed(self) -> None:
        """The list of followed commons changed: tell every session."""
        self._follows += 1
        self.strangers.clear()
        self._tell(())
        for listener in self._follow_listeners:
            listener()

    # -- keeping

    def _spawn_save(self) -> None:
        task = asyncio.get_running_loop().create_task(self._save())
        self._saving = task  # held, so that it is not collected before it is done

    async def _save(self) -> None:
        kept = {
            str(c.address): did_key(c.pinned) if c.pinned is not None else None
            for c in self._contacts.values()
            if c.kept
        }
        value = json.dumps({"kept": kept, "blocked": [did_key(key) for key in sorted(self._blocked)]}).encode()
        runtime = self._runtime

        def save() -> None:
            with runtime.store.transaction():
                runtime.store.put_value(_KEPT, value)

        await runtime.run(save)

    def _contact_info(self, contact: Contact) -> PeerInfo:
        if contact.meeting is not None and contact.meeting.peer is not None:
            info = _meeting_info(contact.meeting)
            return PeerInfo(
                contact.address.target, info.key, "connected", contact.why or info.why, contact.kept, True, info.bytes_received,
                info.bytes_sent, info.connected_at, None, info.commons, contact.lan, contact.code or info.code,
            )  # fmt: skip
        return PeerInfo(
            contact.address.target, contact.pinned, contact.state, contact.why, contact.kept, True,
            next_try_at=contact.next_try_at, local=contact.lan, code=contact.code,
        )  # fmt: skip

    def _incoming_info(self, meeting: Meeting) -> PeerInfo:
        info = _meeting_info(meeting)
        found = [place for c in self._contacts.values() if c.lan and c.pinned == meeting.peer for place in c.places]
        if not found:
            return info
        near = [place for place in found if meeting.link.comes_from(place.host)] or found
        return replace(info, address=near[0].target, local=True)


def _span(ms: int) -> str:
    minutes = ms // 60_000
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} days"


def _lan_name(contact: Contact) -> str:
    return f"lan {did_key(contact.pinned or b'')}"


def _meeting_info(meeting: Meeting) -> PeerInfo:
    off = abs(meeting.clock_ms) > AHEAD_MS_MAX
    ahead = "ahead of" if meeting.clock_ms > 0 else "behind"
    return PeerInfo(
        address=None,
        key=meeting.peer,
        state="connected",
        why=f"its clock is {_span(abs(meeting.clock_ms))} {ahead} this machine's" if off else "",
        code="clock-off" if off else "",
        bytes_received=meeting.link.bytes_received,
        bytes_sent=meeting.link.bytes_sent,
        connected_at=meeting.connected_at,
        commons=meeting.commons(),
    )
