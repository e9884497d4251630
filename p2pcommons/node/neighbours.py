"""Neighbours: the addresses a node keeps and dials, the links that come in, and one session with each peer.

A kept address is dialled for as long as the node runs: after 0.2 s, doubling to 60 s, with jitter. A key met at an
address is pinned to it; another key there is let in with a warning and is not pinned until a person says so.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Final, Protocol

from p2pcommons.core.address import Address, parse_address
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.limits import KNOCK_MS, LAN_HEARD_MAX, LAN_YIELD_MS, PENALTY_MS
from p2pcommons.core.outside import Outside, is_outside
from p2pcommons.errors import NotFound
from p2pcommons.network.dial import DialFailed, Dialler
from p2pcommons.network.link import Link
from p2pcommons.node.contacts import Contact, dump_contacts, kept_contacts
from p2pcommons.node.copies import Copies
from p2pcommons.node.meeting import CANNOT_KEEP, NO_ROOM, Meeting, Why
from p2pcommons.node.meetings import Meetings
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import Instant, Notice, PeerInfo
from p2pcommons.sync.dial_plan import Knocks
from p2pcommons.sync.holding import Change
from p2pcommons.sync.peer_record import Heard

logger = logging.getLogger(__name__)

BACKOFF_S_MIN: Final = 0.2
BACKOFF_S_MAX: Final = 60.0
STABLE_S: Final = 5.0  # a session that lasted so long was a good one: the next pause is short again
_KEPT: Final = "peers"
_STOP_S_MAX: Final = 2.0
_PAUSED_S: Final = (
    300.0  # whom we could not keep pace with for want of room is not met again for so long, or until there is
)
_UNABLE_S: Final = 30.0  # nor who brought what our store could not keep: every try costs it a few frames
UNSHARED_S: Final = 300.0  # between two calls on who follows nothing that we do, unless we follow something new
MET_ALREADY: Final = "this neighbour is met already"
_UNABLE_MAX: Final = 1000  # such keys remembered


class Introducing(Protocol):
    """Who exchanges peer records in sessions (`node.introductions`)."""

    def joined(self, meeting: Meeting, contact: Contact | None) -> None:
        """Both follow a commons; told again when another one is found to be shared."""
        ...

    def spoke(self, meeting: Meeting, contact: Contact | None, said: Heard) -> None:
        """The other end said something about peers."""
        ...

    def ended(self, meeting: Meeting, contact: Contact | None) -> None:
        """It is over."""
        ...

    def forget(self, key: PublicKey) -> None:
        """A person wants no session with it."""
        ...


class Neighbours:
    """All peers of a node, within `async with`."""

    def __init__(
        self, runtime: Runtime, *, dials: bool, hosts: tuple[str, ...] = (), outside: Outside = is_outside
    ) -> None:
        self._runtime = runtime
        self.dials = dials
        """Whether kept addresses are dialled; where not, they are only kept."""
        self._hosts = hosts
        self.outside = outside
        """Which IP addresses count as the open internet: others are never dialled by hearsay."""
        self.dialler = Dialler(outside=outside)
        self.introductions: Introducing | None = None
        """Who tells and hears of others, set before the first session; None: nobody does."""
        self._knocks = Knocks()
        self.meetings = Meetings()
        """Sessions and contacts."""
        self._copies = Copies(self.meetings, runtime.now_ms)
        self._blocked: set[PublicKey] = set()
        self._unable: dict[bytes, float] = {}  # key: not before
        self.strangers: set[PublicKey] = set()
        """Those whose last session showed no commons in common."""
        self.listings: dict[PublicKey, tuple[tuple[bytes, str], ...]] = {}
        """What nodes met lately announce, by their word."""
        self._follows = 0  # changes of what this node follows
        self._follow_listeners: list[Callable[[], None]] = []
        self._passing = asyncio.Event()  # set, and made anew, when a session begins or ends
        self._following_anew = asyncio.Event()  # the same, when the list of followed commons changes
        self._stops = False
        self._giving_way: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Neighbours:
        await self.dialler.__aenter__()
        kept = await self._runtime.run(lambda: self._runtime.store.value(_KEPT))
        addresses, blocked = kept_contacts(kept)
        self._blocked |= blocked
        for address, pinned in addresses:
            self._add(address, kept=True, pinned=pinned)
        self._runtime.listen(self._tell)
        self._runtime.watch.ask_peers(self.meetings.clocks_ahead)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.part()
        tasks = [contact.task for contact in self.meetings.contacts.values() if contact.task is not None]
        tasks += self._giving_way
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.dialler.__aexit__(None, None, None)

    async def part(self) -> None:
        """Tell everybody that this node stops, while the door is open still; those that come later are told too."""
        self._stops = True
        closing = [asyncio.create_task(_parted(meeting)) for meeting in self.meetings]
        if closing:
            await asyncio.wait(closing, timeout=_STOP_S_MAX)
        for task in closing:
            task.cancel()
        await asyncio.gather(*closing, return_exceptions=True)

    # -- verbs

    def infos(self) -> tuple[PeerInfo, ...]:
        """Kept ones first, by address, then those that came in, by key."""
        return self.meetings.infos(self._blocked)

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
        return contact.info()

    async def remove(self, text: str) -> None:
        """Forget an address. NotFound `unknown-peer`."""
        contact = self.meetings.contacts.pop(parse_address(text).target, None)
        if contact is None:
            raise NotFound("unknown-peer", "No such address is kept. `p2pcommons peer list` shows those that are.")
        if contact.task is not None:
            contact.task.cancel()
        await self._save()

    async def block(self, key: PublicKey) -> None:
        """End the sessions of this key and refuse new ones."""
        self._blocked.add(key)
        if self.introductions is not None:
            self.introductions.forget(key)
        await self._save()
        for meeting in list(self.meetings):
            if meeting.peer == key:
                await meeting.end("blocked", "this node does not meet yours")

    async def unblock(self, key: PublicKey) -> None:
        """Meet this key again. NotFound `unknown-peer` for one that is not blocked."""
        if key not in self._blocked:
            raise NotFound("unknown-peer", "That node is not blocked. `p2pcommons peer list` shows those that are.")
        self._blocked.discard(key)
        await self._save()
        for listener in self._follow_listeners:  # who looks after the local network looks again
            listener()

    async def meet_anew(self, why: str) -> None:
        """End all sessions; those that this node dialled begin again at once."""
        for meeting in list(self.meetings):
            await meeting.end("closing", why)

    async def room_again(self) -> None:
        """There is room on the disk again: meet anew those whose records were refused for want of it."""
        self._unable.clear()
        for meeting in list(self.meetings):
            if meeting.paused:
                await meeting.end("closing", "this node has room again; meet it anew")

    async def serve(self, link: Link) -> None:
        """A link that came in: hold a session over it."""
        meeting = self._meeting(link, None)
        self.meetings.incoming.append(meeting)
        try:
            await meeting.hold()
        finally:
            self.meetings.incoming.remove(meeting)
            if meeting.own_key:
                self._copies.met_own_key(meeting, None)
            self._count(meeting, None)
            if meeting.violation or meeting.code == "blocked":  # whoever is blocked may not knock without end either
                link.penalty_ms = PENALTY_MS
            elif meeting.connected_at is None:
                link.penalty_ms = KNOCK_MS

    def notices(self) -> tuple[Notice, ...]:
        """What a person should know of copied folders."""
        return self._copies.notices()

    # -- neighbours found on the local network, or heard of

    def show(self, contact: Contact) -> None:
        """Count a neighbour found without a person among the peers; who found it dials it (`visit`)."""
        self.meetings.contacts[contact.name] = contact

    def hide(self, contact: Contact) -> None:
        """It is not there any more."""
        self.meetings.contacts.pop(contact.name, None)

    async def visit(self, contact: Contact) -> bool:
        """Dial a contact once and hold the session that comes of it; whether there is no use in another one soon."""
        return await self._dial(contact)

    def may_knock(self, ip: str, *, check: bool = False) -> bool:
        """Whether to knock at this IP address because others told of it; where it may be, it counts as done."""
        return self.outside(ip) and self._knocks.may(ip, self._runtime.now_ms(), check=check)

    def may_knock_somewhere(self) -> bool:
        """Whether there was not too much of that lately."""
        return self._knocks.any_left(self._runtime.now_ms())

    @property
    def blocked_keys(self) -> Collection[PublicKey]:
        """Nodes that a person wants no session with."""
        return self._blocked

    def blocked(self, key: PublicKey) -> bool:
        """Whether a person wants no session with it."""
        return key in self._blocked

    async def wait_for(self, key: PublicKey, *, connected: bool) -> None:
        """Until a session with this node has begun, or the last one has ended."""
        while self.meetings.connected(key) != connected:
            await self._passing.wait()

    async def browse(self, key: PublicKey) -> None:
        """Ask a connected node again what it announces."""
        for meeting in list(self.meetings):
            if meeting.peer == key:
                await meeting.browse()
                return

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
        if contact is not None and contact.found:
            return not smaller and any(m.peer == peer for m in self.meetings if m is not meeting)
        for other in self.meetings.contacts.values():
            if not other.found or other.meeting is None or other.meeting.peer != peer:
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
        contact = self.meetings.contacts.get(address.target)
        if contact is None:
            contact = Contact(address, kept, pinned=address.key or pinned)
            self.meetings.contacts[address.target] = contact
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
            unshared = contact.code == "nothing-shared"
            wait = (UNSHARED_S if unshared else pause) * random.uniform(0.8, 1.2)
            contact.state = "waiting"
            contact.next_try_at = Instant(self._runtime.now_ms() + int(wait * 1000))
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await (self._following_anew if unshared else asyncio.Event()).wait()
            pause = min(pause * 2, BACKOFF_S_MAX)

    async def _dial(self, contact: Contact) -> bool:
        """One try, and the session that comes of it; whether there is no use in another one soon."""
        try:
            judge = self.may_knock if contact.heard else None
            link = await self.dialler.dial(contact.address, heard=judge)
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
                self._copies.met_own_key(meeting, contact)
            self._count(meeting, contact)
        return meeting.violation or meeting.unable

    def _meeting(self, link: Link, contact: Contact | None) -> Meeting:
        def admit(meeting: Meeting, peer: PublicKey) -> Why | None:
            return self._admit(meeting, peer, contact)

        expected = contact.address.key if contact is not None else None
        parting = contact is not None and contact.found
        made = Meeting(self._runtime, link, expected, self._hosts, admit, parting, self._listed)
        made.follows = self._follows
        if (told := self.introductions) is not None:
            made.joined = lambda meeting: told.joined(meeting, contact)
            made.spoke = lambda meeting, said: told.spoke(meeting, contact, said)
        self._copies.speaks(made.nonce)
        return made

    def _admit(self, meeting: Meeting, peer: PublicKey, contact: Contact | None) -> Why | None:
        self.meetings.begun += 1
        if self._stops:
            return Why("this node stops", "stopping")
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
        self.meetings.note_begin(meeting, peer, dialled=contact is not None)
        return None

    def _count(self, meeting: Meeting, contact: Contact | None) -> None:
        if meeting.peer is not None:
            if len(self.strangers) >= LAN_HEARD_MAX:
                self.strangers.clear()
            unchanged = meeting.follows == self._follows  # else what we follow now was not asked about
            told = meeting.listing is not None and not meeting.matched and unchanged
            (self.strangers.add if told else self.strangers.discard)(meeting.peer)
        if self.introductions is not None:
            self.introductions.ended(meeting, contact)
        self._passed()
        self.meetings.note_end(meeting, self._runtime.now_ms())
        if meeting.unable and meeting.peer is not None:
            if len(self._unable) >= _UNABLE_MAX:
                self._unable.clear()
            wait_s = _PAUSED_S if self._runtime.replica.pauses else _UNABLE_S
            self._unable[meeting.peer] = asyncio.get_running_loop().time() + wait_s

    def _tell(self, changes: Sequence[Change]) -> None:
        for meeting in list(self.meetings):
            meeting.tell_change(changes)

    def follow_changed(self) -> None:
        """The list of followed commons changed: tell every session."""
        self._follows += 1
        self._following_anew.set()
        self._following_anew = asyncio.Event()
        self.strangers.clear()
        self._tell(())
        for listener in self._follow_listeners:
            listener()

    # -- keeping

    def _spawn_save(self) -> None:
        task = asyncio.get_running_loop().create_task(self._save())
        self._saving = task  # held, so that it is not collected before it is done

    async def _save(self) -> None:
        value = dump_contacts(self.meetings.contacts.values(), self._blocked)
        runtime = self._runtime

        def save() -> None:
            with runtime.store.transaction():
                runtime.store.put_value(_KEPT, value)

        await runtime.run(save)


async def _parted(meeting: Meeting) -> None:
    await meeting.end("stopping", "this node stops")
    await meeting.over.wait()
